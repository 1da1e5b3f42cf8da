// SPDX-License-Identifier: BSL-1.0
#include "plain_pass.hpp"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace retail {

namespace {

/// What a line says, as far as the books want to know it.
struct entry {
    std::string stock_code;
    long long line = 0;
    long long units = 0;
    long long price = 0;
};

/// Whether the bytes are UTF-8: each lead byte with as many followers as it says, written in the
/// shortest way, no surrogates, nothing beyond U+10FFFF.
bool is_text(const std::string& line) {
    for (std::size_t i = 0; i < line.size();) {
        const unsigned lead = static_cast<unsigned char>(line[i]);
        const int more = lead < 0x80 ? 0 : lead >> 5U == 6 ? 1 : lead >> 4U == 14 ? 2 : 3;
        if (more == 3 && lead >> 3U != 30) {
            return false;
        }
        unsigned code = more == 0 ? lead : lead & (0x3fU >> static_cast<unsigned>(more));
        ++i;
        for (int k = 0; k < more; ++k, ++i) {
            if (i >= line.size() || static_cast<unsigned char>(line[i]) >> 6U != 2) {
                return false;
            }
            code = code << 6U | (static_cast<unsigned char>(line[i]) & 0x3fU);
        }
        const unsigned least[] = {0, 0x80, 0x800, 0x10000};
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
    }
    return true;
}

/// Splits at the commas that are not within quotes. False: the quotes are wrong.
bool split(const std::string& line, std::vector<std::string>& fields) {
    std::size_t i = 0;
    for (;;) {
        std::string field;
        if (i < line.size() && line[i] == '"') {
            for (++i;; ++i) {
                if (i >= line.size()) {
                    return false;
                }
                if (line[i] == '"' && (i + 1 == line.size() || line[i + 1] != '"')) {
                    break;
                }
                i += line[i] == '"' ? 1 : 0;
                field += line[i];
            }
            ++i;
            if (i < line.size() && line[i] != ',') {
                return false;
            }
        } else {
            for (; i < line.size() && line[i] != ','; ++i) {
                if (line[i] == '"') {
                    return false;
                }
                field += line[i];
            }
        }
        fields.push_back(field);
        if (i == line.size()) {
            return true;
        }
        ++i;
    }
}

/// Reads a number as so many hundredths. With `decimals` it may have a point; beyond the hundredths
/// there may only be zeros.
bool read_number(const std::string& text, bool decimals, long long& hundredths) {
    const bool minus = !text.empty() && text[0] == '-';
    std::size_t i = minus ? 1 : 0;
    long long value = 0;
    int before = 0;
    int behind = 0;
    bool point = false;
    for (; i < text.size(); ++i) {
        if (text[i] == '.' && decimals && !point) {
            point = true;
        } else if (text[i] < '0' || text[i] > '9' || (behind >= 2 && text[i] != '0')) {
            return false;
        } else {
            value = behind < 2 ? value * 10 + (text[i] - '0') : value;
            ++(point ? behind : before);
        }
        if (before > 7 || behind > 7) {
            return false;
        }
    }
    for (int k = behind; k < 2; ++k) {
        value *= 10;
    }
    hundredths = minus ? -value : value;
    return before > 0 && (behind > 0 || !point);
}

bool read_entry(const std::string& line, entry& into) {
    std::vector<std::string> fields;
    long long hundredths = 0;
    if (!is_text(line) || !split(line, fields) || fields.size() != 8 || fields[1].empty() ||
        !read_number(fields[3], false, hundredths) || !read_number(fields[5], true, into.price)) {
        return false;
    }
    into.units = hundredths / 100;
    into.stock_code = fields[1];
    return true;
}

/// The totals over all accounts, watched for overflow.
struct checked_sums {
    long long units = 0;
    long long pence = 0;
};

void book(books& all, checked_sums& sums, const entry& one) {
    const long long pence = one.units * one.price;
    if (__builtin_add_overflow(sums.units, one.units < 0 ? -one.units : one.units, &sums.units) ||
        __builtin_add_overflow(sums.pence, pence < 0 ? -pence : pence, &sums.pence)) {
        throw std::overflow_error("the sums of the file do not fit into 64 bits");
    }
    account& to = all[one.stock_code];
    to.lines += 1;
    to.units += one.units;
    to.pence += pence;
    to.trail = (to.trail * account::trail_factor + one.line) % account::trail_modulus;
}

}  // namespace

expectation plain_pass(std::string_view file) {
    expectation found;
    checked_sums sums;
    std::vector<entry> free_goods;
    std::string line;
    long long number = 1;
    for (std::size_t i = 0; i < file.size(); ++i) {
        if (file[i] != '\n') {
            line += file[i];
        }
        if (file[i] != '\n' && i + 1 != file.size()) {
            continue;
        }
        if (!line.empty() && line.back() == '\r') {
            line.pop_back();
        }
        entry one;
        one.line = number++;
        if (one.line == 1) {
            line.clear();
            continue;
        }
        ++found.lines;
        if (!read_entry(line, one)) {
            ++found.malformed;
        } else if (one.price > 0) {
            book(found.before, sums, one);
        } else {
            ++found.unpriced;
            found.negative += one.price < 0 ? 1 : 0;
            if (one.price == 0) {
                free_goods.push_back(one);
            }
        }
        line.clear();
    }
    found.after = found.before;
    for (const entry& one : free_goods) {
        book(found.after, sums, one);
    }
    return found;
}

}  // namespace retail
