// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A small store in memory that can make one mistake at a time.

#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/conformance/environment.hpp>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace sinew::test {

enum class store_mistake {
    none,
    dirty_reads,
    commits_the_first_value,
    reads_committed_values,
    takes_no_lock,
    forgets_when_closed,
    commits_later,
    silence_is_committed,
    silence_is_half,
    rollback_commits,
    destructor_commits,
    rolls_back_when_ended,
    commits_when_rolled_back,
    writes_through,
    waits_too_long,
    begins_twice,
    rollback_stays_busy,
    undo_does_nothing,
    undo_undoes_all,
    keep_commits,
    keep_forgets_to_release,
    everything_is_new,
    inbox_beside,
    duplicate_throws,
    ids_end_at_nul,
    joins_source_and_id,
    cuts_ids,
    one_inbox_for_all,
    progress_without_gaps,
    one_progress_for_all,
    progress_beside,
    offsets_without_ranges,
    one_partition,
    offsets_beside,
    progress_of_the_transaction,
    progress_is_cached,
    progress_waits,
};

/// What is stored.
struct toy_data {
    std::map<std::string, std::string> values{};
    std::set<std::tuple<std::string, std::string, std::string>> inbox{};
    std::map<std::pair<std::string, std::string>, key_progress> progress{};
    std::map<std::tuple<std::string, std::string, partition_id>, applied_offsets> offsets{};
};

struct toy_database {
    store_mistake wrong = store_mistake::none;
    toy_data committed{};
    toy_data durable{};
    bool locked = false;
    bool reply_is_lost = false;
    testing::conformance::virtual_time time{};
};

class toy_store;

class toy_transaction {
public:
    using mistake = store_mistake;

    toy_transaction(toy_database& db, std::shared_ptr<bool> busy)
        : db_(&db), busy_(std::move(busy)), mine_(db.committed), before_(db.committed) {
        *busy_ = true;
        db_->locked = true;
    }
    toy_transaction(toy_transaction&& other) noexcept = default;
    toy_transaction& operator=(toy_transaction&& other) noexcept = default;
    ~toy_transaction() {
        if (db_ && open_ && is(mistake::destructor_commits)) {
            static_cast<void>(commit());
        }
        if (db_) {
            rollback();
        }
    }

    commit_result commit() noexcept {
        if (!open_ && !is(mistake::commits_when_rolled_back)) {
            return how_;
        }
        how_ = commit_result::committed;
        if (std::exchange(db_->reply_is_lost, false)) {
            if (is(mistake::silence_is_half)) {
                apply_first();
            }
            end();
            how_ = is(mistake::silence_is_committed) ? commit_result::committed
                                                     : commit_result::unknown;
            return how_;
        }
        if (is(mistake::commits_the_first_value)) {
            apply_first();
        } else {
            db_->committed = mine_;
        }
        if (!is(mistake::commits_later)) {
            db_->durable = db_->committed;
        }
        end();
        return how_;
    }
    void rollback() noexcept {
        if (open_ && is(mistake::rollback_commits)) {
            db_->durable = db_->committed = mine_;
        }
        if (is(mistake::rolls_back_when_ended)) {
            db_->durable = db_->committed = before_;
        }
        if (open_ && is(mistake::writes_through)) {
            db_->durable = db_->committed;
        }
        if (open_ && is(mistake::dirty_reads)) {
            db_->committed = before_;
        }
        if (open_) {
            end();
            if (is(mistake::rollback_stays_busy)) {
                *busy_ = true;
            }
            how_ = commit_result::aborted;
        }
    }

    void nest() {
        if (!part_) {
            part_ = mine_;
        }
    }
    void keep_nested() {
        if (is(mistake::keep_commits)) {
            db_->committed = mine_;
        }
        if (!is(mistake::keep_forgets_to_release)) {
            part_.reset();
        }
    }
    void undo_nested() {
        if (!is(mistake::undo_does_nothing)) {
            mine_ = is(mistake::undo_undoes_all) ? before_ : *part_;
        }
        part_.reset();
    }

    bool remember(std::string_view consumer, event_identity who, wall_time) {
        std::string c(is(mistake::one_inbox_for_all) ? std::string_view() : consumer);
        std::string source(who.source);
        std::string id(who.id);
        if (is(mistake::ids_end_at_nul)) {
            id = id.c_str();
        } else if (is(mistake::cuts_ids)) {
            id.resize(id.size() < 2'000 ? id.size() : 2'000);
        } else if (is(mistake::joins_source_and_id)) {
            source += std::exchange(id, {});
        }
        const auto key = std::tuple(c, source, id);
        if (is(mistake::inbox_beside)) {
            db_->committed.inbox.insert(key);
        }
        const bool is_new = mine_.inbox.insert(key).second;
        if (!is_new && is(mistake::duplicate_throws)) {
            throw permanent_error("constraint", "duplicate key value");
        }
        return is_new || is(mistake::everything_is_new);
    }

    key_progress progress(std::string_view consumer, std::string_view key) {
        return mine_.progress[at(consumer, key)];
    }
    void set_progress(std::string_view consumer, std::string_view key, const key_progress& p) {
        const auto kept = is(mistake::progress_without_gaps) ? key_progress(p.next()) : p;
        mine_.progress[at(consumer, key)] = kept;
        if (is(mistake::progress_beside)) {
            db_->committed.progress[at(consumer, key)] = kept;
            if (part_) {
                part_->progress[at(consumer, key)] = kept;
            }
        }
    }
    applied_offsets offsets(std::string_view consumer, std::string_view topic, partition_id p) {
        return mine_.offsets[{std::string(consumer), std::string(topic), partition(p)}];
    }
    void set_offsets(std::string_view consumer, std::string_view topic, partition_id p,
                     const applied_offsets& o) {
        const auto key = std::tuple(std::string(consumer), std::string(topic), partition(p));
        mine_.offsets[key] =
            is(mistake::offsets_without_ranges) ? applied_offsets(o.through(), {}) : o;
        if (is(mistake::offsets_beside)) {
            db_->committed.offsets[key] = o;
        }
    }

    void put(std::string_view key, std::string_view text) {
        mine_.values[std::string(key)] = text;
        if (is(mistake::dirty_reads)) {
            db_->committed.values[std::string(key)] = text;
        }
        if (is(mistake::writes_through)) {
            db_->durable.values[std::string(key)] = text;
        }
    }
    std::optional<std::string> get(std::string_view key) const {
        const auto& from = is(mistake::reads_committed_values) ? db_->committed : mine_;
        const auto found = from.values.find(std::string(key));
        return found == from.values.end() ? std::nullopt : std::optional(found->second);
    }

private:
    friend class toy_store;

    /// A pointer that knows when it was moved from.
    struct owner {
        toy_database* db;
        explicit owner(toy_database* p) : db(p) {}
        owner(owner&& other) noexcept : db(other.db) {
            if (db->wrong != store_mistake::rolls_back_when_ended) {
                other.db = nullptr;
            }
        }
        owner& operator=(owner&& other) noexcept {
            db = std::exchange(other.db, nullptr);
            return *this;
        }
        toy_database* operator->() const { return db; }
        explicit operator bool() const { return db != nullptr; }
    };

    [[nodiscard]] bool is(mistake m) const noexcept { return db_->wrong == m; }
    [[nodiscard]] std::pair<std::string, std::string> at(std::string_view consumer,
                                                         std::string_view key) const {
        return {std::string(is(mistake::one_progress_for_all) ? std::string_view() : consumer),
                std::string(key)};
    }
    [[nodiscard]] partition_id partition(partition_id p) const {
        return is(mistake::one_partition) ? 0 : p;
    }
    void apply_first() {
        for (const auto& [key, text] : mine_.values) {
            if (before_.values.find(key) == before_.values.end()) {
                db_->committed.values[key] = text;
                return;
            }
        }
    }
    void end() noexcept {
        open_ = false;
        db_->locked = false;
        if (busy_) {
            *busy_ = false;
        }
    }

    owner db_;
    std::shared_ptr<bool> busy_;
    toy_data mine_;
    toy_data before_;
    std::optional<toy_data> part_{};
    commit_result how_ = commit_result::aborted;
    bool open_ = true;
};

class toy_store {
public:
    using transaction_type = toy_transaction;
    using mistake = store_mistake;

    explicit toy_store(toy_database& db) : db_(&db) {}
    toy_store(toy_store&& other) noexcept
        : db_(std::exchange(other.db_, nullptr)),
          busy_(other.busy_),
          cached_(std::move(other.cached_)) {}
    toy_store& operator=(toy_store&&) = delete;
    ~toy_store() {
        if (db_ == nullptr) {
            return;
        }
        if (db_->wrong == mistake::forgets_when_closed) {
            db_->committed = {};
        }
        db_->durable = db_->committed;
    }

    toy_transaction begin(steady_time) {
        if (*busy_ && db_->wrong != mistake::begins_twice) {
            throw usage_error("a transaction is open");
        }
        if (db_->locked && !*busy_ && db_->wrong != mistake::takes_no_lock &&
            db_->wrong != mistake::dirty_reads) {
            if (db_->wrong == mistake::waits_too_long) {
                db_->time.pass(std::chrono::hours(1));
            }
            throw unavailable_error("locked", "another writes");
        }
        return {*db_, busy_};
    }

    key_progress progress(std::string_view consumer, std::string_view key, steady_time) {
        const std::pair<std::string, std::string> at{consumer, key};
        if (db_->wrong == mistake::progress_waits && db_->locked && !*busy_) {
            throw unavailable_error("locked", "another writes");
        }
        if (db_->wrong == mistake::progress_is_cached && cached_) {
            return *cached_;
        }
        cached_ = db_->committed.progress[at];
        return db_->wrong == mistake::progress_of_the_transaction && *busy_ ? key_progress(3)
                                                                            : *cached_;
    }

private:
    toy_database* db_;
    std::shared_ptr<bool> busy_ = std::make_shared<bool>(false);
    std::optional<key_progress> cached_{};
};

/// Its environment.
struct toy_store_environment {
    std::unique_ptr<toy_database> db = std::make_unique<toy_database>();

    explicit toy_store_environment(store_mistake wrong) { db->wrong = wrong; }
    [[nodiscard]] steady_time now() const { return db->time.now(); }
    void pass(duration span) { db->time.pass(span); }
    [[nodiscard]] toy_store open() const { return toy_store(*db); }
    void put(toy_transaction& tx, std::string_view key, std::string_view text) const {
        tx.put(key, text);
    }
    [[nodiscard]] std::optional<std::string> get(toy_transaction& tx, std::string_view key) const {
        return tx.get(key);
    }
    void lose_reply() { db->reply_is_lost = true; }
    void crash() {
        db->committed = db->durable;
        db->locked = false;
    }
};

}  // namespace sinew::test
