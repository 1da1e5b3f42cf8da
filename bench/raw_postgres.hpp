// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// libpq, as somebody uses it who writes for speed alone: prepared statements, values in binary.

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace sinew::bench {

struct postgres_closer {
    void operator()(PGconn* one) const noexcept { PQfinish(one); }
    void operator()(PGresult* one) const noexcept { PQclear(one); }
};
using postgres_result = std::unique_ptr<PGresult, postgres_closer>;

class raw_postgres {
public:
    explicit raw_postgres(const std::string& conninfo) : line_(PQconnectdb(conninfo.c_str())) {
        if (PQstatus(line_.get()) != CONNECTION_OK) {
            throw std::runtime_error(PQerrorMessage(line_.get()));
        }
    }

    void run(const std::string& sql) const {
        check(postgres_result(PQexec(line_.get(), sql.c_str())), PGRES_COMMAND_OK);
    }
    void prepare(const char* name, const std::string& sql) const {
        check(postgres_result(PQprepare(line_.get(), name, sql.c_str(), 0, nullptr)),
              PGRES_COMMAND_OK);
    }
    [[nodiscard]] postgres_result ask(const char* name, const std::vector<std::string>& values,
                                      ExecStatusType good) const {
        std::vector<const char*> starts;
        std::vector<int> sizes;
        for (const auto& one : values) {
            starts.push_back(one.data());
            sizes.push_back(static_cast<int>(one.size()));
        }
        const std::vector<int> binary(values.size(), 1);
        postgres_result got(PQexecPrepared(line_.get(), name, static_cast<int>(values.size()),
                                           starts.data(), sizes.data(), binary.data(), 1));
        check(got, good);
        return got;
    }

private:
    void check(const postgres_result& got, ExecStatusType good) const {
        if (PQresultStatus(got.get()) != good) {
            throw std::runtime_error(PQerrorMessage(line_.get()));
        }
    }

    std::unique_ptr<PGconn, postgres_closer> line_;
};

/// A number as the protocol has it.
template <class T>
void append_binary(std::string& to, T value) {
    char room[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        room[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * (sizeof(T) - 1 - i)) &
                                    0xffU);
    }
    to.append(room, sizeof(T));
}
[[nodiscard]] inline std::string binary(std::int64_t value) {
    std::string out;
    append_binary(out, value);
    return out;
}

}  // namespace sinew::bench
