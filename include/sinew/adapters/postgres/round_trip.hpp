// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a round trip to the server is made of: how long it may take, statements that are kept
/// prepared, waiting with an end, and the reply.

#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>
#include <poll.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <utility>

namespace sinew::postgres::detail {

struct result_closer {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using result = std::unique_ptr<PGresult, result_closer>;

/// Waits until a socket can be read or written; false if the deadline passed first.
[[nodiscard]] inline bool wait_for(int socket, short events, steady_time until) noexcept {
    for (;;) {
        // Deadlines may lie at the ends of the scale, where a difference would run over.
        constexpr duration longest = std::chrono::hours(1);
        const steady_time now = machine_clock::now().steady;
        const duration span = now >= until                  ? duration::zero()
                              : until > later(now, longest) ? longest
                                                            : until - now;
        pollfd one{socket, events, 0};
        const std::timespec time{span.count() / 1'000'000'000, span.count() % 1'000'000'000};
        const int ready = ::ppoll(&one, 1, &time, nullptr);
        if (ready > 0) {
            return true;
        }
        if ((ready == 0 && machine_clock::now().steady >= until) || (ready < 0 && errno != EINTR)) {
            return false;
        }
    }
}

struct wire_options {
    /// How long a call takes at most, where the caller gives no deadline.
    duration call_timeout = std::chrono::seconds(5);
    /// How long a statement waits for a lock.
    duration lock_timeout = std::chrono::seconds(2);
    bool prepare = true;
    /// How long a transaction may do nothing before the server ends it; 0 leaves that to the
    /// server.
    duration idle_timeout = duration::zero();
};

/// A time-out as PostgreSQL takes it: in milliseconds, and never 0, which would be none at all.
[[nodiscard]] inline std::string milliseconds(duration span) {
    const std::int64_t ms = span.count() / 1'000'000;
    return std::to_string(ms < 1 ? 1 : (ms > 2'000'000'000 ? 2'000'000'000 : ms));
}

/// A number that no other call in this process got.
[[nodiscard]] inline std::uint64_t next_number() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
}

/// A statement that each connection prepares at its first use.
class prepared {
public:
    explicit prepared(std::string text) noexcept : text_(std::move(text)) {}
    prepared(const prepared&) = delete;
    prepared& operator=(const prepared&) = delete;

    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    friend class wire;

    std::string text_;
    std::string name_;
    std::uint64_t life_ = 0;  ///< on which connection it is prepared
};

[[nodiscard]] inline bool is_wrong(const PGresult* got) noexcept {
    const auto status = PQresultStatus(got);
    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY &&
           status != PGRES_PIPELINE_ABORTED;
}

/// How a round trip ended.
struct reply {
    enum class ending : std::uint8_t { complete, lost, late };

    ending how = ending::complete;
    result last{};        ///< the last rows, or else the last statement's result
    result wrong{};       ///< of the first that failed
    std::size_t at = 0;   ///< which statement failed
    std::string doing{};  ///< its text

    [[nodiscard]] bool is_good() const noexcept { return how == ending::complete && !wrong; }
    /// Whether the server itself said that a statement failed.
    [[nodiscard]] bool was_refused() const noexcept {
        return wrong && !field_of(wrong.get(), PG_DIAG_SQLSTATE).empty();
    }
};

}  // namespace sinew::postgres::detail
