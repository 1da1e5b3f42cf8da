// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Instances and records as rows: how they are read, and how many of them become parameters.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/event_columns.hpp>
#include <sinew/adapters/postgres/journal_codec.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sinew::postgres::detail {

[[nodiscard]] inline std::int64_t stamp_of(wall_time at) noexcept {
    return at.time_since_epoch().count();
}

/// A name of a type that is the same in all processes, for an index. Different types may share it.
[[nodiscard]] inline std::int64_t hash_of_type(std::string_view type) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : type) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return static_cast<std::int64_t>(hash);
}

/// Records as arrays, a column each.
struct record_arrays {
    void add(const step_record& one) {
        steps.add(one.where.step);
        phases.add(static_cast<std::int64_t>(one.where.phase));
        kinds.add(static_cast<std::int64_t>(one.kind));
        attempts.add(std::int64_t{one.attempts});
        begun.add(stamp_of(one.begun));
        at.add(stamp_of(one.at));
        results.add(one.result);
        whys.add(encode_note(one.why));
    }
    /// Record `i` of a write.
    void add(const journal_write& of, std::size_t i) {
        numbers.add(of.claim.number);
        epochs.add(static_cast<std::int64_t>(of.claim.epoch));
        knowns.add(static_cast<std::int64_t>(of.known));
        places.add(static_cast<std::int64_t>(of.known + i));
        add(of.records[i]);
    }

    array_writer numbers = array_of_numbers();
    array_writer epochs = array_of_numbers();
    array_writer knowns = array_of_numbers();
    array_writer places = array_of_numbers();
    array_writer steps = array_of_bytes();
    array_writer phases = array_of_numbers();
    array_writer kinds = array_of_numbers();
    array_writer attempts = array_of_numbers();
    array_writer begun = array_of_numbers();
    array_writer at = array_of_numbers();
    array_writer results = array_of_bytes();
    array_writer whys = array_of_bytes();
};

/// A write as columns, without its records; it refers to the write.
struct write_columns {
    explicit write_columns(const journal_write& one)
        : number(one.claim.number),
          epoch(static_cast<std::int64_t>(one.claim.epoch)),
          known(static_cast<std::int64_t>(one.known)),
          total(static_cast<std::int64_t>(one.known + one.records.size())),
          end(static_cast<std::int64_t>(one.end)),
          progress(encode_progress(one.progress)),
          why(encode_note(one.why)) {
        if (one.end != claim_end::released || !one.wait) {
            return;
        }
        from = stamp_of(one.wait->time.from);
        due = stamp_of(one.wait->time.due);
        phase = no_reply;
        if (const auto& reply = one.wait->reply) {
            phase = static_cast<std::int64_t>(reply->phase);
            step = reply->step;
            awaits = !takes_reply(one);
        }
    }

    std::int64_t number;
    std::int64_t epoch;
    std::int64_t known;
    std::int64_t total;  ///< records behind it
    std::int64_t end;
    std::int64_t from = 0;
    std::int64_t due = 0;
    std::int64_t phase = no_wait;
    std::string_view step{};
    std::string progress;
    std::string why;
    bool awaits = false;  ///< whether it waits for a reply from now on

private:
    static constexpr std::int64_t no_wait = -2;
    static constexpr std::int64_t no_reply = -1;

    /// Whether a record of the write takes away the reply for which it waits.
    [[nodiscard]] static bool takes_reply(const journal_write& one) {
        return std::any_of(one.records.begin(), one.records.end(), [&](const step_record& record) {
            return record.kind != record_kind::retried && record.where == *one.wait->reply;
        });
    }
};

/// Writes as arrays, a column each, with their records.
struct write_arrays {
    void add(const journal_write& one) {
        const write_columns of(one);
        numbers.add(of.number);
        epochs.add(of.epoch);
        knowns.add(of.known);
        totals.add(of.total);
        ends.add(of.end);
        from.add(of.from);
        due.add(of.due);
        phases.add(of.phase);
        steps.add(of.step);
        progress.add(of.progress);
        whys.add(of.why);
        for (std::size_t i = 0; i < one.records.size(); ++i) {
            records.add(one, i);
        }
        if (of.awaits) {
            awaiting.add(of.number);
            awaits = true;
        }
    }

    array_writer numbers = array_of_numbers();
    array_writer epochs = array_of_numbers();
    array_writer knowns = array_of_numbers();
    array_writer totals = array_of_numbers();
    array_writer ends = array_of_numbers();
    array_writer from = array_of_numbers();
    array_writer due = array_of_numbers();
    array_writer phases = array_of_numbers();
    array_writer steps = array_of_bytes();
    array_writer progress = array_of_bytes();
    array_writer whys = array_of_bytes();
    record_arrays records;
    /// The instances that wait for a reply from now on.
    array_writer awaiting = array_of_numbers();
    bool awaits = false;
};

/// The address of a step in two columns, if there is one.
[[nodiscard]] inline std::optional<step_address> address_at(const PGresult* from, int row, int step,
                                                            int phase) {
    if (PQgetisnull(from, row, phase) != 0 || PQgetisnull(from, row, step) != 0) {
        return std::nullopt;
    }
    return step_address{std::string(column_bytes(from, row, step)),
                        checked(number_at(from, row, phase), step_phase::undo, "an instance")};
}

/// Reads the rows of `instance_rows` and `record_rows`.
class journal_reader {
public:
    explicit journal_reader(const PGresult* from) noexcept : from_(from) {}

    /// The instance in a row.
    [[nodiscard]] process_instance instance(int row) const {
        process_instance what;
        what.number = number_at(from_, row, 0);
        what.epoch = column<epoch_number>(from_, row, epoch);
        what.state = checked(number_at(from_, row, state), instance_state::abandoned,
                             "the state of an instance");
        what.since = instant_at(from_, row, since);
        what.started = instant_at(from_, row, started);
        if (PQgetisnull(from_, row, wait_from) == 0) {
            what.wait =
                instance_wait{{instant_at(from_, row, wait_from), instant_at(from_, row, wait_due)},
                              address_at(from_, row, wait_step, wait_phase)};
        }
        what.type = column_bytes(from_, row, type);
        what.id = column_bytes(from_, row, id);
        what.steps = decode_steps(column_bytes(from_, row, steps));
        what.input = column_bytes(from_, row, input);
        if (PQgetisnull(from_, row, progress) == 0) {
            what.progress = decode_progress_of_step(column_bytes(from_, row, progress));
        }
        what.cancelled = decode_note_if_any(column_bytes(from_, row, cancelled));
        what.why = decode_note_if_any(column_bytes(from_, row, why));
        return what;
    }

    /// The instances with their histories, those due for longest first. `just_claimed`: their
    /// claims are what happened last.
    [[nodiscard]] std::vector<journal_entry> entries(bool just_claimed) const {
        std::map<std::int64_t, std::size_t> places;
        std::vector<kept> all;
        for (int row = 0; row < PQntuples(from_); ++row) {
            if (number_at(from_, row, place) == -1) {
                places.emplace(number_at(from_, row, 0), all.size());
                all.push_back(one(row));
            }
        }
        for (int row = 0; row < PQntuples(from_); ++row) {
            if (number_at(from_, row, place) >= 0) {
                const auto of = places.find(number_at(from_, row, 0));
                if (of != places.end()) {
                    all[of->second].records.push_back(
                        {number_at(from_, row, place), instant_at(from_, row, 2), record(row)});
                }
            }
        }
        std::sort(all.begin(), all.end(), [](const kept& a, const kept& b) {
            return std::tie(a.due, a.entry.what.number) < std::tie(b.due, b.entry.what.number);
        });
        std::vector<journal_entry> out;
        out.reserve(all.size());
        for (auto& each : all) {
            out.push_back(finished(std::move(each), just_claimed));
        }
        return out;
    }

    /// Calls `f` with the number of each instance, and where the row of its state lies.
    template <class F>
    void each_place(F f) const {
        for (int row = 0; row < PQntuples(from_); ++row) {
            if (number_at(from_, row, place) == -1) {
                f(number_at(from_, row, 0), column_bytes(from_, row, row_place));
            }
        }
    }

    /// The row about the lease that was asked under, if it holds; whether it says that there are
    /// instances of dead runners.
    [[nodiscard]] std::optional<bool> lease() const {
        for (int row = PQntuples(from_); row-- > 0;) {
            if (number_at(from_, row, place) == -2) {
                return number_at(from_, row, 2) != 0;
            }
        }
        return std::nullopt;
    }

private:
    enum : int {
        place = 1,
        epoch,
        state,
        records_then,
        since,
        unsettled,
        started,
        wait_from,
        wait_due,
        wait_phase,
        due,
        type,
        id,
        steps,
        input,
        progress,
        wait_step,
        cancelled,
        why,
        reply,
        row_place
    };

    struct kept_record {
        std::int64_t place = 0;
        wall_time written{};
        step_record what{};
    };
    struct kept {
        journal_entry entry{};
        std::int64_t due = 0;
        std::int64_t records_then = 0;
        std::vector<kept_record> records{};
    };

    [[nodiscard]] kept one(int row) const {
        kept out;
        out.entry.what = instance(row);
        out.entry.unsettled = column<std::uint32_t>(from_, row, unsettled);
        if (PQgetisnull(from_, row, reply) == 0) {
            out.entry.reply = column_bytes(from_, row, reply);
        }
        out.due = number_at(from_, row, due);
        out.records_then = number_at(from_, row, records_then);
        return out;
    }

    [[nodiscard]] step_record record(int row) const {
        constexpr const char* what = "a record of a journal";
        step_record out;
        out.where.phase = checked(number_at(from_, row, 3), step_phase::undo, what);
        out.kind = checked(number_at(from_, row, 4), record_kind::retried, what);
        out.attempts = column<std::uint32_t>(from_, row, 5);
        out.begun = instant_at(from_, row, 6);
        out.at = instant_at(from_, row, 7);
        out.where.step = column_bytes(from_, row, 12);
        out.result = column_bytes(from_, row, 13);
        out.why = decode_note_if_any(column_bytes(from_, row, 14));
        return out;
    }

    /// What was kept beside the records holds as long as there are no more of them than there were.
    [[nodiscard]] static journal_entry finished(kept&& from, bool just_claimed) {
        std::sort(from.records.begin(), from.records.end(),
                  [](const kept_record& a, const kept_record& b) { return a.place < b.place; });
        auto& entry = from.entry;
        for (auto& one : from.records) {
            if (one.place != static_cast<std::int64_t>(entry.history.size())) {
                refuse_damaged("the history of an instance");
            }
            entry.history.push_back(std::move(one.what));
        }
        if (static_cast<std::int64_t>(entry.history.size()) > from.records_then) {
            entry.what.since = from.records.back().written;
            entry.what.progress.reset();
            entry.what.wait.reset();
            entry.reply.reset();
            entry.unsettled = just_claimed ? 1 : 0;
        }
        return std::move(entry);
    }

    const PGresult* from_;
};

}  // namespace sinew::postgres::detail
