// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Looks whether a write-ahead log is damaged in its middle, and mends a copy of one.
///
/// SQLite reads a log up to the first frame whose checksum is wrong, and takes the rest for what a
/// crash left. That is right for a torn tail. If a later frame ends a transaction of the same log,
/// though, something has damaged the middle, and what is behind would be lost without a word.
///
/// **Source.** "The WAL Format" in SQLite's "Database File Format": a header of 32 bytes, then
/// frames of 24 bytes and a page; checksums run on from frame to frame.

#include <cstddef>
#include <cstdint>
#include <string>

namespace sinew::sqlite::detail {

/// A write-ahead log in memory.
class wal_bytes {
public:
    explicit wal_bytes(std::string& bytes) : bytes_(&bytes) {
        if (bytes.size() >= header_size) {
            page_size_ = word(8);
            big_endian_ = (word(0) & 1U) != 0;
        }
    }

    /// Whether a transaction ends behind a frame that is damaged.
    [[nodiscard]] bool is_broken() const {
        if (bytes_->size() <= header_size) {
            return false;
        }
        if (!is_header_good()) {
            return true;
        }
        sums chain = header_sums();
        bool broken = false;
        for (std::size_t at = header_size; at + frame_size() <= bytes_->size();
             at += frame_size()) {
            if (!is_of_this_log(at)) {
                // A page of an earlier round may stand here: SQLite stops as well. Behind a frame
                // with a damaged head there are more of this log.
                broken = true;
                continue;
            }
            if (broken && word(at + 4) != 0) {
                return true;
            }
            chain = over(over(chain, at, 8), at + frame_head, page_size_);
            if (word(at + 16) != chain.a || word(at + 20) != chain.b) {
                broken = true;
            }
        }
        return false;
    }

    /// Makes all checksums right, up to the last frame of this log, so that SQLite reads all there
    /// is. What is damaged in the pages stays so.
    void mend() {
        if (bytes_->size() < header_size + frame_head) {
            return;
        }
        if (!is_header_good()) {
            put(0, 0x377f0682U);
            put(4, 3007000U);
            put(8, usual_page_size);
            page_size_ = usual_page_size;
            big_endian_ = false;
            put(16, word(header_size + 8));
            put(20, word(header_size + 12));
        }
        sums chain = over({}, 0, 24);
        put(24, chain.a);
        put(28, chain.b);
        // A frame with a damaged head cannot be told from one of an earlier round, unless more of
        // this log follow it.
        std::size_t end = header_size;
        for (std::size_t at = header_size; at + frame_size() <= bytes_->size();
             at += frame_size()) {
            end = is_of_this_log(at) ? at + frame_size() : end;
        }
        bytes_->resize(end);
        for (std::size_t at = header_size; at < end; at += frame_size()) {
            put(at + 8, word(16));
            put(at + 12, word(20));
            chain = over(over(chain, at, 8), at + frame_head, page_size_);
            put(at + 16, chain.a);
            put(at + 20, chain.b);
        }
    }

private:
    static constexpr std::size_t header_size = 32;
    static constexpr std::size_t frame_head = 24;
    static constexpr std::uint32_t usual_page_size = 4096;

    struct sums {
        std::uint32_t a = 0;
        std::uint32_t b = 0;
    };

    [[nodiscard]] std::uint32_t word(std::size_t at) const {
        std::uint32_t out = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            out = out << 8U | static_cast<unsigned char>((*bytes_)[at + i]);
        }
        return out;
    }
    void put(std::size_t at, std::uint32_t value) {
        for (std::size_t i = 0; i < 4; ++i) {
            (*bytes_)[at + i] = static_cast<char>(value >> (24U - 8U * i) & 0xffU);
        }
    }
    [[nodiscard]] std::uint32_t summed_word(std::size_t at) const {
        const std::uint32_t big = word(at);
        return big_endian_ ? big : __builtin_bswap32(big);
    }
    [[nodiscard]] sums over(sums before, std::size_t at, std::size_t size) const {
        for (std::size_t i = 0; i < size; i += 8) {
            before.a += summed_word(at + i) + before.b;
            before.b += summed_word(at + i + 4) + before.a;
        }
        return before;
    }
    [[nodiscard]] sums header_sums() const { return {word(24), word(28)}; }
    [[nodiscard]] bool is_header_good() const {
        const bool sane = (word(0) & ~1U) == 0x377f0682U && page_size_ >= 512 &&
                          page_size_ <= 65536 && (page_size_ & (page_size_ - 1)) == 0;
        const sums right = sane ? over({}, 0, 24) : sums{};
        return sane && right.a == word(24) && right.b == word(28);
    }
    [[nodiscard]] std::size_t frame_size() const { return frame_head + page_size_; }
    [[nodiscard]] bool is_of_this_log(std::size_t at) const {
        return word(at + 8) == word(16) && word(at + 12) == word(20);
    }

    std::string* bytes_;
    std::uint32_t page_size_ = usual_page_size;
    bool big_endian_ = false;
};

}  // namespace sinew::sqlite::detail
