// SPDX-License-Identifier: BSL-1.0
//
// A command goes out through an outbox.
//
// expect: a step sends a command, and the runner has no outbox

#include <sinew/adapters/memory.hpp>
#include <sinew/process/runner.hpp>
#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose(sinew::memory::store& db) {
    using namespace sinew;
    auto process = steps<"fulfil", std::string>(step<"points">([](auto&) {
                                                    return send({.type = "points.add"});
                                                }).reply([](auto&, std::string_view) {}));
#ifdef SINEW_MISTAKE
    runner one(db, db.journal("orders"), {.owner = "runner-1"}, process);
#else
    runner one(db, db.journal("orders"), db.outbox("commands"), {.owner = "runner-1"}, process);
#endif
    static_cast<void>(one);
}

}  // namespace

int main() {
    sinew::memory::store db;
    compose(db);
}
