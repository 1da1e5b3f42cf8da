// SPDX-License-Identifier: BSL-1.0
//
// What is of SQLite and of files in `sqlite::spool`; the rest is in the suite for spools.
#include "adapters/sqlite_faulty_vfs.hpp"
#include "adapters/sqlite_support.hpp"

#include <sinew/adapters/sqlite/spool.hpp>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <sstream>

namespace {

using namespace sinew;
using sinew::test::faulty_vfs;
namespace fs = std::filesystem;

/// As `temp_folder`, in memory where that is possible: these tests make and sync many files.
class quick_folder {
public:
    quick_folder() {
        const fs::path memory = "/dev/shm";
        std::error_code none;
        fs::path base = fs::is_directory(memory, none) && ::access(memory.c_str(), W_OK) == 0
                            ? memory
                            : fs::temp_directory_path();
        static int count = 0;
        path_ =
            base / ("sinew-spool-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
        fs::create_directories(path_);
    }
    quick_folder(const quick_folder&) = delete;
    quick_folder& operator=(const quick_folder&) = delete;
    ~quick_folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    [[nodiscard]] const fs::path& path() const { return path_; }
    [[nodiscard]] std::string file(const std::string& name) const {
        return (path_ / name).string();
    }

private:
    fs::path path_;
};

event make(int number, std::size_t size = 40) {
    return {.id = std::to_string(number),
            .source = "/tests",
            .type = "thing.happened",
            .data = std::string(size, static_cast<char>('a' + number % 26)),
            .partitionkey = "k" + std::to_string(number % 3),
            .headers = {{"h", std::string("\0\xff", 2)}}};
}

constexpr claim_limits all{.entries = 1'000'000, .bytes = std::size_t{1} << 40U};

bool put(sqlite::spool& to, const event& e) {
    return to.put(e.view(), machine_clock::now()).is_stored();
}
std::vector<event> events_of(sqlite::spool& from) {
    std::vector<event> out;
    for (auto& one : from.claim(steady_time::max(), all)) {
        out.push_back(std::move(one.what));
    }
    return out;
}

std::string bytes_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}
void write(const fs::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
}

/// A private folder with these files.
fs::path folder_with(const quick_folder& in, const std::string& name,
                     const std::map<std::string, std::string>& files) {
    const fs::path out = in.path() / name;
    fs::remove_all(out);
    fs::create_directory(out);
    fs::permissions(out, fs::perms::owner_all);
    for (const auto& [file, bytes] : files) {
        write(out / file, bytes);
    }
    return out;
}

/// What a process leaves that dies: the files of a spool that is still open.
std::map<std::string, std::string> files_of(const fs::path& folder) {
    std::map<std::string, std::string> out;
    for (const char* name : {"spool.db", "spool.db-wal"}) {
        if (fs::exists(folder / name)) {
            out[name] = bytes_of(folder / name);
        }
    }
    return out;
}

/// Whether `some` are among `whole`, in that order.
bool is_ordered_part(const std::vector<event>& some, const std::vector<event>& whole) {
    auto at = whole.begin();
    for (const auto& one : some) {
        while (at != whole.end() && !(*at == one)) {
            ++at;
        }
        if (at == whole.end()) {
            return false;
        }
        ++at;
    }
    return true;
}

mode_t mode_of(const fs::path& file) {
    struct stat found{};
    REQUIRE(::lstat(file.c_str(), &found) == 0);
    return found.st_mode & 0777U;
}

}  // namespace

TEST_CASE("sqlite spool: its folder is 0700 and its files are 0600") {
    const quick_folder in;
    const fs::path folder = in.path() / "spool";
    sqlite::spool spool(folder.string());
    REQUIRE(put(spool, make(1)));
    REQUIRE(mode_of(folder) == 0700);
    std::size_t files = 0;
    for (const auto& one : fs::directory_iterator(folder)) {
        REQUIRE(mode_of(one.path()) == 0600);
        REQUIRE(one.path().filename().string().rfind("spool.", 0) == 0);
        ++files;
    }
    REQUIRE(files >= 2);
}

TEST_CASE("sqlite spool: a folder that is open to others is refused") {
    const quick_folder in;
    const fs::path folder = in.path() / "spool";
    SECTION("for any of the rights") {
        for (const auto right : {fs::perms::group_read, fs::perms::group_exec,
                                 fs::perms::others_write, fs::perms::others_exec}) {
            folder_with(in, "spool", {});
            fs::permissions(folder, right, fs::perm_options::add);
            REQUIRE_THROWS_AS(sqlite::spool(folder.string()), sqlite::folder_not_private_error);
            REQUIRE(fs::is_empty(folder));
        }
    }
    SECTION("and so is a symbolic link") {
        folder_with(in, "real", {});
        fs::create_directory_symlink(in.path() / "real", folder);
        REQUIRE_THROWS_AS(sqlite::spool(folder.string()), sqlite::folder_not_private_error);
        REQUIRE_THROWS_AS(sqlite::spool(folder.string() + "/"), sqlite::folder_not_private_error);
    }
    SECTION("and a file, and a folder that cannot be made") {
        write(folder, "x");
        REQUIRE_THROWS_AS(sqlite::spool(folder.string()), sqlite::folder_not_private_error);
        REQUIRE_THROWS_AS(sqlite::spool((in.path() / "a" / "b").string()),
                          sqlite::cannot_open_error);
        REQUIRE_THROWS_AS(sqlite::spool(""), usage_error);
    }
}

TEST_CASE("sqlite spool: a link in the place of a file is not followed") {
    const quick_folder in;
    const fs::path folder = folder_with(in, "spool", {});
    write(in.path() / "other", "precious");
    fs::create_symlink(in.path() / "other", folder / "spool.db");
    REQUIRE_THROWS_AS(sqlite::spool(folder.string()), sinew::error);
    REQUIRE(bytes_of(in.path() / "other") == "precious");
}

TEST_CASE("sqlite spool: one owner at a time, in this process and in others") {
    const quick_folder in;
    const std::string folder = in.file("spool");
    {
        sqlite::spool first(folder);
        REQUIRE_THROWS_AS(sqlite::spool(folder), spool_in_use_error);
        test::process other([&](auto&) {
            try {
                sqlite::spool second(folder);
            } catch (const spool_in_use_error&) {
                return true;
            }
            return false;
        });
        REQUIRE(other.wait());
        REQUIRE(put(first, make(1)));
    }
    sqlite::spool next(folder);
    REQUIRE(next.size().waiting == 1);
}

TEST_CASE("sqlite spool: a name that SQLite could take for a URI is a name") {
    const quick_folder in;
    const fs::path before = fs::current_path();
    fs::current_path(in.path());
    {
        sqlite::spool spool("file:x?mode=memory&a=b");
        REQUIRE(put(spool, make(1)));
    }
    REQUIRE(fs::exists(in.path() / "file:x?mode=memory&a=b" / "spool.db"));
    fs::current_path(before);
}

TEST_CASE("sqlite spool: what was stored is there after the process is killed") {
    const quick_folder in;
    const std::string folder = in.file("spool");
    test::process child([&](auto& me) {
        sqlite::spool spool(folder);
        for (int i = 0; i < 1000; ++i) {
            if (!put(spool, make(i))) {
                return false;
            }
            me.tell_parent();
        }
        return true;
    });
    for (int i = 0; i < 100; ++i) {
        child.wait_for_child();
    }
    child.kill();
    sqlite::spool again(folder);
    const auto found = events_of(again);
    REQUIRE(found.size() >= 100);
    for (std::size_t i = 0; i < found.size(); ++i) {
        REQUIRE(found[i] == make(static_cast<int>(i)));
    }
    REQUIRE(again.size().damaged == 0);
}

TEST_CASE("sqlite spool: on a full disk put refuses with disk_full, and nothing is lost") {
    const quick_folder in;
    auto& fault = faulty_vfs::fault();
    sqlite::spool_options options;
    options.vfs = faulty_vfs::name();
    fault = {};
    std::vector<event> stored;
    unsigned refused = 0;
    {
        sqlite::spool spool(in.file("spool"), options);
        for (int i = 0; i < 60; ++i) {
            fault = {.after = i % 3 == 0 ? i % 5 : -1, .disk_full = true, .lasting = true};
            const auto e = make(i, 6000);
            const auto answer = spool.put(e.view(), machine_clock::now());
            if (answer.is_stored()) {
                stored.push_back(e);
            } else {
                REQUIRE(answer.how() == spool_result::end::refused);
                REQUIRE(answer.why().reason == "disk_full");
                REQUIRE(answer.why().kind == failure_class::unavailable);
                ++refused;
            }
            fault = {};
            REQUIRE(events_of(spool) == stored);
        }
        REQUIRE(refused > 5);
    }
    sqlite::spool again(in.file("spool"));
    REQUIRE(events_of(again) == stored);
}

TEST_CASE("sqlite spool: what cannot be removed for lack of room stays, and is removed later") {
    const quick_folder in;
    auto& fault = faulty_vfs::fault();
    sqlite::spool_options options;
    options.vfs = faulty_vfs::name();
    fault = {};
    sqlite::spool spool(in.file("spool"), options);
    REQUIRE(put(spool, make(1)));
    const auto entry = spool.claim(steady_time::max(), all).front();
    const failure_note note{entry.added, failure_class::permanent, 1, "no_such_topic", "d"};
    fault = {.after = 0, .disk_full = true, .lasting = true};
    REQUIRE_THROWS_AS(spool.remove({&entry.number, 1}), sqlite::disk_full_error);
    REQUIRE_THROWS_AS(spool.park(entry.number, note, following::park), sqlite::disk_full_error);
    fault = {};
    REQUIRE(events_of(spool) == std::vector<event>{make(1)});
    REQUIRE(spool.size().parked == 0);
    REQUIRE(spool.remove({&entry.number, 1}) == spool_change::done);
    REQUIRE(events_of(spool).empty());
}

TEST_CASE("sqlite spool: an insert without an answer holds its key until it is known") {
    const quick_folder in;
    auto& fault = faulty_vfs::fault();
    sqlite::spool_options options;
    options.vfs = faulty_vfs::name();
    fault = {};
    unsigned doubts = 0;
    for (int after = 0; after < 6; ++after) {
        const std::string folder = in.file("spool" + std::to_string(after));
        sqlite::spool spool(folder, options);
        fault = {.after = after, .lasting = true};
        const auto answer = spool.put(make(1).view(), machine_clock::now());
        if (answer.is_stored()) {
            fault = {};
            continue;
        }
        REQUIRE(fault.happened > 0);
        if (answer.how() == spool_result::end::unknown) {
            ++doubts;
            REQUIRE(spool.holds("k1"));
            REQUIRE(spool.put(make(4).view(), machine_clock::now()).how() ==
                    spool_result::end::refused);
        }
        fault = {};
        REQUIRE(put(spool, make(7)));
        REQUIRE(events_of(spool) == std::vector<event>{make(7)});
        // And a crash does not bring it back.
        const auto left = folder_with(in, "copy", files_of(folder));
        sqlite::spool copy(left.string());
        REQUIRE(events_of(copy) == std::vector<event>{make(7)});
    }
    REQUIRE(doubts > 0);
}

TEST_CASE("sqlite spool: entries of a newer version are refused, and left alone") {
    const quick_folder in;
    const std::string folder = in.file("spool");
    {
        sqlite::spool spool(folder);
        REQUIRE(put(spool, make(1)));
    }
    {
        sqlite::connection db(folder + "/spool.db");
        db.execute("UPDATE about SET version = 2, sum = ?", sqlite::detail::about_sum(2));
    }
    REQUIRE_THROWS_AS(sqlite::spool(folder), sqlite::schema_error);
    REQUIRE_FALSE(fs::exists(folder + "/spool.db.damaged-1"));
}

namespace {

/// Opens a damaged spool; checks that what is there is an ordered part, that what was damaged is
/// kept as it was, and that the spool works. Answers how many were salvaged.
std::size_t open_damaged(const quick_folder& in, const std::map<std::string, std::string>& files,
                         const std::vector<event>& whole) {
    const fs::path folder = folder_with(in, "damaged", files);
    std::vector<event> found;
    {
        sqlite::spool spool(folder.string());
        found = events_of(spool);
        REQUIRE(is_ordered_part(found, whole));
        if (spool.size().damaged != 0) {
            for (const auto& [name, bytes] : files) {
                std::string aside = name;
                aside.insert(std::string("spool.db").size(), ".damaged-1");
                REQUIRE(bytes_of(folder / aside) == bytes);
                REQUIRE(mode_of(folder / aside) == 0600);
            }
            REQUIRE(spool.salvaged() == found.size());
        }
        REQUIRE(put(spool, make(-1)));
    }
    sqlite::spool again(folder.string());
    found.push_back(make(-1));
    REQUIRE(events_of(again) == found);
    return found.size() - 1;
}

struct left_behind {
    std::vector<event> whole{};
    std::map<std::string, std::string> files{};
};

/// The files of a spool with so many entries, the last ones in the write-ahead log alone.
left_behind make_left_behind(const quick_folder& in, int entries, int in_log) {
    left_behind out;
    const fs::path folder = in.path() / "origin";
    {
        sqlite::spool spool(folder.string());
        for (int i = 0; i < entries - in_log; ++i) {
            out.whole.push_back(make(i, i % 7 == 0 ? 5000 : 300));
            REQUIRE(put(spool, out.whole.back()));
        }
    }
    sqlite::spool spool(folder.string());
    for (int i = entries - in_log; i < entries; ++i) {
        out.whole.push_back(make(i, i % 7 == 0 ? 5000 : 300));
        REQUIRE(put(spool, out.whole.back()));
    }
    out.files = files_of(folder);
    return out;
}

}  // namespace

TEST_CASE("sqlite spool: any prefix of its file opens, and what is left is salvaged in order") {
    const quick_folder in;
    const auto origin = make_left_behind(in, 60, 0);
    const std::string& bytes = origin.files.at("spool.db");
    std::size_t best = 0;
    for (std::size_t length = 0; length <= bytes.size(); length += 2039) {
        CAPTURE(length, bytes.size());
        const auto salvaged =
            open_damaged(in, {{"spool.db", bytes.substr(0, length)}}, origin.whole);
        best = std::max(best, salvaged);
    }
    REQUIRE(best > 40);
    for (const std::size_t pages : {1U, 2U, 3U, 10U}) {
        open_damaged(in, {{"spool.db", bytes.substr(0, pages * 4096)}}, origin.whole);
    }
    REQUIRE(open_damaged(in, {{"spool.db", bytes}}, origin.whole) == 60);
}

TEST_CASE("sqlite spool: any prefix of its write-ahead log opens, with what was committed in it") {
    const quick_folder in;
    const auto origin = make_left_behind(in, 60, 20);
    const std::string& log = origin.files.at("spool.db-wal");
    std::size_t before = 40;
    for (std::size_t length = 0; length <= log.size(); length += 1999) {
        CAPTURE(length, log.size());
        auto files = origin.files;
        files["spool.db-wal"] = log.substr(0, length);
        const auto found = open_damaged(in, files, origin.whole);
        REQUIRE(found >= before);
        before = found;
    }
    REQUIRE(open_damaged(in, origin.files, origin.whole) == 60);
}

TEST_CASE("sqlite spool: a log whose file is gone or cut off is read all the same") {
    const quick_folder in;
    const auto origin = make_left_behind(in, 30, 30);
    const std::string log = origin.files.at("spool.db-wal");
    const std::string bytes = origin.files.at("spool.db");
    REQUIRE(open_damaged(in, {{"spool.db-wal", log}}, origin.whole) == 30);
    REQUIRE(open_damaged(in, {{"spool.db", ""}, {"spool.db-wal", log}}, origin.whole) == 30);
    REQUIRE(open_damaged(in, {{"spool.db", bytes.substr(0, 50)}, {"spool.db-wal", log}},
                         origin.whole) == 30);
}

TEST_CASE(
    "sqlite spool: whichever byte of its files is flipped, it opens, and nothing wrong comes") {
    const quick_folder in;
    const auto origin = make_left_behind(in, 60, 20);
    std::size_t damaged = 0;
    std::size_t opened = 0;
    std::size_t salvaged = 0;
    for (const auto& [name, bytes] : origin.files) {
        std::vector<std::size_t> places;
        for (std::size_t at = 0; at < 120; at += 7) {
            places.push_back(at);
        }
        for (std::size_t at = 121; at < bytes.size(); at += 3779) {
            places.push_back(at);
        }
        for (const auto at : places) {
            CAPTURE(name, at);
            auto files = origin.files;
            files[name][at] = static_cast<char>(files[name][at] ^ 0x41);
            const auto found = open_damaged(in, files, origin.whole);
            ++opened;
            damaged += fs::exists(in.path() / "damaged" / "spool.db.damaged-1") ? 1U : 0U;
            salvaged += found;
        }
    }
    CAPTURE(opened, damaged, salvaged);
    REQUIRE(damaged > opened / 4);
    REQUIRE(salvaged > opened * 55);
}

TEST_CASE(
    "sqlite spool: setting aside can be cut off anywhere, and is finished at the next start") {
    const quick_folder in;
    auto origin = make_left_behind(in, 30, 10);
    auto files = origin.files;
    const auto at = files["spool.db"].find("hhhhhhhhhh");  // in the data of an entry
    REQUIRE(at != std::string::npos);
    files["spool.db"][at] = 'i';
    std::string sound;
    {
        const auto folder = folder_with(in, "done", files);
        {
            sqlite::spool spool(folder.string());
            REQUIRE(spool.size().damaged == 1);
        }
        sound = bytes_of(folder / "spool.db");
    }
    // What stands in the folder after each step.
    const std::vector<std::map<std::string, std::string>> steps = {
        {{"spool.db", files["spool.db"]},
         {"spool.db-wal", files["spool.db-wal"]},
         {"spool.db.fresh", "half"},
         {"spool.db.reading", "half"}},
        {{"spool.db", files["spool.db"]},
         {"spool.db-wal", files["spool.db-wal"]},
         {"spool.db.salvaged", sound}},
        {{"spool.db", files["spool.db"]},
         {"spool.db.damaged-1-wal", files["spool.db-wal"]},
         {"spool.db.salvaged", sound}},
        {{"spool.db.damaged-1", files["spool.db"]},
         {"spool.db.damaged-1-wal", files["spool.db-wal"]},
         {"spool.db.salvaged", sound}},
    };
    std::size_t count = 0;
    for (const auto& step : steps) {
        const auto folder = folder_with(in, "cut", step);
        sqlite::spool spool(folder.string());
        const auto found = events_of(spool);
        REQUIRE(is_ordered_part(found, origin.whole));
        REQUIRE(found.size() >= 25);
        REQUIRE((count == 0 || found.size() == count));
        count = found.size();
        REQUIRE(spool.size().damaged == 1);
        REQUIRE(bytes_of(folder / "spool.db.damaged-1") == files["spool.db"]);
        REQUIRE(bytes_of(folder / "spool.db.damaged-1-wal") == files["spool.db-wal"]);
    }
}

TEST_CASE("sqlite spool: a second damage is set aside beside the first") {
    const quick_folder in;
    const auto folder = folder_with(in, "spool", {{"spool.db", "this is no database at all"}});
    {
        sqlite::spool spool(folder.string());
        REQUIRE(spool.size().damaged == 1);
        REQUIRE(put(spool, make(1)));
    }
    write(folder / "spool.db", "and neither is this");
    sqlite::spool spool(folder.string());
    REQUIRE(spool.size().damaged == 2);
    REQUIRE(bytes_of(folder / "spool.db.damaged-1") == "this is no database at all");
    REQUIRE(bytes_of(folder / "spool.db.damaged-2") == "and neither is this");
}
