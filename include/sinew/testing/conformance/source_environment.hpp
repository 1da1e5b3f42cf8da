// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the suite for sources needs of an environment, and the steps that its scenarios are made
/// of.
///
/// | member | means | |
/// | --- | --- | --- |
/// | `join()` | a new member of the environment's group, on the environment's topic | required |
/// | `append(partition, event_view)` | stores an event in a partition | required |
/// | `partitions()` | how many the topic has; two is a good number | optional; else 1 |
/// | `append_broken(partition, bytes_view)` | stores a record that is no event | optional |
/// | `session()` | how long a member may be silent | for claims about memberships |
/// | `abandon(member&)` | makes the group take a silent member for dead | optional |
/// | `pass(duration)` | lets time go by | for claims about time |
///
/// A member that is destroyed leaves its group, or its process dies: either way its partitions come
/// free. `abandon` is for a member that goes on living and does not know: passing more than its
/// session does it where silence is what counts.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/source.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing::conformance {

/// What the adapter promises beyond delivering a log to one member.
struct source_features {
    bool offsets = false;    ///< committed offsets outlive the member
    bool groups = false;     ///< several members share the partitions
    bool any_bytes = false;  ///< events of any bytes come back as they were
};

template <class Env>
using member_of = std::remove_cvref_t<decltype(std::declval<Env&>().join())>;

template <class Env>
concept source_environment =
    source<member_of<Env>> &&
    requires(Env& env, partition_id partition, const event_view& e) { env.append(partition, e); };

namespace detail {

inline constexpr poll_limits plenty{.events = 1'000, .bytes = SIZE_MAX};

template <class Env>
[[nodiscard]] std::size_t partitions_of(const Env& env) {
    if constexpr (requires { env.partitions(); }) {
        return static_cast<std::size_t>(env.partitions());
    } else {
        return 1;
    }
}

/// A member of the group, and all that it was told.
template <class Env>
class hearing {
public:
    using member = member_of<Env>;
    using message_type = typename member::message;
    enum class kind : std::uint8_t { assigned, revoked, lost, message };
    struct told {
        kind what;
        partition_id partition;
        epoch_number epoch;
        log_offset offset = -1;
    };

    explicit hearing(Env& env) : self(env.join()) {}
    hearing(const hearing&) = delete;
    hearing& operator=(const hearing&) = delete;
    ~hearing() = default;

    void assigned(assignment a) {
        story.push_back({kind::assigned, a.partition, a.epoch});
        held[a.partition] = a.epoch;
    }
    void revoked(revocation r) {
        story.push_back({kind::revoked, r.partition, r.epoch});
        revocations.push_back(r);
    }
    void lost(assignment a) {
        story.push_back({kind::lost, a.partition, a.epoch});
        held.erase(a.partition);
    }
    void message(message_type&& m) {
        story.push_back({kind::message, m.where().partition, m.epoch(), m.where().offset});
        got.push_back(std::move(m));
    }

    void poll(steady_time until, poll_limits limits = plenty) { self.poll(limits, until, *this); }
    void release(partition_id p) {
        const auto epoch = held.at(p);
        held.erase(p);
        self.release(p, epoch);
    }

    /// The ids of the messages of a partition, in their order; without one, of all.
    [[nodiscard]] std::vector<std::string> ids(std::optional<partition_id> of = {}) const {
        std::vector<std::string> out;
        for (const auto& m : got) {
            if (!of || m.where().partition == *of) {
                out.emplace_back(m.view().id);
            }
        }
        return out;
    }
    /// The offset of the message with that id; -1 if it did not come.
    [[nodiscard]] log_offset offset_of(std::string_view id) const {
        for (const auto& m : got) {
            if (m.view().id == id) {
                return m.where().offset;
            }
        }
        return -1;
    }
    [[nodiscard]] bool heard(kind what, partition_id p) const {
        for (const auto& one : story) {
            if (one.what == what && one.partition == p) {
                return true;
            }
        }
        return false;
    }

    member self;
    std::vector<told> story{};
    std::map<partition_id, epoch_number> held{};
    std::vector<revocation> revocations{};
    std::vector<message_type> got{};
};

/// Polls until something is so, but not for ever.
template <class Env, class Done>
[[nodiscard]] bool poll_until(const Env& env, hearing<Env>& h, Done done) {
    return eventually(env, [&](steady_time until) { h.poll(until); }, done);
}

/// Polls until the member has every partition.
template <class Env>
void settle(const check& c, Env& env, hearing<Env>& h) {
    c.that(poll_until(env, h, [&] { return h.held.size() == partitions_of(env); }),
           "all " + show(partitions_of(env)) + " partitions to be assigned to the only member",
           show(h.held.size()) + " are");
}

/// Polls until so many messages came.
template <class Env>
void collect(const check& c, Env& env, hearing<Env>& h, std::size_t count) {
    c.that(poll_until(env, h, [&] { return h.got.size() >= count; }),
           show(count) + " messages to be delivered", "delivered " + show(h.ids()));
}

/// Polls a few times in which nothing should come.
template <class Env>
void stay_quiet(const check& c, Env& env, hearing<Env>& h, std::string_view why) {
    const std::size_t before = h.got.size();
    for (int i = 0; i < 6; ++i) {
        h.poll(later(now_of(env), patience_of(env) / 400));
    }
    if (h.got.size() != before) {
        c.fail("nothing to be delivered: " + std::string(why),
               "delivered " + show(std::string(h.got[before].view().id)));
    }
}

template <class Env>
void append(Env& env, partition_id p, const std::string& id) {
    env.append(p, plain_event(id, "k").view());
}

/// Commits through the message with that id.
template <class Env>
[[nodiscard]] commit_result commit_through(Env& env, hearing<Env>& h, std::string_view id) {
    for (const auto& m : h.got) {
        if (m.view().id == id) {
            return h.self.commit(m.where().partition, m.epoch(), m.where().offset, soon(env));
        }
    }
    return commit_result::unknown;
}

/// A second member is there, and the first has been asked for a partition: which.
template <class Env>
[[nodiscard]] partition_id ask_back(const check& c, Env& env, hearing<Env>& first,
                                    hearing<Env>& second) {
    const bool asked = eventually(
        env,
        [&](steady_time until) {
            second.poll(until, {});
            first.poll(until, {});
        },
        [&] { return !first.revocations.empty(); });
    c.that(asked, "the first member to be asked for a partition once a second one is there",
           "it was asked for none");
    return first.revocations.front().partition;
}

/// Lets time go by in which the member keeps its membership.
template <class Env>
void pass_alive(Env& env, hearing<Env>& h, duration span) {
    duration step = span;
    if constexpr (requires { env.session(); }) {
        const duration third = env.session() / 3;
        step = third < span ? third : span;
    }
    for (duration gone{}; gone < span; gone += step) {
        env.pass(step < span - gone ? step : span - gone);
        h.poll(no_waiting, {});
    }
}

}  // namespace detail

}  // namespace sinew::testing::conformance
