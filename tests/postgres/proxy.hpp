// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A Unix socket in front of the test server that can lose an answer: what a client sent is carried
/// out, and the connection ends without a reply.

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace sinew::test {

class proxy {
public:
    explicit proxy(const std::string& server_folder) : server_(server_folder + "/.s.PGSQL.5432") {
        std::string name = (std::filesystem::temp_directory_path() / "sinew-proxy-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("cannot make a temporary folder");
        }
        folder_ = name;
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const sockaddr_un at = address(folder_ + "/.s.PGSQL.5432");
        if (::bind(listener_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
            ::listen(listener_, 16) != 0) {
            throw std::runtime_error("cannot listen");
        }
        accepting_ = std::thread([this] { accept_all(); });
    }
    proxy(const proxy&) = delete;
    proxy& operator=(const proxy&) = delete;
    ~proxy() {
        stop_ = true;
        accepting_.join();
        for (auto& one : pumps_) {
            one.join();
        }
        ::close(listener_);
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    /// A connection string that leads through here.
    [[nodiscard]] std::string through(std::string conninfo,
                                      const std::string& server_folder) const {
        return conninfo.replace(conninfo.find(server_folder), server_folder.size(), folder_);
    }

    /// The next message from a client that holds this text is carried out, and gets no answer.
    void lose_reply_to(const std::string& text) {
        const std::lock_guard lock(guard_);
        lost_ = text;
    }

private:
    static sockaddr_un address(const std::string& path) {
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::strncpy(at.sun_path, path.c_str(), sizeof at.sun_path - 1);
        return at;
    }

    void accept_all() {
        while (!stop_) {
            if (!is_ready(listener_)) {
                continue;
            }
            const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            const sockaddr_un at = address(server_);
            if (client < 0 ||
                ::connect(server, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
                ::close(client);
                ::close(server);
                continue;
            }
            pumps_.emplace_back([this, client, server] {
                pump(client, server);
                ::close(client);
                ::close(server);
            });
        }
    }

    static bool is_ready(int socket) {
        pollfd one{socket, POLLIN, 0};
        return ::poll(&one, 1, 20) > 0;
    }

    /// Whether the answer to what a client sent is to be lost.
    bool loses(std::string_view sent) {
        const std::lock_guard lock(guard_);
        if (lost_.empty() || sent.find(lost_) == std::string_view::npos) {
            return false;
        }
        lost_.clear();
        return true;
    }

    void pump(int client, int server) {
        std::vector<char> room(1U << 16U);
        while (!stop_) {
            pollfd both[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
            if (::poll(both, 2, 20) <= 0) {
                continue;
            }
            const bool from_client = both[0].revents != 0;
            const ssize_t size = ::read(from_client ? client : server, room.data(), room.size());
            if (size <= 0) {
                return;
            }
            const std::string_view bytes(room.data(), static_cast<std::size_t>(size));
            const bool lost = from_client && loses(bytes);
            if (::send(from_client ? server : client, bytes.data(), bytes.size(), MSG_NOSIGNAL) <
                0) {
                return;
            }
            if (lost) {
                while (!stop_ && !is_ready(server)) {
                }
                return;  // it has answered
            }
        }
    }

    std::string server_;
    std::string folder_;
    int listener_ = -1;
    std::atomic<bool> stop_{false};
    std::mutex guard_;
    std::string lost_;
    std::thread accepting_;
    std::vector<std::thread> pumps_;
};

}  // namespace sinew::test
