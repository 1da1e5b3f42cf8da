// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Dead letters without the events' headers, in which the last one who moves an entry wins.

#include "conformance/environments.hpp"

namespace sinew::test::broken {

class dead_letters_without_versions : public memory::dead_letters {
public:
    explicit dead_letters_without_versions(const memory::dead_letters& inner)
        : memory::dead_letters(inner) {}

    put_result put(const dead_letter_record& letter, steady_time until) {
        auto without = letter;
        without.original.headers.clear();  // The first mistake: there is no column for them.
        return memory::dead_letters::put(without, until);
    }
    bool move(std::int64_t number, std::uint64_t version, dead_letter_state to,
              const failure_note* note) {
        // The second mistake: UPDATE ... WHERE number = ?, and no word of the version.
        for (const auto& one : find({}, number - 1, 1)) {
            version = one.number == number ? one.version : version;
        }
        return memory::dead_letters::move(number, version, to, note);
    }
};

struct letters_without_versions {
    memory::store db;

    dead_letters_without_versions open() const {
        return dead_letters_without_versions(db.dead_letters());
    }
};

}  // namespace sinew::test::broken
