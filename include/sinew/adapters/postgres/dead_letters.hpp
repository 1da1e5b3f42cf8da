// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Dead letters in PostgreSQL; models `dead_letter_store` and, with the store they belong to,
/// `dead_letters_in_transaction`.
///
/// **Guarantees.** A letter comes back bit for bit. Where the concepts leave something open: a
/// letter that is put again while its entry is requested or replaying changes nothing, so a replay
/// is not disturbed; and a note that is there already is not added a second time, so putting again
/// after `unknown` is harmless. The key of a letter is the `partitionkey` of its event. Numbers
/// rise, with holes; of two puts at the same time the lower number can be the one that is seen
/// later.
///
/// **On failure.** Throws the error that fits. Calls that write, and are not given a transaction,
/// throw `unavailable_error` while one of the store is open.
/// **Bounds.** Entries grow until `purge`. `find` and `counts` look through all entries of what the
/// filter names, a consumer with a state through an index.

#include <sinew/adapters/postgres/alone.hpp>
#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/letter_rows.hpp>
#include <sinew/adapters/postgres/session.hpp>
#include <sinew/adapters/postgres/transaction.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::postgres {

class store;

class dead_letters {
public:
    put_result put(const dead_letter_record& letter, steady_time until = never) {
        session_->check_idle("a dead letter");
        const auto [stored, how] = detail::alone(session_, until, [&](transaction& tx) {
            put(tx, letter);
            return true;
        });
        return how == commit_result::committed ? put_result::stored : put_result::unknown;
    }

    void put(transaction& tx, const dead_letter_record& letter) {
        check(tx);
        if (insert(tx, letter)) {
            return;
        }
        auto entry = entry_of(tx, letter);
        if (entry && entry->state == dead_letter_state::waiting &&
            entry->letter.add_what_is_new(letter)) {
            static_cast<void>(change(tx, *entry));
        }
    }

    bool move(std::int64_t number, std::uint64_t version, dead_letter_state to,
              const failure_note* note) {
        session_->check_idle("moving a dead letter");
        const auto [moved, how] =
            detail::alone(session_, session_->line().usual_deadline(),
                          [&](transaction& tx) { return move(tx, number, version, to, note); });
        if (how == commit_result::unknown) {
            throw session_->why();
        }
        return moved;
    }

    bool move(transaction& tx, std::int64_t number, std::uint64_t version, dead_letter_state to,
              const failure_note* note) {
        check(tx);
        auto entry = first(tx.read(sql_->by_number, number));
        if (!entry || entry->version != version) {
            return false;
        }
        entry->state = to;
        if (note != nullptr) {
            entry->letter.add(*note);
        }
        return change(tx, *entry);
    }

    [[nodiscard]] std::vector<dead_letter_entry> find(const dead_letter_filter& filter,
                                                      std::int64_t after, std::size_t limit) const {
        const auto rows = ask(detail::letter_statements::select("WHERE number > $8") +
                                  conditions(filter) + " ORDER BY number LIMIT $9",
                              filter, after, limit);
        std::vector<dead_letter_entry> found;
        for (int row = 0; row < PQntuples(rows.get()); ++row) {
            found.push_back(detail::read_entry(rows.get(), row));
        }
        return found;
    }

    [[nodiscard]] std::vector<dead_letter_count> counts(const dead_letter_filter& filter) const {
        const auto rows = ask("SELECT reason, type, state, count(*) FROM ~dead_letters WHERE true" +
                                  conditions(filter) + " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                              filter, 0, 0);
        std::vector<dead_letter_count> all;
        for (int row = 0; row < PQntuples(rows.get()); ++row) {
            all.push_back({std::string(detail::column_bytes(rows.get(), row, 0)),
                           std::string(detail::column_bytes(rows.get(), row, 1)),
                           detail::read_state(rows.get(), row, 2),
                           static_cast<std::uint64_t>(detail::number_at(rows.get(), row, 3))});
        }
        return all;
    }

    [[nodiscard]] std::optional<dead_letter_entry> requested(std::string_view consumer) const {
        for (const auto state : {dead_letter_state::replaying, dead_letter_state::requested}) {
            if (auto found = first(session_->look(sql_->first_in_state, bytea{consumer},
                                                  static_cast<int>(state)))) {
                return found;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] bool holds(std::string_view consumer, std::string_view key) const {
        return PQntuples(session_->look(sql_->holds, bytea{consumer}, bytea{key}).get()) != 0;
    }
    [[nodiscard]] bool holds(transaction& tx, std::string_view consumer,
                             std::string_view key) const {
        check(tx);
        return PQntuples(tx.read(sql_->holds, bytea{consumer}, bytea{key}).get()) != 0;
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
        return session_->remove("purging dead letters", never, sql_->purge,
                                older_than.time_since_epoch().count(), detail::limit_of(limit));
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

    [[nodiscard]] static std::optional<dead_letter_entry> first(const detail::result& rows) {
        return PQntuples(rows.get()) == 0 ? std::nullopt
                                          : std::optional(detail::read_entry(rows.get(), 0));
    }

    /// The entry of the letter's event, by its identity or else by its place.
    [[nodiscard]] std::optional<dead_letter_entry> entry_of(
        transaction& tx, const dead_letter_record& letter) const {
        const auto& e = letter.original;
        return e.source.empty() || e.id.empty()
                   ? first(tx.read(sql_->by_place, bytea{letter.consumer}, bytea{letter.topic},
                                   std::int64_t{letter.where.partition},
                                   std::int64_t{letter.where.offset}))
                   : first(tx.read(sql_->by_identity, bytea{letter.consumer}, bytea{e.source},
                                   bytea{e.id}));
    }

    /// False: there is an entry of that event.
    [[nodiscard]] bool insert(transaction& tx, const dead_letter_record& letter) const {
        const auto& e = letter.original;
        const std::string history = detail::encode(letter.bounded_history());
        const std::string headers = detail::encode(e.view().headers);
        return detail::rows_of(tx.use(sql_->insert, bytea{letter.consumer}, bytea{letter.topic},
                                      std::int64_t{letter.where.partition},
                                      std::int64_t{letter.where.offset}, bytea{letter.reason},
                                      static_cast<int>(letter.kind), std::int64_t{letter.attempts},
                                      letter.first_failure.time_since_epoch().count(),
                                      letter.last_failure.time_since_epoch().count(),
                                      bytea{history}, bytea{e.id}, bytea{e.source}, bytea{e.type},
                                      bytea{e.subject}, bytea{e.time}, bytea{e.datacontenttype},
                                      bytea{e.dataschema}, bytea{e.data}, bytea{e.partitionkey},
                                      bytea{e.sequence}, bytea{e.correlationid},
                                      bytea{e.causationid}, bytea{e.traceparent}, bytea{headers})
                                   .get()) != 0;
    }

    /// Writes an entry under its version, which rises.
    [[nodiscard]] bool change(transaction& tx, const dead_letter_entry& entry) const {
        const auto& letter = entry.letter;
        const std::string history = detail::encode(letter.history);
        return detail::rows_of(
                   tx.use(sql_->change, static_cast<int>(entry.state), bytea{letter.reason},
                          static_cast<int>(letter.kind), std::int64_t{letter.attempts},
                          letter.first_failure.time_since_epoch().count(),
                          letter.last_failure.time_since_epoch().count(), bytea{history},
                          entry.number, static_cast<std::int64_t>(entry.version))
                       .get()) == 1;
    }

    /// What the filter asks for; its values are bound whether it asks for them or not.
    [[nodiscard]] static std::string conditions(const dead_letter_filter& filter) {
        std::string sql;
        const auto add = [&sql](bool wanted, const char* condition) {
            sql += wanted ? condition : "";
        };
        add(!filter.consumer.empty(), " AND consumer = $1");
        add(!filter.topic.empty(), " AND topic = $2");
        add(!filter.reason.empty(), " AND reason = $3");
        add(!filter.type.empty(), " AND type = $4");
        add(!filter.key.empty(), " AND partitionkey = $5");
        add(filter.kind.has_value(), " AND kind = $6");
        add(filter.state.has_value(), " AND state = $7");
        return sql;
    }

    [[nodiscard]] detail::result ask(const std::string& text, const dead_letter_filter& filter,
                                     std::int64_t after, std::size_t limit) const {
        const std::string sql = session_->named(text);
        const detail::parameters values(
            bytea{filter.consumer}, bytea{filter.topic}, bytea{filter.reason}, bytea{filter.type},
            bytea{filter.key}, static_cast<int>(filter.kind.value_or(failure_class::transient)),
            static_cast<int>(filter.state.value_or(dead_letter_state::waiting)), after,
            detail::limit_of(limit));
        const steady_time until = session_->line().usual_deadline();
        auto& line = session_->connected(until);
        line.queue_once(sql.c_str(), values);
        return line.run(until);
    }

    std::shared_ptr<detail::session> session_;
    std::shared_ptr<detail::letter_statements> sql_;
};

}  // namespace sinew::postgres
