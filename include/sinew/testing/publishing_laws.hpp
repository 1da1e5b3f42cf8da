// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The laws of publishing, as checks of what a scenario recorded.
///
/// A `publishing_record` holds which events were committed to an outbox, in the order of the
/// commits, and which arrived where they are published. As with consuming, no law looks at what
/// another one judges.
///
/// | law | holds if |
/// | --- | --- |
/// | nothing is lost | each committed event arrived, or was given up where that was expected |
/// | published only if committed | what arrives was committed before |
/// | numbered without holes | of each key, the events are numbered 1, 2, 3, ... as they commit |
/// | order | of each key, what arrives for the first time arrives in the order of the commits |
/// | a failing key holds back no other | in quiet times none waits but behind its own key |
/// | nothing is published twice without cause | who knows of an arrival sends no second |
/// | no commit runs ahead | what is marked as published had arrived |
/// | fences only rise | who publishes or takes a shard may, by the leases |
/// | memory is bounded | no call asks for more than the limits allow |
/// | only the hopeless are given up | what is parked was expected to be |
/// | every wait has an end | each call has a deadline, and shutting down keeps its own |
/// | everything drains, no exception escapes, as without faults | as of consuming |

#include <sinew/core/event.hpp>
#include <sinew/testing/laws.hpp>
#include <sinew/testing/trial.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

namespace law {

inline constexpr std::string_view only_committed = "published only if committed";
inline constexpr std::string_view numbered = "numbered without holes";
inline constexpr std::string_view keys_apart = "a failing key holds back no other";
inline constexpr std::string_view not_again = "nothing is published twice without cause";
inline constexpr std::string_view waits_end = "every wait has an end";

}  // namespace law

/// What becomes of an event in an outbox.
enum class outbox_fate : std::uint8_t {
    published,  ///< it arrives, in its key's order
    late,       ///< it is parked, its key goes on without it, and later it arrives after all
    parked,     ///< it stays parked
    discarded,  ///< it is parked, and given up by somebody
    either,     ///< it arrives or stays parked: the faults decide, and both are right
};

[[nodiscard]] constexpr std::string_view to_string(outbox_fate f) noexcept {
    switch (f) {
        case outbox_fate::published: return "published";
        case outbox_fate::late: return "published late";
        case outbox_fate::parked: return "parked";
        case outbox_fate::discarded: return "discarded";
        case outbox_fate::either: return "published or parked";
    }
    return "invalid";
}

/// What a scenario recorded. Ids are unique in it, so an id stands for an event.
struct publishing_record {
    /// An event whose transaction has committed, with the number that it got.
    struct committed_event {
        event what;
        outbox_fate expected = outbox_fate::published;
        bool arrived = false;
    };
    /// One that was published.
    struct arrival {
        std::size_t which = 0;  ///< of those that are committed
        std::uint64_t content = 0;
        bool first = true;
    };

    std::vector<committed_event> committed;  ///< in the order of the commits
    std::vector<arrival> arrived;            ///< in the order in which readers see them
    std::vector<std::pair<std::string, outbox_fate>> expected;  ///< those that are not `published`
    std::vector<std::string> parked;  ///< ids, as the outbox shows them at the end
    std::vector<std::string> early;   ///< ids that arrived, and were not committed

    [[nodiscard]] outbox_fate expected_of(std::string_view id) const noexcept {
        for (const auto& one : expected) {
            if (one.first == id) {
                return one.second;
            }
        }
        return outbox_fate::published;
    }
    /// Where it stands among those that are committed; their number, if it is not there.
    [[nodiscard]] std::size_t index_of(std::string_view id) const noexcept {
        std::size_t at = 0;
        while (at < committed.size() && committed[at].what.id != id) {
            ++at;
        }
        return at;
    }
    /// Whether it is there for readers, committed or not.
    [[nodiscard]] bool has_arrived(std::string_view id) const noexcept {
        const auto at = index_of(id);
        return at < committed.size() ? committed[at].arrived
                                     : std::find(early.begin(), early.end(), id) != early.end();
    }
    [[nodiscard]] bool is_parked(std::string_view id) const noexcept {
        return std::find(parked.begin(), parked.end(), id) != parked.end();
    }
};

/// An event commits, with the number that `add` answered. It is the next one of its key.
inline void commit_event(findings& found, publishing_record& r, const event& e,
                         std::uint64_t sequence) {
    std::uint64_t before = 0;
    for (const auto& one : r.committed) {
        before += !e.partitionkey.empty() && one.what.partitionkey == e.partitionkey ? 1 : 0;
    }
    const std::uint64_t wanted = e.partitionkey.empty() ? 0 : before + 1;
    found.check(law::numbered, sequence == wanted, [&] {
        return e.id + " is number " + std::to_string(wanted) + " of key " + e.partitionkey +
               ", and was numbered " + std::to_string(sequence);
    });
    const auto early = std::find(r.early.begin(), r.early.end(), e.id);
    r.committed.push_back({e, r.expected_of(e.id), early != r.early.end()});
    if (sequence != 0) {
        r.committed.back().what.sequence = std::to_string(sequence);
    }
}

/// An event arrives where it is published.
inline void arrive(findings& found, publishing_record& r, const event_view& e) {
    const auto at = r.index_of(e.id);
    const bool known = at != r.committed.size();
    found.check(law::only_committed, known, [&] {
        return std::string(e.id) + " was published, and no transaction with it has committed";
    });
    if (!known) {
        r.early.emplace_back(e.id);
        return;
    }
    auto& one = r.committed[at];
    r.arrived.push_back({at, content_of(e), !one.arrived});
    one.arrived = true;
}

/// Readers see the events of a key for the first time in the order of the commits. One that was let
/// go by (`late`) has no place in it.
inline void check_published_in_order(findings& found, const publishing_record& r) {
    for (std::size_t i = 0; i < r.arrived.size(); ++i) {
        const auto& last = r.committed[r.arrived[i].which];
        if (!r.arrived[i].first || last.what.partitionkey.empty() ||
            last.expected == outbox_fate::late) {
            continue;
        }
        for (std::size_t k = 0; k < r.arrived[i].which; ++k) {
            const auto& before = r.committed[k];
            if (before.what.partitionkey != last.what.partitionkey || !before.arrived ||
                before.expected == outbox_fate::late) {
                continue;
            }
            const bool in_order =
                std::any_of(r.arrived.begin(), r.arrived.begin() + static_cast<std::ptrdiff_t>(i),
                            [k](const auto& one) { return one.which == k; });
            found.check(law::order, in_order, [&] {
                return "of key " + last.what.partitionkey + ", " + last.what.id +
                       " was published before " + before.what.id;
            });
        }
    }
}

/// Each committed event came to what it had to.
inline void check_all_published(findings& found, const publishing_record& r) {
    for (const auto& one : r.committed) {
        const bool parked = r.is_parked(one.what.id);
        const bool may_park =
            one.expected == outbox_fate::parked || one.expected == outbox_fate::either;
        const bool good =
            one.arrived || one.expected == outbox_fate::discarded || (parked && may_park);
        found.check(law::nothing_lost, good, [&] {
            return one.what.id + " was committed, and did not arrive; expected: " +
                   std::string(to_string(one.expected));
        });
    }
}

/// What was given up is what had to be, and what was given up was not published.
inline void check_given_up(findings& found, const publishing_record& r) {
    for (const auto& one : r.committed) {
        const bool must_not =
            one.expected == outbox_fate::parked || one.expected == outbox_fate::discarded;
        found.check(law::ledger,
                    !(must_not && one.arrived) && !(one.arrived && r.is_parked(one.what.id)),
                    [&] { return one.what.id + " was given up, and is published as well"; });
    }
}

/// An entry is parked.
inline void check_parking(findings& found, const publishing_record& r, std::string_view id) {
    const auto expected = r.expected_of(id);
    found.check(law::only_hopeless, expected != outbox_fate::published, [&] {
        return std::string(id) + " was parked; expected: " + std::string(to_string(expected));
    });
}

/// What readers see first of each key, with all that the events say, is what a run without faults
/// gives. Asked only if nothing else was found.
inline void check_published_as_without_faults(findings& found, const publishing_record& r) {
    if (!found.all_hold()) {
        return;
    }
    for (const auto& one : r.arrived) {
        const auto& was = r.committed[one.which].what;
        found.check(law::as_without_faults, one.content == content_of(was.view()), [&] {
            return was.id + " does not say on the topic what it said in the outbox";
        });
    }
}

}  // namespace sinew::testing
