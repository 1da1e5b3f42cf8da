// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Dead letters in SQLite; models `dead_letter_store` and, with the store they belong to,
/// `dead_letters_in_transaction`.
///
/// **Guarantees.** A letter comes back bit for bit. Where the concepts leave something open: a
/// letter that is put again while its entry is requested or replaying changes nothing, so a replay
/// is not disturbed; and a note that is there already is not added a second time, so putting again
/// after `unknown` is harmless. The key of a letter is the `partitionkey` of its event.
///
/// **On failure.** Throws the error that fits. Calls that write, and are not given a transaction,
/// throw `unavailable_error` while one of the store is open.
/// **Bounds.** Entries grow until `purge`. Reading takes no lock; `find` and `counts` look through
/// all entries of what the filter names, a consumer with a state through an index.

#include <sinew/adapters/sqlite/codec.hpp>
#include <sinew/adapters/sqlite/event_columns.hpp>
#include <sinew/adapters/sqlite/letter_rows.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/adapters/sqlite/transaction.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::sqlite {

class store;

class dead_letters {
public:
    put_result put(const dead_letter_record& letter, steady_time until = never) {
        session_->check_idle("a dead letter");
        transaction tx(session_, until);
        put(tx, letter);
        return finish(tx) == commit_result::committed ? put_result::stored : put_result::unknown;
    }

    void put(transaction& tx, const dead_letter_record& letter) {
        check(tx);
        auto entry = entry_of(letter);
        if (!entry) {
            insert(letter);
            return;
        }
        if (entry->state == dead_letter_state::waiting && entry->letter.add_what_is_new(letter)) {
            static_cast<void>(change(*entry));
        }
    }

    bool move(std::int64_t number, std::uint64_t version, dead_letter_state to,
              const failure_note* note) {
        session_->check_idle("moving a dead letter");
        transaction tx(session_, later(machine_clock::now().steady, session_->busy_timeout));
        const bool moved = move(tx, number, version, to, note);
        if (finish(tx) == commit_result::unknown) {
            throw session_->why();
        }
        return moved;
    }

    bool move(transaction& tx, std::int64_t number, std::uint64_t version, dead_letter_state to,
              const failure_note* note) {
        check(tx);
        auto entry = first(use(sql_->by_number).bind(number));
        if (!entry || entry->version != version) {
            return false;
        }
        entry->state = to;
        if (note != nullptr) {
            entry->letter.add(*note);
        }
        return change(*entry);
    }

    [[nodiscard]] std::vector<dead_letter_entry> find(const dead_letter_filter& filter,
                                                      std::int64_t after, std::size_t limit) const {
        std::vector<dead_letter_entry> found;
        constexpr std::size_t most = INT64_MAX;
        query(
            detail::letter_statements::select("WHERE number > ?") + conditions(filter) +
                " ORDER BY number LIMIT ?",
            [&](detail::statement& sql, int at) {
                sql.bind_at(1, after);
                at = bind(sql, 2, filter);
                sql.bind_at(at, limit < most ? limit : most);
            },
            [&](const detail::statement& row) { found.push_back(detail::read_entry(row)); });
        return found;
    }

    [[nodiscard]] std::vector<dead_letter_count> counts(const dead_letter_filter& filter) const {
        std::vector<dead_letter_count> all;
        query(
            "SELECT reason, type, state, count(*) FROM ~dead_letters WHERE true" +
                conditions(filter) + " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            [&](detail::statement& sql, int at) { bind(sql, at, filter); },
            [&](const detail::statement& row) {
                all.push_back({row.column<std::string>(0),
                               std::string(row.column<detail::blob_or_null>(1).bytes),
                               detail::read_state(row, 2), row.column<std::uint64_t>(3)});
            });
        return all;
    }

    [[nodiscard]] std::optional<dead_letter_entry> requested(std::string_view consumer) const {
        for (const auto state : {dead_letter_state::replaying, dead_letter_state::requested}) {
            if (auto found = first(
                    use(sql_->first_in_state).bind(consumer, static_cast<std::uint8_t>(state)))) {
                return found;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] bool holds(std::string_view consumer, std::string_view key) const {
        return use(sql_->holds).bind(consumer, detail::blob_or_null{key}).step();
    }
    [[nodiscard]] bool holds(transaction& tx, std::string_view consumer,
                             std::string_view key) const {
        check(tx);
        return holds(consumer, key);
    }

    /// Whether transactions of that store can be used here.
    [[nodiscard]] bool shares(const store& other) const noexcept;

    /// How many entries there are, settled ones included.
    [[nodiscard]] std::size_t size() const {
        return std::get<0>(*session_->db.query_one<std::size_t>(
            session_->named("SELECT count(*) FROM ~dead_letters")));
    }

    /// Forgets resolved and discarded entries that failed last before `older_than`, at most so
    /// many; answers how many. An event that was forgotten and fails again is a new entry.
    std::size_t purge(wall_time older_than, std::size_t limit) {
        session_->check_idle("purging dead letters");
        return static_cast<std::size_t>(session_->db.execute(
            session_->named("DELETE FROM ~dead_letters WHERE number IN (SELECT number FROM "
                            "~dead_letters WHERE state >= 3 AND last_failure < ? ORDER BY number "
                            "LIMIT ?)"),
            older_than, limit));
    }

private:
    friend class store;

    explicit dead_letters(std::shared_ptr<detail::session> session)
        : session_(std::move(session)),
          sql_(std::make_shared<detail::letter_statements>(session_->named)) {}

    void check(const transaction& tx) const {
        if (tx.session_ != session_) {
            throw usage_error("the transaction belongs to another store than the dead letters");
        }
        tx.check();
    }

    /// Throws unless the commit is done or unknown.
    commit_result finish(transaction& tx) const {
        const commit_result result = tx.commit();
        if (result == commit_result::aborted) {
            throw session_->why();
        }
        return result;
    }

    [[nodiscard]] detail::statement use(detail::prepared& sql) const {
        return detail::statement(session_->db.handle(), sql);
    }
    [[nodiscard]] static std::optional<dead_letter_entry> first(detail::statement& sql) {
        return sql.step() ? std::optional(detail::read_entry(sql)) : std::nullopt;
    }

    /// The entry of the letter's event, by its identity or else by its place.
    [[nodiscard]] std::optional<dead_letter_entry> entry_of(
        const dead_letter_record& letter) const {
        const auto& e = letter.original;
        return e.source.empty() || e.id.empty()
                   ? first(use(sql_->by_place)
                               .bind(letter.consumer, letter.topic, letter.where.partition,
                                     letter.where.offset))
                   : first(
                         use(sql_->by_identity).bind(letter.consumer, blob{e.source}, blob{e.id}));
    }

    void insert(const dead_letter_record& letter) {
        std::string history;
        std::string headers;
        detail::encode(history, letter.bounded_history());
        detail::statement sql = use(sql_->insert);
        int at = 0;
        const auto next = [&](const auto& value) { sql.bind_at(++at, value); };
        next(letter.consumer);
        next(letter.topic);
        next(letter.where.partition);
        next(letter.where.offset);
        next(blob{letter.reason});
        next(static_cast<std::uint8_t>(letter.kind));
        next(letter.attempts);
        next(letter.first_failure);
        next(letter.last_failure);
        next(detail::blob_or_null{history});
        detail::bind_event(sql, at + 1, letter.original.view(), headers);
        sql.run();
    }

    /// Writes an entry under its version, which rises.
    bool change(const dead_letter_entry& entry) {
        std::string history;
        detail::encode(history, entry.letter.history);
        const auto& letter = entry.letter;
        return use(sql_->change)
                   .bind(static_cast<std::uint8_t>(entry.state), blob{letter.reason},
                         static_cast<std::uint8_t>(letter.kind), letter.attempts,
                         letter.first_failure, letter.last_failure, detail::blob_or_null{history},
                         entry.number, entry.version)
                   .run() == 1;
    }

    [[nodiscard]] static std::string conditions(const dead_letter_filter& filter) {
        std::string sql;
        const auto add = [&sql](bool wanted, const char* condition) {
            sql += wanted ? condition : "";
        };
        add(!filter.consumer.empty(), " AND consumer = ?");
        add(!filter.topic.empty(), " AND topic = ?");
        add(!filter.reason.empty(), " AND reason = ?");
        add(!filter.type.empty(), " AND type = ?");
        add(!filter.key.empty(), " AND partitionkey = ?");
        add(filter.kind.has_value(), " AND kind = ?");
        add(filter.state.has_value(), " AND state = ?");
        return sql;
    }

    /// Binds what `conditions` asks for, from parameter `at` on; answers the next one.
    static int bind(detail::statement& sql, int at, const dead_letter_filter& filter) {
        const auto add = [&](bool wanted, const auto& value) {
            if (wanted) {
                sql.bind_at(at++, value);
            }
        };
        add(!filter.consumer.empty(), filter.consumer);
        add(!filter.topic.empty(), filter.topic);
        add(!filter.reason.empty(), blob{filter.reason});
        add(!filter.type.empty(), blob{filter.type});
        add(!filter.key.empty(), blob{filter.key});
        add(filter.kind.has_value(),
            static_cast<std::uint8_t>(filter.kind.value_or(failure_class::transient)));
        add(filter.state.has_value(),
            static_cast<std::uint8_t>(filter.state.value_or(dead_letter_state::waiting)));
        return at;
    }

    template <class Bind, class Row>
    void query(const std::string& text, Bind bind_values, Row on_row) const {
        detail::statement run = use(sql_->question(session_->named(text)));
        bind_values(run, 1);
        while (run.step()) {
            on_row(run);
        }
    }

    // The statements end before the connection does.
    std::shared_ptr<detail::session> session_;
    std::shared_ptr<detail::letter_statements> sql_;
};

}  // namespace sinew::sqlite
