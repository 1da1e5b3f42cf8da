// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a runner reaches in a `process_world`, in one life of its process.

#include <sinew/adapters/memory/journal.hpp>
#include <sinew/adapters/memory/outbox.hpp>
#include <sinew/adapters/memory/store.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/testing/faulty_journal.hpp>
#include <sinew/testing/faulty_outbox.hpp>
#include <sinew/testing/faulty_store.hpp>
#include <sinew/testing/runner_watch.hpp>
#include <sinew/testing/scripted_process.hpp>
#include <sinew/testing/world.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::testing {

class process_world;

/// A handle on the journal that tells a runner when something was started. Its world wakes the
/// runner then, so that nobody really waits.
class waking_book : public faulty_journal<memory::journal> {
public:
    waking_book(faulty_journal<memory::journal> book, bool& rung)
        : faulty_journal<memory::journal>(std::move(book)), rung_(&rung) {}

    [[nodiscard]] bool wait_for_due(steady_time /*until*/) { return std::exchange(*rung_, false); }

private:
    bool* rung_;
};

/// What a runner is made of, in one life of its process.
class runner_ports {
public:
    using store_type = faulty_store<memory::store>;
    using transaction = store_type::transaction_type;
    using journal_type = faulty_journal<memory::journal>;
    using outbox_type = faulty_outbox<memory::outbox>;
    using process_type = scripted_process<runner_ports>;

    runner_ports(process& owner, process_world& world);
    runner_ports(const runner_ports&) = delete;
    runner_ports& operator=(const runner_ports&) = delete;
    ~runner_ports();

    process& self;
    process_world& home;
    runner_watch watch;
    memory::store connection;
    store_type store;

    /// A handle on the journal, one that wakes, and one on the outbox.
    [[nodiscard]] journal_type book();
    [[nodiscard]] testing::waking_book waking_book();
    [[nodiscard]] outbox_type box();
    /// A process that does what is written.
    [[nodiscard]] process_type does(shared_script of) { return {*this, std::move(of)}; }
    /// What the runner has to keep to.
    template <class Options>
    void keeps_to(const Options& o) {
        watch.bounds = {o.lease, o.instances_max + o.ahead_max, o.purge_max, o.call_timeout,
                        o.retention};
    }

    /// There is something to claim.
    void ring();
    [[nodiscard]] bool wakes() const noexcept { return wakes_; }

    // What scripted processes ask: see scripted_process.hpp.
    std::optional<failure> begins(const attempt_info& at, std::string_view step);
    void joins(const attempt_info& at, std::string_view step, transaction& tx);
    std::optional<failure> calls(const attempt_info& at, std::string_view step);
    std::optional<failure> replied(const attempt_info& at, std::string_view step);
    [[nodiscard]] std::string result_of(const attempt_info& at, std::string_view step) const;

private:
    /// Tells the world of commands that are committed.
    class mailbox : public outbox_witness {
    public:
        explicit mailbox(process_world& home) : home_(home) {}
        void added(const event& e, std::uint64_t sequence) override;

    private:
        process_world& home_;
    };

    mailbox mailbox_;
    bool wakes_ = false;
    bool rung_ = false;
};

}  // namespace sinew::testing
