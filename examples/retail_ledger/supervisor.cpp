// SPDX-License-Identifier: BSL-1.0
#include "supervisor.hpp"

#include "invoice_file.hpp"
#include "kill_plan.hpp"
#include "ledger.hpp"
#include "plain_pass.hpp"
#include "report.hpp"
#include "run_folder.hpp"
#include "shared_counts.hpp"

#include <shared/child_process.hpp>
#include <sinew/consume/triage.hpp>
#include <sinew/core/time.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include <unistd.h>

namespace retail {

namespace {

using namespace std::chrono_literals;

/// Set by Ctrl-C.
volatile std::sig_atomic_t asked_to_end = 0;

/// Waits a little between two looks at a run.
void pause_for(sinew::duration span) {
    std::this_thread::sleep_for(span);
    if (asked_to_end != 0) {
        throw interrupted();
    }
}

/// The folder of a run. One that was made for the run alone goes with it, unless it is to be kept.
class folder_of_run {
public:
    explicit folder_of_run(const demo_options& options)
        : is_mine_(options.folder.empty()), keep_(options.keep || !is_mine_) {
        if (is_mine_) {
            std::string name = (std::filesystem::temp_directory_path() / "retail_ledger.XXXXXX");
            if (::mkdtemp(name.data()) == nullptr) {
                refuse(name, std::error_code(errno, std::generic_category()));
            }
            files_.path = name;
        } else {
            std::error_code problem;
            std::filesystem::create_directories(options.folder, problem);
            if (problem) {
                refuse(options.folder, problem);
            }
            files_.path = options.folder;
            for (const auto& file : {files_.log(), files_.ledger(), files_.counts()}) {
                if (std::filesystem::exists(file)) {
                    throw run_error(file +
                                    " is there already, from an earlier run; name another "
                                    "folder, or remove it");
                }
            }
        }
    }
    folder_of_run(const folder_of_run&) = delete;
    folder_of_run& operator=(const folder_of_run&) = delete;
    ~folder_of_run() {
        std::error_code ignored;
        if (!keep_) {
            std::filesystem::remove_all(files_.path, ignored);
        }
    }

    [[nodiscard]] const run_folder& files() const noexcept { return files_; }
    [[nodiscard]] bool is_kept() const noexcept { return keep_; }

private:
    [[noreturn]] static void refuse(const std::string& folder, std::error_code problem) {
        throw run_error("the folder " + folder + " cannot be made: " + problem.message());
    }

    run_folder files_;
    bool is_mine_;
    bool keep_;
};

/// Ends a run that does not come on any more.
class watchdog {
public:
    static constexpr sinew::duration patience = 20s;

    /// `seen`: any number that grows as long as the run comes on.
    void look(std::uint64_t seen) {
        const auto now = sinew::machine_clock::now().steady;
        if (seen != seen_) {
            seen_ = seen;
            since_ = now;
        } else if (now - since_ > patience) {
            throw run_error("nothing has happened for 20 s; giving up");
        }
    }

private:
    std::uint64_t seen_ = 0;
    sinew::steady_time since_ = sinew::machine_clock::now().steady;
};

/// The consumer's process. It is started again whenever it is gone, but not for ever if it cannot
/// do anything.
class kept_alive {
public:
    /// So many times in a row it may end by itself without having settled anything.
    static constexpr int useless_ends_max = 3;

    kept_alive(std::vector<std::string> arguments, std::int64_t settled)
        : arguments_(std::move(arguments)), process_(arguments_), before_(settled) {}

    /// How many lines were settled when it was started.
    [[nodiscard]] std::int64_t before() const noexcept { return before_; }

    void kill() { process_.kill(); }

    void start(std::int64_t settled) {
        process_ = example::child_process(arguments_);
        before_ = settled;
    }

    /// Starts it again if it has ended by itself.
    void look(std::int64_t settled) {
        const auto end = process_.ended();
        if (!end) {
            return;
        }
        fmt::print(stderr, "the consumer ended by itself: {}\n", example::describe(*end));
        useless_ends_ = settled > before_ ? 1 : useless_ends_ + 1;
        if (useless_ends_ == useless_ends_max) {
            throw run_error(
                "the consumer ended by itself 3 times in a row without having done "
                "anything; what it said stands above");
        }
        start(settled);
    }

    void stop() {
        process_.ask_to_stop();
        const auto end = process_.wait(sinew::machine_clock::now().steady + 15s);
        // By the signal itself: it was started a moment ago, and did not yet listen for it.
        const bool stopped = end && (end->is_good() || end->signal == SIGTERM);
        if (!stopped) {
            throw run_error("the consumer did not stop as asked: " +
                            (end ? example::describe(*end) : std::string("it still runs")));
        }
    }

private:
    std::vector<std::string> arguments_;
    example::child_process process_;
    std::int64_t before_;
    int useless_ends_ = 0;
};

/// One run of the demonstration.
class demo {
public:
    explicit demo(const demo_options& options)
        : options_(options),
          expected_(plain_pass(read_invoice_file(options.input))),
          folder_(options),
          all_(shared_counts::create(folder_.files().counts())),
          log_(open_log(folder_.files())),
          db_(open_ledger(folder_.files())) {}

    int run() {
        fmt::print("{} lines of {}, seed {}\n", grouped(expected_.lines), options_.input,
                   options_.seed);
        if (folder_.is_kept()) {
            fmt::print("Log and ledger are in {}\n", folder_.files().path);
        }
        consume_under_fire();
        const books before = read_books(db_);
        const ledger_state state_before = look_at(db_);
        show_dead_letters();
        const std::size_t asked = replay();
        fmt::print("\nThe corrected handler takes goods without a price; replayed: {}\n",
                   grouped(static_cast<std::int64_t>(asked)));
        compare("before the replay", before, state_before, expected_.before,
                expected_.malformed + expected_.unpriced);
        compare("after the replay", read_books(db_), look_at(db_), expected_.after,
                expected_.malformed + expected_.negative);
        compare_ordeal();
        say_where();
        return found_.mismatches();
    }

private:
    [[nodiscard]] std::vector<std::string> arguments(const char* command) const {
        return {command, "--folder", folder_.files().path};
    }

    [[nodiscard]] std::vector<std::string> producer_arguments() const {
        auto all = arguments("produce");
        for (const auto& one :
             {std::string("--input"), options_.input, std::string("--seed"),
              std::to_string(options_.seed), std::string("--kills"), std::to_string(options_.kills),
              std::string("--seconds"), std::to_string(options_.seconds)}) {
            all.push_back(one);
        }
        return all;
    }

    [[nodiscard]] std::vector<std::string> consumer_arguments(goods_policy policy) const {
        auto all = arguments("consume");
        if (policy == goods_policy::free) {
            all.push_back("--take-free-goods");
        }
        return all;
    }

    /// Producer and consumer run side by side, and the consumer is killed again and again, until
    /// every line is settled.
    void consume_under_fire() {
        example::child_process producer(producer_arguments());
        kept_alive consumer(consumer_arguments(goods_policy::priced), 0);
        kill_plan plan(options_.kills, expected_.lines, options_.seed);
        progress shown(expected_.lines);
        watchdog dog;
        bool all_sent = false;
        for (;;) {
            const std::int64_t settled = look_at(db_).settled();
            shown.show(settled, plan.done());
            dog.look(static_cast<std::uint64_t>(settled) + plan.done() + all_->events +
                     all_->copies + all_->duplicates);
            if (const auto end = producer.ended(); end && !all_sent) {
                if (!end->is_good()) {
                    throw run_error("the producer ended with " + example::describe(*end));
                }
                all_sent = true;
            }
            consumer.look(settled);
            if (plan.is_due(settled, consumer.before())) {
                pause_for(plan.take());
                kill(consumer);
            } else if (all_sent && plan.is_done() && settled >= expected_.lines &&
                       is_read_to_its_end(log_)) {
                break;
            }
            pause_for(1ms);
        }
        consumer.stop();
    }

    void kill(kept_alive& consumer) {
        consumer.kill();
        const std::int64_t settled = look_at(db_).settled();
        ++all_->kills;
        amid_work_ += settled < static_cast<std::int64_t>(all_->events.load()) ? 1 : 0;
        consumer.start(settled);
    }

    /// What a person would do now: look which dead letters there are, and why.
    void show_dead_letters() {
        auto letters = db_.dead_letters();
        fmt::print("\nDead letters\n");
        for (const auto& one : sinew::triage::count(letters, {.consumer = group})) {
            fmt::print("  {:<20} {:<16} {:<10} {:>6}\n", printable(one.reason, 20),
                       printable(one.type, 16), sinew::to_string(one.state), one.entries);
            const auto first = sinew::triage::list(
                letters, {.consumer = group, .reason = one.reason, .state = one.state}, 0, 1);
            for (const auto& entry : first) {
                const auto& letter = entry.letter;
                const std::string& why = letter.history.back().detail;
                fmt::print("    such as line {}: {}{}{}\n", printable(letter.original.id, 20),
                           printable(letter.original.data, 60), why.empty() ? "" : "\n      ",
                           printable(why, 70));
            }
        }
    }

    /// Asks for the replay of what the first handler rejected, and lets a consumer with the
    /// corrected one do it. Answers how many were asked for.
    std::size_t replay() {
        const auto asked =
            sinew::triage::replay(db_.dead_letters(), {.consumer = group, .reason = not_positive});
        kept_alive consumer(consumer_arguments(goods_policy::free), 0);
        watchdog dog;
        for (;;) {
            const ledger_state state = look_at(db_);
            if (state.to_replay == 0) {
                break;
            }
            dog.look(static_cast<std::uint64_t>(state.to_replay));
            consumer.look(state.applied);
            pause_for(1ms);
        }
        consumer.stop();
        return asked.changed;
    }

    void compare(std::string_view when, const books& found, const ledger_state& state,
                 const books& wanted, std::int64_t dead_letters) {
        const totals sum = sum_of(found);
        const totals right = sum_of(wanted);
        found_.title(when, "plain pass");
        found_.equal("applied", state.applied, right.lines);
        found_.equal("dead letters", state.dead_letters, dead_letters);
        found_.equal("together: events in", state.settled(),
                     static_cast<std::int64_t>(all_->events.load()));
        found_.equal("units", sum.units, right.units);
        found_.equal_money("revenue", sum.pence, right.pence);
        found_.equal("stock codes", static_cast<std::int64_t>(found.size()),
                     static_cast<std::int64_t>(wanted.size()));
        found_.equal("with equal sums and order", count_equal(found, wanted),
                     static_cast<std::int64_t>(wanted.size()));
    }

    void compare_ordeal() {
        const auto number = [](const counts::number& one) {
            return static_cast<std::int64_t>(one.load());
        };
        // A file of any length is disordered and doubled somewhere; a few lines need not be.
        const std::int64_t least = expected_.lines >= 1000 ? 1 : 0;
        found_.title("what it went through", "has to be");
        found_.equal("events in", number(all_->events), expected_.lines);
        found_.at_least("duplicates suppressed", number(all_->duplicates),
                        std::max(least, number(all_->copies)));
        found_.at_least("put back in order", number(all_->held),
                        std::max(least, number(all_->overtaken)));
        found_.equal("kills survived", number(all_->kills),
                     static_cast<std::int64_t>(options_.kills));
        found_.at_least("of these, amid work", amid_work_, options_.kills >= 25 ? least : 0);
    }

    void say_where() const {
        if (folder_.is_kept()) {
            fmt::print(
                "\nThe ledger is kept. To look at it, for example:\n"
                "  sqlite3 {} 'SELECT * FROM stock ORDER BY pence DESC LIMIT 10'\n",
                folder_.files().ledger());
        }
    }

    demo_options options_;
    expectation expected_;
    folder_of_run folder_;
    shared_counts all_;
    sinew::sqlite::log log_;
    sinew::sqlite::store db_;
    comparison found_;
    std::int64_t amid_work_ = 0;  ///< kills that came while lines in the log were not settled
};

}  // namespace

int run_demo(const demo_options& options) {
    std::signal(SIGINT, [](int) { asked_to_end = 1; });
    std::signal(SIGTERM, [](int) { asked_to_end = 1; });
    std::signal(SIGPIPE,
                SIG_IGN);  // whoever reads the output may leave; the folder is still removed
    demo one(options);
    return one.run();
}

}  // namespace retail
