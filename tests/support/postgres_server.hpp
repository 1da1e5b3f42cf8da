// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A private PostgreSQL server for a test program: Unix socket only, data in a temporary folder, as
/// an ordinary user also where the tests run as root. The machine's own clusters are not touched.
///
/// **Guarantees.** It ends with the program, however that ends (`PR_SET_PDEATHSIG`). What an
/// earlier program that was killed left in the temporary folder is removed. A server that does not
/// start shows its log.

#include <libpq-fe.h>

#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>

namespace sinew::test {

struct postgres_server_options {
    /// Off is fast, and safe where only processes are killed, never the machine.
    bool fsync = false;
    /// Further settings: `name=value`.
    std::vector<std::string> settings{};
};

class postgres_server {
public:
    explicit postgres_server(postgres_server_options options = {}) : options_(std::move(options)) {
        find_binaries();
        find_user();
        remove_leftovers();
        make_folder();
        run_as_user({bin_ + "/initdb", "-D", data(), "-A", "trust", "-U", "sinew", "--no-sync",
                     "-E", "UTF8", "--locale=C"},
                    "initdb");
        start();
    }
    postgres_server(const postgres_server&) = delete;
    postgres_server& operator=(const postgres_server&) = delete;
    ~postgres_server() {
        if (pid_ > 0) {
            thaw();
            ::kill(pid_, SIGQUIT);
            reap();
        }
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    /// The one of this program, started at its first use.
    static postgres_server& shared() {
        static postgres_server one;
        return one;
    }

    [[nodiscard]] const std::string& folder() const { return folder_; }
    [[nodiscard]] std::string conninfo(const std::string& more = {}) const {
        return "host=" + folder_ + " port=5432 dbname=postgres user=sinew " + more;
    }

    void start() {
        for (int tries = 0;; ++tries) {
            launch();
            if (becomes_ready()) {
                return;
            }
            // Right after a crash, the last of the old processes may still hold the shared memory.
            if (tries == 20 || log().find("shared memory block") == std::string::npos) {
                throw std::runtime_error("the test server does not start; its log:\n" + log());
            }
            nap(50);
        }
    }
    /// Ends all sessions and stops, in good order.
    void stop() {
        ::kill(pid_, SIGINT);
        reap();
    }
    /// All processes of the server die at once, as in a crash of the machine that keeps its disk.
    void crash() {
        const auto all = processes();
        for (const pid_t one : all) {
            ::kill(one, SIGKILL);
        }
        reap();
    }
    /// All processes of the server stand still, and go on.
    void freeze() {
        for (const pid_t one : processes()) {
            ::kill(one, SIGSTOP);
        }
    }
    void thaw() {
        for (const pid_t one : processes()) {
            ::kill(one, SIGCONT);
        }
    }
    [[nodiscard]] std::string log() const {
        std::ifstream in(log_file());
        std::ostringstream text;
        text << in.rdbuf();
        return text.str();
    }

private:
    [[nodiscard]] std::string data() const { return folder_ + "/data"; }
    [[nodiscard]] std::string log_file() const { return folder_ + "/server.log"; }

    static void nap(int milliseconds) { ::poll(nullptr, 0, milliseconds); }

    void find_binaries() {
        for (int version = 20; version >= 12; --version) {
            const std::string folder = "/usr/lib/postgresql/" + std::to_string(version) + "/bin";
            if (std::filesystem::exists(folder + "/initdb")) {
                bin_ = folder;
                return;
            }
        }
        throw std::runtime_error(
            "no PostgreSQL server is installed: install Debian's package postgresql-15, as ./dev "
            "test does");
    }

    void find_user() {
        if (::geteuid() != 0) {
            return;
        }
        for (const char* name : {"postgres", "nobody"}) {
            if (const passwd* one = ::getpwnam(name)) {
                uid_ = one->pw_uid;
                gid_ = one->pw_gid;
                return;
            }
        }
        throw std::runtime_error("no user but root is there to run the test server as");
    }

    /// Folders are named after the process that made them.
    static void remove_leftovers() {
        const std::string prefix = "sinew-postgres-";
        std::error_code ignored;
        for (const auto& one :
             std::filesystem::directory_iterator(std::filesystem::temp_directory_path(), ignored)) {
            const std::string name = one.path().filename().string();
            if (!name.starts_with(prefix)) {
                continue;
            }
            pid_t pid = 0;
            const char* digits = name.c_str() + prefix.size();
            std::from_chars(digits, name.c_str() + name.size(), pid);
            if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) {
                std::filesystem::remove_all(one.path(), ignored);
            }
        }
    }

    void make_folder() {
        std::string name = (std::filesystem::temp_directory_path() /
                            ("sinew-postgres-" + std::to_string(::getpid()) + "-XXXXXX"))
                               .string();
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("cannot make a temporary folder");
        }
        folder_ = name;
        if (uid_ != 0 && ::chown(name.c_str(), uid_, gid_) != 0) {
            throw std::runtime_error("cannot give the temporary folder to the server's user");
        }
    }

    /// In the child: becomes the user, ends with the parent, writes to the log, and runs the
    /// program.
    [[noreturn]] void become(const std::vector<std::string>& arguments, pid_t parent) const {
        const int out = ::open(log_file().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (uid_ != 0 &&
            (::setgroups(0, nullptr) != 0 || ::setgid(gid_) != 0 || ::setuid(uid_) != 0)) {
            ::_exit(126);
        }
        ::prctl(PR_SET_PDEATHSIG, SIGQUIT);  // after the change of user, which clears it
        if (out < 0 || ::getppid() != parent || ::chdir("/") != 0) {
            ::_exit(126);
        }
        ::dup2(out, 1);
        ::dup2(out, 2);
        std::vector<char*> list;
        for (const auto& one : arguments) {
            list.push_back(const_cast<char*>(one.c_str()));
        }
        list.push_back(nullptr);
        ::unsetenv("LD_PRELOAD");
        ::execv(list[0], list.data());
        ::_exit(127);
    }

    [[nodiscard]] pid_t spawn(const std::vector<std::string>& arguments) const {
        const pid_t parent = ::getpid();
        const pid_t pid = ::fork();
        if (pid == 0) {
            become(arguments, parent);
        }
        if (pid < 0) {
            throw std::runtime_error("cannot start a process");
        }
        return pid;
    }

    void run_as_user(const std::vector<std::string>& arguments, const std::string& what) const {
        const pid_t pid = spawn(arguments);
        int status = 0;
        ::waitpid(pid, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            throw std::runtime_error(what + " failed:\n" + log());
        }
    }

    void launch() {
        std::ofstream(log_file(), std::ios::trunc).flush();
        std::vector<std::string> arguments = {bin_ + "/postgres", "-D", data()};
        const auto set = [&](const std::string& setting) {
            arguments.emplace_back("-c");
            arguments.push_back(setting);
        };
        set("listen_addresses=");
        set("port=5432");
        set("unix_socket_directories=" + folder_);
        set(std::string("fsync=") + (options_.fsync ? "on" : "off"));
        set("shared_buffers=32MB");
        set("max_connections=60");
        set("log_min_messages=fatal");
        set("log_min_error_statement=panic");
        set("logging_collector=off");
        for (const auto& one : options_.settings) {
            set(one);
        }
        pid_ = spawn(arguments);
    }

    /// False: it has ended instead.
    [[nodiscard]] bool becomes_ready() {
        for (int i = 0; i < 3'000; ++i) {
            int status = 0;
            if (::waitpid(pid_, &status, WNOHANG) == pid_) {
                pid_ = -1;
                return false;
            }
            if (PQping(conninfo("connect_timeout=5").c_str()) == PQPING_OK) {
                return true;
            }
            nap(10);
        }
        crash();
        return false;
    }

    void reap() {
        int status = 0;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
    }

    /// The postmaster and its children.
    [[nodiscard]] std::vector<pid_t> processes() const {
        std::vector<pid_t> all{pid_};
        std::error_code ignored;
        for (const auto& one : std::filesystem::directory_iterator("/proc", ignored)) {
            const std::string name = one.path().filename().string();
            pid_t pid = 0;
            const auto [end, wrong] =
                std::from_chars(name.c_str(), name.c_str() + name.size(), pid);
            if (wrong != std::errc() || *end != '\0') {
                continue;
            }
            std::ifstream in(one.path() / "stat");
            std::string line;
            std::getline(in, line);
            const auto close = line.rfind(')');
            pid_t parent = 0;
            if (close != std::string::npos && close + 4 < line.size()) {
                std::from_chars(line.c_str() + close + 4, line.c_str() + line.size(), parent);
            }
            if (parent == pid_ && pid_ > 0) {
                all.push_back(pid);
            }
        }
        return all;
    }

    postgres_server_options options_;
    std::string bin_;
    std::string folder_;
    uid_t uid_ = 0;
    gid_t gid_ = 0;
    pid_t pid_ = -1;
};

}  // namespace sinew::test
