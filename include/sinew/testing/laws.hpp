// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The laws of consuming, as checks of what a scenario recorded.
///
/// A scenario fills a `record`, and each law is a function that looks at it and judges. No law
/// looks at what another one judges, so a broken variant of the library is caught by the law that
/// it breaks: losing is not doubling, and neither is disorder.
///
/// | law | holds if |
/// | --- | --- |
/// | nothing is lost | each event is applied, dead-lettered, or set aside where that was expected |
/// | nothing is applied twice | each identity has its effect at most once |
/// | order | the effects of a key stand in that key's order |
/// | no commit runs ahead | each record up to a committed offset is finished |
/// | fences only rise | committed offsets and progress never go back, and no ended epoch commits |
/// | memory is bounded | what is held never goes beyond the limits |
/// | a dead letter is whole | it is the event bit for bit, with all that is to stand beside it, once |
/// | only the hopeless are given up | what is dead-lettered or set aside is what was expected to be |
/// | the ledger balances | no event stands in two columns, and none that came from nowhere |
/// | poison is contained | a process dies of an event so often and not more |
/// | everything drains | some steps after the last fault there is nothing left to do |
/// | no exception escapes | a step of a consumer throws nothing |
/// | as without faults | the final state of each key is that of a sequential run without faults |
///
/// The last one is the master oracle. It is asked last, and only of a run in which all others hold:
/// it is there for what the others have no name for.

#include <sinew/core/dead_letters.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>
#include <sinew/testing/record.hpp>
#include <sinew/testing/trial.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::testing {

namespace law {

inline constexpr std::string_view nothing_lost = "nothing is lost";
inline constexpr std::string_view nothing_twice = "nothing is applied twice";
inline constexpr std::string_view order = "order";
inline constexpr std::string_view no_commit_ahead = "no commit runs ahead";
inline constexpr std::string_view memory_bounded = "memory is bounded";
inline constexpr std::string_view dead_letter_whole = "a dead letter is whole";
inline constexpr std::string_view only_hopeless = "only the hopeless are given up";
inline constexpr std::string_view ledger = "the ledger balances";
inline constexpr std::string_view poison_contained = "poison is contained";
inline constexpr std::string_view drains = "everything drains";
inline constexpr std::string_view no_escape = "no exception escapes";
inline constexpr std::string_view fences = "fences only rise";
inline constexpr std::string_view as_without_faults = "as without faults";

}  // namespace law

/// Every event that went in came out somewhere.
inline void check_nothing_lost(findings& found, const record& r) {
    for (const auto& one : r.produced) {
        found.check(law::nothing_lost, r.is_finished(one.original.id), [&] {
            return one.original.id + " is neither applied nor dead-lettered nor set aside";
        });
    }
}

/// No effect is there twice.
inline void check_nothing_twice(findings& found, const record& r) {
    for (const auto& one : r.produced) {
        found.check(law::nothing_twice, r.times_applied(one.original.id) <= 1, [&] {
            return one.original.id + " was applied " +
                   std::to_string(r.times_applied(one.original.id)) + " times";
        });
    }
}

/// Effects stand in their key's order. `expected` gives that order; events that one of the two does
/// not have, and second effects of one event, are other laws' business.
inline void check_order(findings& found, const record& r,
                        const std::vector<key_effects>& expected) {
    for (const auto& want : expected) {
        const auto have = std::find_if(r.applied.begin(), r.applied.end(),
                                       [&](const key_effects& k) { return k.key == want.key; });
        if (have == r.applied.end()) {
            continue;
        }
        std::size_t last = 0;
        std::vector<bool> seen(want.ids.size(), false);
        for (const auto& id : have->ids) {
            const auto at = static_cast<std::size_t>(
                std::find(want.ids.begin(), want.ids.end(), id) - want.ids.begin());
            if (at == want.ids.size() || seen[at]) {
                continue;
            }
            seen[at] = true;
            found.check(law::order, at >= last, [&] {
                return "of key " + want.key + ", " + id + " was applied after " + want.ids[last];
            });
            last = std::max(last, at);
        }
    }
}

/// Each record of the partition up to `through` is finished. To be called at each commit that took
/// effect, with the record as it is then. The records before `from` were judged before.
inline void check_no_commit_ahead(findings& found, const record& r, partition_id partition,
                                  log_offset from, log_offset through) {
    for (const auto& one : r.produced) {
        if (one.where.partition != partition || one.where.offset > through ||
            one.where.offset < from) {
            continue;
        }
        found.check(law::no_commit_ahead, r.is_finished(one.original.id), [&] {
            return "partition " + std::to_string(partition) + " is committed through " +
                   std::to_string(through) + ", but " + one.original.id + " at " +
                   std::to_string(one.where.offset) + " is not finished";
        });
    }
}

/// A committed offset never goes back: whoever commits late, under an epoch that has ended, would
/// undo what others have reached.
inline void check_no_commit_back(findings& found, partition_id partition, log_offset before,
                                 log_offset through) {
    found.check(law::fences, through >= before, [&] {
        return "partition " + std::to_string(partition) + " was committed through " +
               std::to_string(before) + " and is now through " + std::to_string(through);
    });
}

/// Whoever commits holds the newest epoch of the partition.
inline void check_epoch(findings& found, partition_id partition, epoch_number newest,
                        epoch_number by) {
    found.check(law::fences, by >= newest, [&] {
        return "partition " + std::to_string(partition) + " was committed under epoch " +
               std::to_string(by) + " while epoch " + std::to_string(newest) + " had begun";
    });
}

/// What a store says of a key's progress only rises.
inline void check_only_rises(findings& found, std::string_view what, std::string_view of,
                             std::uint64_t before, std::uint64_t now) {
    found.check(law::fences, now >= before, [&] {
        return std::string(what) + " of " + std::string(of) + " went back from " +
               std::to_string(before) + " to " + std::to_string(now);
    });
}

/// A quantity that has a limit.
inline void check_bound(findings& found, std::string_view what, std::uint64_t value,
                        std::uint64_t limit) {
    found.check(law::memory_bounded, value <= limit, [&] {
        return std::string(what) + " is " + std::to_string(value) + ", the limit is " +
               std::to_string(limit);
    });
}

/// What a dead letter has to say beyond the event.
struct letter_expectation {
    std::string_view consumer;
    std::string_view topic;
};

/// Each letter is whole, and there is one for an event.
inline void check_dead_letters(findings& found, const record& r, const letter_expectation& want) {
    for (std::size_t i = 0; i < r.letters.size(); ++i) {
        const auto& letter = r.letters[i].letter;
        const auto& id = letter.original.id;
        const auto check = [&](bool holds, std::string_view what) {
            found.check(law::dead_letter_whole, holds,
                        [&] { return "the dead letter of " + id + " " + std::string(what); });
        };
        const auto source = std::find_if(
            r.produced.begin(), r.produced.end(),
            [&](const produced_event& one) { return one.original == letter.original; });
        check(source != r.produced.end(), "is not the event bit for bit");
        check(std::any_of(r.produced.begin(), r.produced.end(),
                          [&](const produced_event& one) {
                              return one.where == letter.where && one.original.id == id;
                          }),
              "does not say where the event stood");
        check(letter.consumer == want.consumer, "does not name its consumer");
        check(letter.topic == want.topic, "does not name its topic");
        check(!letter.reason.empty(), "gives no reason");
        check(letter.first_failure != wall_time{} && letter.last_failure != wall_time{},
              "does not say when the event failed");
        check(!letter.history.empty() && letter.history.size() <= dead_letter_record::history_max,
              "has no history, or one without end");
        for (std::size_t k = 0; k < i; ++k) {
            check(r.letters[k].letter.original.id != id ||
                      r.letters[k].letter.original.source != letter.original.source,
                  "is there twice");
        }
    }
}

/// What was given up is what had to be.
inline void check_only_hopeless(findings& found, const record& r) {
    for (const auto& one : r.produced) {
        const auto& id = one.original.id;
        const bool dead = r.is_dead(id);
        const bool aside = r.is_set_aside(id);
        const bool may_die = one.expected == fate::dead_lettered || one.expected == fate::either;
        found.check(law::only_hopeless, !dead || may_die, [&] {
            return id + " was dead-lettered; expected: " + std::string(to_string(one.expected));
        });
        found.check(law::only_hopeless, !aside || one.expected == fate::set_aside, [&] {
            return id + " was set aside; expected: " + std::string(to_string(one.expected));
        });
    }
}

/// Events in = applied + dead-lettered + set aside + waiting: each in one column, and none that did
/// not come in. Holds at any time.
inline void check_ledger(findings& found, const record& r) {
    for (const auto& one : r.produced) {
        const auto& id = one.original.id;
        const int columns = (r.times_applied(id) != 0 ? 1 : 0) + (r.is_dead(id) ? 1 : 0) +
                            (r.is_set_aside(id) ? 1 : 0);
        found.check(law::ledger, columns <= 1,
                    [&] { return id + " stands in more than one column"; });
    }
    for (const auto& key : r.applied) {
        for (const auto& id : key.ids) {
            found.check(law::ledger, r.find(id) != nullptr,
                        [&] { return id + " was applied and never produced"; });
        }
    }
}

/// A process was started so often at most.
inline void check_poison(findings& found, unsigned starts, unsigned starts_max) {
    found.check(law::poison_contained, starts <= starts_max, [&] {
        return "the process was started " + std::to_string(starts) + " times, expected at most " +
               std::to_string(starts_max);
    });
}

/// The run came to its end.
inline void check_drains(findings& found, bool settled, unsigned steps) {
    found.check(law::drains, settled,
                [&] { return "not settled after " + std::to_string(steps) + " steps"; });
}

/// The state of each key is that of a sequential run without faults: the same effects, of events
/// that said the same, in the same order, and nothing else. Asked only if nothing else was found.
/// Under `at_least_once` the first effect of each event counts.
inline void check_as_without_faults(findings& found, const record& r, bool at_least_once = false) {
    if (!found.all_hold()) {
        return;
    }
    auto want = expected_effects(r);
    // What the faults decide about may be there or not.
    const auto is_open = [&](const std::string& id) {
        const auto* const one = r.find(id);
        return one != nullptr && one->expected == fate::either;
    };
    for (auto& key : want) {
        for (std::size_t i = 0; i < key.ids.size();) {
            if (is_open(key.ids[i]) && r.times_applied(key.ids[i]) == 0) {
                key.ids.erase(key.ids.begin() + static_cast<std::ptrdiff_t>(i));
                key.contents.erase(key.contents.begin() + static_cast<std::ptrdiff_t>(i));
            } else {
                ++i;
            }
        }
    }
    for (const auto& have : r.applied) {
        const auto wanted = std::find_if(want.begin(), want.end(),
                                         [&](const key_effects& k) { return k.key == have.key; });
        std::size_t next = 0;
        for (std::size_t i = 0; i < have.ids.size(); ++i) {
            const auto first = std::find(have.ids.begin(), have.ids.end(), have.ids[i]);
            if (at_least_once && first != have.ids.begin() + static_cast<std::ptrdiff_t>(i)) {
                continue;
            }
            const bool same = wanted != want.end() && next < wanted->ids.size() &&
                              wanted->ids[next] == have.ids[i] &&
                              (i >= have.contents.size() || have.contents[i] == 0 ||
                               have.contents[i] == wanted->contents[next]);
            found.check(law::as_without_faults, same, [&] {
                return "effect " + std::to_string(i + 1) + " of key " + have.key + ", " +
                       have.ids[i] + ", is not that of a run without faults";
            });
            ++next;
        }
    }
    for (const auto& wanted : want) {
        const bool there = wanted.ids.empty() ||
                           std::any_of(r.applied.begin(), r.applied.end(), [&](const auto& k) {
                               return k.key == wanted.key && k.ids.size() >= wanted.ids.size();
                           });
        found.check(law::as_without_faults, there, [&] {
            return "key " + wanted.key + " lacks effects that a run without faults has";
        });
    }
}

/// All that can be judged of the record when a run has drained. Under `at_least_once` an effect may
/// be there more often.
inline void check_final(findings& found, const record& r, const letter_expectation& letters,
                        bool at_least_once = false) {
    check_nothing_lost(found, r);
    if (!at_least_once) {
        check_nothing_twice(found, r);
    }
    check_order(found, r, expected_effects(r));
    check_dead_letters(found, r, letters);
    check_only_hopeless(found, r);
    check_ledger(found, r);
}

}  // namespace sinew::testing
