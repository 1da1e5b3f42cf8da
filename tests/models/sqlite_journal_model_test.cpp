// SPDX-License-Identifier: BSL-1.0
#include "adapters/sqlite_support.hpp"
#include "support/test.hpp"

#include <sinew/adapters/memory/store.hpp>
#include <sinew/adapters/sqlite/store.hpp>
#include <sinew/core/journal.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace memory = sinew::memory;
namespace sqlite = sinew::sqlite;
using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr shard_id seats = 3;
constexpr journal_options few{.seats = seats, .early_replies_max = 3};
constexpr std::array<std::string_view, 2> types{"order", "refund"};
constexpr std::array<std::string_view, 3> ids{"x", "y", "z"};

/// One journal, and what somebody remembers who works with it. Both sides of a comparison are of
/// this form.
template <class Store>
class side {
public:
    explicit side(Store store) : store_(std::move(store)), book_(store_.journal("book", few)) {
        for (shard_id seat = 0; seat < seats; ++seat) {
            leases_[seat] = book_.take(book_.holder(seat), "r").value();
        }
    }

    struct move {
        std::uint8_t what = 0;
        std::uint8_t a = 0;
        std::uint8_t b = 0;
    };

    /// Does what the move says, and tells what came, but for numbers, which each side has its own
    /// of.
    std::string play(const move& m, wall_time now) {
        now_ = now;
        const auto type = types[m.a % 2];
        const auto id = ids[m.a / 2 % 3];
        const step_address step{m.b % 2 == 0 ? "s0" : "s1", step_phase::act};
        switch (m.what % 16) {
            case 0:
            case 1: return start(type, id, m.b);
            case 2:
            case 3: return reply(type, id, step, m.b);
            case 4: return cancel(type, id, m.b);
            case 5:
            case 6:
            case 7: return claim(m.a, m.b);
            case 8:
            case 9: return write({some_write(type, id, step, m.b)}, m.b);
            case 10:
                return write({some_write(type, id, step, m.b),
                              some_write(types[(m.a + 1U) % 2], id, step, m.b / 2)},
                             m.b);
            case 11: return write_in_transaction(some_write(type, id, step, m.b), m.b);
            case 12: return decide(type, id, step, m.b);
            case 13: return sweep(m.a % seats, m.b);
            case 14: return purge(m.b);
            default: return {};
        }
    }

    [[nodiscard]] std::string show_all() {
        std::string out;
        for (const auto type : types) {
            for (const auto id : ids) {
                const auto found = book_.find(type, id);
                out += found ? show(*found) : "-";
                out += '\n';
            }
        }
        for (const auto& one : book_.stuck(now_, INT64_MIN, 4)) {
            out += one.id + " " + std::to_string(one.steps.size()) + ", ";
        }
        const auto counts = book_.counts();
        for (const auto one : {counts.open, counts.parked, counts.early_replies}) {
            out += std::to_string(one) + " ";
        }
        return out;
    }

private:
    static std::string at(wall_time time) {
        return std::to_string(time.time_since_epoch().count());
    }
    static std::string show(const std::optional<failure_note>& note) {
        return note ? note->reason + "@" + at(note->at) : "-";
    }
    static std::string show(const journal_entry& e) {
        const auto& w = e.what;
        std::string out = w.id + " e" + std::to_string(w.epoch) + " " + w.input + " " +
                          std::string(to_string(w.state)) + " " + at(w.started) + " " +
                          at(w.since) + " " + show(w.cancelled) + " " + show(w.why) + " u" +
                          std::to_string(e.unsettled) + " " + e.reply.value_or("-");
        if (w.progress) {
            out += " p:" + w.progress->where.step + std::to_string(w.progress->attempts) +
                   std::to_string(w.progress->starts) + show(w.progress->last_failure);
        }
        if (w.wait) {
            out += " w:" + at(w.wait->time.from) + "-" + at(w.wait->time.due) +
                   (w.wait->reply ? w.wait->reply->step : "");
        }
        for (const auto& one : e.history) {
            out += " [" + one.where.step + std::string(to_string(one.kind)) + at(one.at) +
                   one.result + show(one.why) + "]";
        }
        return out;
    }

    std::string start(std::string_view type, std::string_view id, std::uint8_t b) {
        const std::vector<step_entry> steps(b % 3 + 1U, step_entry{"s", step_kind::pivot});
        std::vector<step_entry> named;
        for (const auto& one : steps) {
            named.push_back({one.name + std::to_string(named.size()), one.kind});
        }
        auto tx = store_.begin();
        const auto came = book_.start(tx, {type, id, named, b % 8 == 7 ? "b" : "a"}, now_);
        return std::string(to_string(came)) + end(tx, b);
    }
    std::string reply(std::string_view type, std::string_view id, const step_address& to,
                      std::uint8_t b) {
        auto tx = store_.begin();
        const std::string data = "r" + std::to_string(b);
        const auto came = book_.reply(tx, {type, id, to, data}, now_);
        return std::string(to_string(came)) + end(tx, b);
    }
    std::string cancel(std::string_view type, std::string_view id, std::uint8_t b) {
        auto tx = store_.begin();
        const bool came = book_.cancel(tx, type, id, note("c" + std::to_string(b)));
        return (came ? "yes" : "no") + end(tx, b);
    }
    template <class Tx>
    static std::string end(Tx& tx, std::uint8_t b) {
        if (b % 16 == 9) {
            tx.rollback();
            return ", rolled back";
        }
        return tx.commit() == commit_result::committed ? "" : ", aborted";
    }

    std::string claim(std::uint8_t a, std::uint8_t b) {
        const std::array<std::string_view, 3> some{types[a % 2], types[b % 2], "unknown"};
        const auto came = book_.claim(leases_[a % seats], some, now_, b % 4);
        std::string out = came ? "" : "ended";
        for (const auto& one : came.value_or(std::vector<journal_entry>())) {
            out += one.what.type + " " + show(one) + "; ";
            held_[{one.what.type, one.what.id}] = one;
        }
        return out;
    }

    /// What somebody would write of the instance that was claimed last.
    [[nodiscard]] journal_write some_write(std::string_view type, std::string_view id,
                                           const step_address& where, std::uint8_t b) {
        const auto found = held_.find({std::string(type), std::string(id)});
        if (found == held_.end()) {
            return {.claim = {-1, 7}};
        }
        journal_write out{.claim = claim_of(found->second.what),
                          .known = found->second.history.size()};
        for (unsigned i = 0; i < b / 4U % 3; ++i) {
            step_record one{.where = where, .kind = static_cast<record_kind>(b / 16 % 4)};
            one.at = b % 5 == 0 ? now_ - 1s : now_;
            one.result = std::string(b % 3, 'x');
            if (one.kind == record_kind::failed) {
                one.why = note("f");
            }
            out.records.push_back(one);
        }
        if (b % 7 == 0) {
            out.progress = step_progress{.where = where, .attempts = b % 4U, .starts = 1};
            out.progress->last_failure = note("p");
        }
        constexpr std::array ends{claim_end::none,     claim_end::released,   claim_end::released,
                                  claim_end::none,     claim_end::released,   claim_end::parked,
                                  claim_end::released, claim_end::none,       claim_end::completed,
                                  claim_end::none,     claim_end::compensated};
        out.end = ends[b % ends.size()];
        if (out.end == claim_end::parked) {
            out.why = note("w");
        }
        if (b % 3 != 0) {
            out.wait = instance_wait{put_off_by(now_, std::chrono::seconds(b % 8)), std::nullopt};
            if (b % 3 == 1) {
                out.wait->reply = where;
            }
        }
        return out;
    }
    /// As a runner would, that sometimes repeats itself and sometimes does not notice its answer.
    void note_written(const journal_write& one, std::uint8_t b) {
        if (b % 6 == 5) {
            return;
        }
        for (auto& [name, entry] : held_) {
            if (claim_of(entry.what) == one.claim) {
                entry.history.insert(entry.history.end(), one.records.begin(), one.records.end());
            }
        }
    }
    std::string write(const std::vector<journal_write>& all, std::uint8_t b) {
        std::string out;
        const auto came = book_.write(all, now_);
        for (std::size_t i = 0; i < came.size(); ++i) {
            out += std::string(to_string(came[i].how)) + (came[i].is_cancelled ? "!" : "") + " ";
            if (came[i].how == fenced_result::done) {
                note_written(all[i], b);
            }
        }
        return out;
    }
    std::string write_in_transaction(const journal_write& one, std::uint8_t b) {
        auto tx = store_.begin();
        const auto came = book_.write(tx, one, now_);
        std::string out = std::string(to_string(came.how)) + (came.is_cancelled ? "!" : "");
        if (came.how == fenced_result::done && b % 4 != 0 &&
            tx.commit() == commit_result::committed) {
            note_written(one, b);
            out += ", committed";
        }
        return out;
    }

    std::string decide(std::string_view type, std::string_view id, const step_address& where,
                       std::uint8_t b) {
        const auto found = book_.find(type, id);
        if (!found) {
            return "nothing";
        }
        constexpr std::array becomes{instance_state::open, instance_state::open,
                                     instance_state::parked, instance_state::abandoned};
        desk_decision d{.becomes = becomes[b % 4], .why = note("d")};
        if (b % 3 == 0) {
            d.records.push_back({.where = where, .kind = static_cast<record_kind>(b / 8 % 4)});
        }
        const auto epoch = found->what.epoch + (b % 16 == 13 ? 1U : 0U);
        return book_.decide(found->what.number, epoch, d, now_) ? "decided" : "not";
    }

    std::string sweep(shard_id seat, std::uint8_t b) {
        std::string out;
        auto& lease = leases_[seat];
        if (b % 3 != 0) {
            out += to_string(book_.release(lease));
        }
        if (b % 3 != 1) {
            if (const auto taken = book_.take(book_.holder(seat), "s" + std::to_string(b))) {
                lease = *taken;
            }
            out += std::to_string(lease.epoch);
        }
        return out + std::string(to_string(book_.renew(lease)));
    }
    std::string purge(std::uint8_t b) {
        const auto than = now_ - std::chrono::seconds(b % 8);
        return b % 2 == 0 ? std::to_string(book_.purge(than, 100))
                          : std::to_string(book_.purge_replies(than, 100));
    }

    [[nodiscard]] failure_note note(std::string reason) const {
        return {now_, failure_class::transient, 1, std::move(reason), "detail"};
    }

    Store store_;
    decltype(std::declval<Store&>().journal("book", few)) book_;
    std::array<shard_lease, seats> leases_{};
    std::map<std::pair<std::string, std::string>, journal_entry> held_{};
    wall_time now_{};
};

}  // namespace

TEST_CASE("sqlite: a journal answers as the one in memory does, whatever happens to it") {
    sinew::test::temp_folder folder;
    int files = 0;
    sinew::test::prop("the same tape, the same answers", [&] {
        const auto tape =
            *rc::gen::container<std::vector<std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>>>(
                rc::gen::arbitrary<std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>>());
        const memory::database data;
        side expected{memory::store(data)};
        side real{sqlite::store(folder.file(std::to_string(++files)),
                                {.synchronous = sqlite::synchronous::normal})};
        wall_time now(std::chrono::hours(24) * 20'000);
        for (const auto& [what, a, b] : tape) {
            if (what % 16 == 15) {
                now += std::chrono::seconds(b % 16) - 5s;
            }
            const auto wanted = expected.play({what, a, b}, now);
            RC_ASSERT(real.play({what, a, b}, now) == wanted);
            RC_ASSERT(real.show_all() == expected.show_all());
        }
    });
}
