// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How values get into statements and out of rows, in PostgreSQL's binary format.
///
/// | C++ | bound as | read from |
/// | --- | --- | --- |
/// | `bool` | boolean | boolean |
/// | integers of up to 31 bits | integer | smallint, integer, bigint, numeric, oid: in range |
/// | other integers | bigint; a 64-bit unsigned one by its bit pattern | the same |
/// | `float`, `double` | double precision | the same, real, double precision |
/// | `std::string`, `std::string_view`, `const char*` | text | text, varchar, char, name, json, bytea |
/// | `bytes_view`, `bytea` | bytea | text and bytea |
/// | `wall_time` | timestamptz | timestamptz, timestamp; bigint as microseconds since 1970 |
/// | `std::optional<T>` | NULL or as `T` | NULL or as `T` |
/// | `nullptr`, `std::nullopt` | NULL | |
///
/// Where PostgreSQL wants another type, the statement says so: `$1::jsonb`, `total::text`.
///
/// **Guarantees.** Values are never part of the statement's text. Bytes come back as they went in.
/// **Bounds.** Binding copies nothing but numbers: a value has to live until the statement was
/// sent.

#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <array>
#include <bit>
#include <climits>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sinew::postgres {

/// Text that is to be bound as bytes.
struct bytea {
    std::string_view bytes;
};

namespace detail {

/// PostgreSQL's numbers of its types, which never change.
enum class type : Oid {
    inferred = 0,
    boolean = 16,
    bytes = 17,
    character = 18,
    name = 19,
    int8 = 20,
    int2 = 21,
    int4 = 23,
    text = 25,
    oid = 26,
    json = 114,
    float4 = 700,
    float8 = 701,
    unknown = 705,
    bools = 1000,
    byteas = 1001,
    int8s = 1016,
    bpchar = 1042,
    varchar = 1043,
    timestamp = 1114,
    timestamptz = 1184,
    numeric = 1700,
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// An array, encoded already.
struct array_value {
    type of = type::inferred;
    std::string_view bytes{};
};

/// Puts an integer down in network order.
template <class T>
void put_number(char* to, T value) noexcept {
    auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t i = sizeof(T); i-- > 0;) {
        to[i] = static_cast<char>(bits & 0xffU);
        if constexpr (sizeof(T) > 1) {
            bits >>= 8U;
        }
    }
}

template <class T>
[[nodiscard]] T take_number(const char* from) noexcept {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        bits = bits << 8U | static_cast<unsigned char>(from[i]);
    }
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(bits));
}

/// PostgreSQL counts from 2000-01-01.
inline constexpr std::int64_t epoch_shift = 946'684'800'000'000;

/// Values for the parameters of one run of a statement.
template <std::size_t N>
class parameters {
public:
    template <class... Args>
    explicit parameters(const Args&... args) {
        static_assert(sizeof...(Args) == N);
        std::size_t at = 0;
        (bind(at++, args), ...);
    }

    [[nodiscard]] static constexpr int count() noexcept { return static_cast<int>(N); }
    [[nodiscard]] const char* const* values() const noexcept { return values_.data(); }
    [[nodiscard]] const int* lengths() const noexcept { return lengths_.data(); }
    [[nodiscard]] const int* formats() const noexcept { return formats_.data(); }
    [[nodiscard]] const Oid* types() const noexcept { return types_.data(); }

private:
    template <class T>
    void bind(std::size_t at, const T& value) {
        formats_[at] = 1;
        if constexpr (is_optional<T>) {
            if (value) {
                bind(at, *value);
            } else {
                // The type has to be the same with a value and without one.
                using inner = typename T::value_type;
                if constexpr (std::is_default_constructible_v<inner>) {
                    bind(at, inner());
                }
                values_[at] = nullptr;
            }
        } else if constexpr (std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t>) {
            values_[at] = nullptr;
        } else if constexpr (std::same_as<T, bytea>) {
            give(at, type::bytes, value.bytes);
        } else if constexpr (std::same_as<T, array_value>) {
            give(at, value.of, value.bytes);
        } else if constexpr (std::same_as<T, wall_time>) {
            const std::int64_t micros = value.time_since_epoch().count();
            number(at, type::timestamptz,
                   micros < INT64_MIN + epoch_shift ? INT64_MIN : micros - epoch_shift);
        } else if constexpr (std::same_as<T, bool>) {
            number(at, type::boolean, static_cast<std::uint8_t>(value ? 1 : 0));
        } else if constexpr (std::integral<T>) {
            if constexpr (sizeof(T) < 4 || (sizeof(T) == 4 && std::is_signed_v<T>)) {
                number(at, type::int4, static_cast<std::int32_t>(value));
            } else {
                number(at, type::int8, static_cast<std::int64_t>(value));
            }
        } else if constexpr (std::floating_point<T>) {
            number(at, type::float8, std::bit_cast<std::uint64_t>(static_cast<double>(value)));
        } else if constexpr (std::convertible_to<const T&, std::string_view>) {
            give(at, type::text, std::string_view(value));
        } else if constexpr (std::convertible_to<const T&, bytes_view>) {
            give(at, type::bytes, as_text(value));
        } else {
            static_assert(std::same_as<T, void>,
                          "sinew: PostgreSQL takes integers, bool, floating-point numbers, text, "
                          "bytes_view, wall_time, nullptr and std::optional of these; convert the "
                          "value");
        }
    }

    template <class T>
    void number(std::size_t at, type as, T value) {
        put_number(room_[at].data(), value);
        types_[at] = static_cast<Oid>(as);
        values_[at] = room_[at].data();
        lengths_[at] = static_cast<int>(sizeof(T));
    }

    void give(std::size_t at, type as, std::string_view bytes) {
        if (bytes.size() > INT_MAX / 2) {
            throw too_big_error("postgres: a value of more than 1 GB. The values do not fit.");
        }
        types_[at] = static_cast<Oid>(as);
        values_[at] = bytes.data() == nullptr ? "" : bytes.data();
        lengths_[at] = static_cast<int>(bytes.size());
    }

    std::array<const char*, N> values_{};
    std::array<int, N> lengths_{};
    std::array<int, N> formats_{};
    std::array<Oid, N> types_{};
    std::array<std::array<char, 8>, N> room_{};
};

template <class... Args>
parameters(const Args&...) -> parameters<sizeof...(Args)>;

/// The bytes of a column; they live as long as the result.
[[nodiscard]] inline std::string_view column_bytes(const PGresult* from, int row, int at) noexcept {
    return {PQgetvalue(from, row, at), static_cast<std::size_t>(PQgetlength(from, row, at))};
}

/// A `numeric` as a whole number, or nothing if it is none that fits.
[[nodiscard]] inline std::optional<std::int64_t> whole_numeric(std::string_view bytes) noexcept {
    const auto word = [&](std::size_t at) {
        return take_number<std::int16_t>(bytes.data() + 2 * at);
    };
    if (bytes.size() < 8 || (word(2) != 0 && word(2) != 0x4000)) {
        return std::nullopt;  // NaN and the infinities have signs of their own
    }
    const int digits = word(0);
    const int weight = word(1);
    const bool negative = word(2) != 0;
    std::int64_t sum = 0;
    for (int i = 0; i < digits || i <= weight; ++i) {
        const std::int64_t digit = i < digits ? word(static_cast<std::size_t>(4 + i)) : 0;
        if (i > weight) {
            if (digit != 0) {
                return std::nullopt;
            }
            continue;
        }
        if (__builtin_mul_overflow(sum, 10'000, &sum) ||
            __builtin_add_overflow(sum, negative ? -digit : digit, &sum)) {
            return std::nullopt;
        }
    }
    return sum;
}

/// A `numeric` as a floating-point number.
[[nodiscard]] inline std::optional<double> real_numeric(std::string_view bytes) noexcept {
    const auto word = [&](std::size_t at) {
        return take_number<std::int16_t>(bytes.data() + 2 * at);
    };
    if (bytes.size() < 8 || (word(2) != 0 && word(2) != 0x4000)) {
        return std::nullopt;
    }
    double sum = 0;
    for (int i = 0; i < word(0); ++i) {
        sum = sum * 10'000 + word(static_cast<std::size_t>(4 + i));
    }
    for (int shift = word(1) + 1 - word(0); shift != 0; shift += shift > 0 ? -1 : 1) {
        sum = shift > 0 ? sum * 10'000 : sum / 10'000;
    }
    return word(2) != 0 ? -sum : sum;
}

[[nodiscard]] inline std::optional<std::int64_t> whole_number(type of, std::string_view bytes) {
    switch (of) {
        case type::int2: return take_number<std::int16_t>(bytes.data());
        case type::int4: return take_number<std::int32_t>(bytes.data());
        case type::oid: return take_number<std::uint32_t>(bytes.data());
        case type::int8: return take_number<std::int64_t>(bytes.data());
        case type::numeric: return whole_numeric(bytes);
        default: return std::nullopt;
    }
}

[[nodiscard]] inline std::optional<double> real_number(type of, std::string_view bytes) {
    if (of == type::float4) {
        return std::bit_cast<float>(take_number<std::uint32_t>(bytes.data()));
    }
    if (of == type::float8) {
        return std::bit_cast<double>(take_number<std::uint64_t>(bytes.data()));
    }
    if (of == type::numeric) {
        return real_numeric(bytes);
    }
    const auto whole = whole_number(of, bytes);
    return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
}

[[nodiscard]] constexpr bool is_text(type of) noexcept {
    return of == type::text || of == type::bytes || of == type::varchar || of == type::bpchar ||
           of == type::name || of == type::json || of == type::unknown || of == type::character;
}

/// The value of a column that is not NULL; nothing if its type cannot be read so.
template <class T>
[[nodiscard]] std::optional<T> value_of(type of, std::string_view bytes) {
    if constexpr (std::same_as<T, bool>) {
        return of == type::boolean ? std::optional<T>(bytes[0] != 0) : std::nullopt;
    } else if constexpr (std::integral<T>) {
        const auto number = whole_number(of, bytes);
        if (!number || (sizeof(T) < 8 && !std::in_range<T>(*number))) {
            return std::nullopt;
        }
        return static_cast<T>(*number);
    } else if constexpr (std::floating_point<T>) {
        const auto number = real_number(of, bytes);
        return number ? std::optional<T>(static_cast<T>(*number)) : std::nullopt;
    } else if constexpr (std::same_as<T, wall_time>) {
        std::int64_t micros = 0;
        if (of == type::int8) {
            return wall_time(wall_time::duration(take_number<std::int64_t>(bytes.data())));
        }
        if ((of != type::timestamptz && of != type::timestamp) ||
            __builtin_add_overflow(take_number<std::int64_t>(bytes.data()), epoch_shift, &micros)) {
            return std::nullopt;
        }
        return wall_time(wall_time::duration(micros));
    } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
        return is_text(of) ? std::optional<T>(T(bytes)) : std::nullopt;
    } else if constexpr (std::same_as<T, bytes_view>) {
        return is_text(of) ? std::optional<T>(as_bytes(bytes)) : std::nullopt;
    } else {
        static_assert(std::same_as<T, void>,
                      "sinew: a column is read as an integer, bool, a floating-point number, "
                      "std::string, wall_time, or std::optional of these; in for_each also as "
                      "std::string_view or bytes_view");
    }
}

/// A column of a row. **On failure.** Throws `sql_error` if it is NULL or of another type.
template <class T>
[[nodiscard]] T column(const PGresult* from, int row, int at) {
    const auto refuse = [&](std::string_view why, std::string_view advice) {
        throw sql_error(explain("a row", "column " + std::to_string(at + 1) + std::string(why), {},
                                {}, advice));
    };
    if (at >= PQnfields(from)) {
        refuse(" is not there", "Name as many types as the statement has columns.");
    }
    const bool is_null = PQgetisnull(from, row, at) != 0;
    if constexpr (is_optional<T>) {
        return is_null ? T() : T(column<typename T::value_type>(from, row, at));
    } else {
        if (is_null) {
            refuse(" is NULL", "Read it as std::optional.");
        }
        const auto of = static_cast<type>(PQftype(from, at));
        auto value = value_of<T>(of, column_bytes(from, row, at));
        if (!value) {
            refuse(
                " is of another type (" + std::to_string(PQftype(from, at)) + ") or out of range",
                "Cast it in the statement, as in total::bigint or payload::text.");
        }
        return *std::move(value);
    }
}

}  // namespace detail

}  // namespace sinew::postgres
