// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The part of the outbox suite about several shards in one call: claims of `multi_shard_outbox`.
/// They are looked at if the outbox models it.

#include <sinew/core/outbox.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/outbox_environment.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// Entries of many keys, so that each of a few shards has some.
inline constexpr int entries_together = 40;

template <class Scene>
void add_to_all_shards(Scene& at) {
    for (int i = 0; i < entries_together; ++i) {
        at.add(std::to_string(i), "key " + std::to_string(i % 13));
    }
}

template <class Scene>
[[nodiscard]] auto claim_together(Scene& at, claim_limits limits = all_entries) {
    const std::vector<shard_lease> leases = at.leases();
    return at.box.claim(std::span<const shard_lease>(leases), at.now, limits, at.until());
}

/// Marks all that was claimed of the shards together.
template <class Scene, class Claimed>
[[nodiscard]] std::vector<fenced_result> mark_together(Scene& at, const Claimed& shown) {
    std::vector<std::vector<std::int64_t>> numbers(shown.size());
    std::vector<shard_marks> marks;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        for (const auto& one : *shown[i]) {
            numbers[i].push_back(one.number);
        }
        marks.push_back({at.leases()[i], numbers[i]});
    }
    return at.box.mark_published(std::span<const shard_marks>(marks), at.now, at.until());
}

/// `multi_shard_outbox` 1 and 2.
template <class Suite>
void claim_shown_together(Suite& run) {
    run.claim({"multi_shard_outbox 1", "of several shards each shows what it shows alone",
               "claim of several leases: one answer for each, in their order"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  add_to_all_shards(at);
                  const auto together = claim_together(at);
                  c.equal(together.size(), at.leases().size(), "the number of answers");
                  for (std::size_t i = 0; i < together.size(); ++i) {
                      const auto alone =
                          at.box.claim(at.leases()[i], at.now, all_entries, at.until());
                      c.that(together[i].has_value(), "an answer for each lease", "none");
                      c.equal(ids_of(*together[i]), ids_of(*alone),
                              "what shard " + std::to_string(i) + " shows");
                  }
              });
    run.claim({"multi_shard_outbox 1", "a lease that has ended keeps nothing of other shards back",
               "claim of several leases: each has to be fenced by itself"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  add_to_all_shards(at);
                  const auto before = claim_together(at);
                  static_cast<void>(at.take(0, "another"));
                  const auto after = claim_together(at);
                  c.equal(after.size(), before.size(), "the number of answers");
                  c.that(!after[0].has_value(), "nothing of the shard that was taken", "entries");
                  for (std::size_t i = 1; i < after.size(); ++i) {
                      c.that(after[i].has_value(), "an answer for each other lease", "none");
                      c.equal(ids_of(*after[i]), ids_of(*before[i]),
                              "what shard " + std::to_string(i) + " shows");
                  }
              });
    run.claim(
        {"multi_shard_outbox 1 and 2",
         "the limits are for all shards together, and each has its turn",
         "claim of several leases: an empty answer says that there is nothing; leave it out "
         "instead"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            add_to_all_shards(at);
            int shown = 0;
            for (int calls = 0; shown < entries_together; ++calls) {
                c.that(calls <= entries_together, "entries to be shown as long as there are some",
                       "none");
                const auto some = claim_together(at, {.entries = 3, .bytes = all_entries.bytes});
                c.that(!some.empty() && some.size() <= at.leases().size(),
                       "an answer for the first lease, and for no more than there are",
                       std::to_string(some.size()) + " answers");
                std::size_t entries = 0;
                for (std::size_t i = 0; i < some.size(); ++i) {
                    entries += some[i]->size();
                    if (some[i]->empty()) {
                        const auto alone =
                            at.box.claim(at.leases()[i], at.now, all_entries, at.until());
                        c.equal(ids_of(*alone), texts(), "what a shard has that showed nothing");
                    }
                }
                c.that(entries <= 3, "at most three entries", std::to_string(entries));
                shown += static_cast<int>(entries);
                for (const auto one : mark_together(at, some)) {
                    at.done(one, "the answer of mark_published");
                }
            }
            c.equal(at.ids(), texts(), "what is left");
        });
}

/// `multi_shard_outbox` 3.
template <class Suite>
void claim_marked_together(Suite& run) {
    run.claim({"multi_shard_outbox 3", "what was marked in several shards is not shown again",
               "mark_published of several leases: whether it reaches durable data"},
              [](check& c, auto& env) {
                  {
                      outbox_scene at(c, env);
                      add_to_all_shards(at);
                      const auto shown = claim_together(at);
                      const auto answers = mark_together(at, shown);
                      c.equal(answers.size(), shown.size(), "the number of answers");
                      for (const auto one : answers) {
                          at.done(one, "the answer of mark_published");
                      }
                      c.equal(at.ids(), texts(), "what is shown");
                  }
                  outbox_scene at(c, env);
                  c.equal(at.ids(), texts(), "what is shown when the store is opened again");
              });
    run.claim(
        {"multi_shard_outbox 3", "a stale lease keeps no other shard from being marked",
         "mark_published of several leases: each has to be fenced and answered by itself"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            add_to_all_shards(at);
            const auto shown = claim_together(at);
            const auto last = static_cast<shard_id>(shown.size() - 1);
            const auto taken = at.take(last, "another");
            const auto answers = mark_together(at, shown);
            c.equal(answers.size(), shown.size(), "the number of answers");
            for (shard_id i = 0; i < last; ++i) {
                at.done(answers[i], "the answer for a lease that has not ended");
                c.equal(ids_of(*at.box.claim(at.leases()[i], at.now, all_entries, at.until())),
                        texts(), "what its shard shows");
            }
            c.equal(answers[last], fenced_result::stale, "the answer for the lease that ended");
            c.equal(ids_of(*at.box.claim(taken, at.now, all_entries, at.until())),
                    ids_of(*shown[last]), "what its shard shows");
        });
}

template <class Suite>
void claim_together_all(Suite& run) {
    if constexpr (multi_shard_outbox<outbox_of_t<typename Suite::environment>>) {
        claim_shown_together(run);
        claim_marked_together(run);
    }
}

}  // namespace sinew::testing::conformance::detail
