// SPDX-License-Identifier: BSL-1.0
#include "shared_counts.hpp"

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace retail {

counts* shared_counts::map(const std::string& path, bool create) {
    const auto fail = [&path] { throw std::system_error(errno, std::generic_category(), path); };
    const int file =
        ::open(path.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_TRUNC : 0), 0600);
    if (file < 0) {
        fail();
    }
    void* at = MAP_FAILED;
    if (!create || ::ftruncate(file, sizeof(counts)) == 0) {
        at = ::mmap(nullptr, sizeof(counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
    const int problem = errno;
    ::close(file);
    if (at == MAP_FAILED) {
        errno = problem;
        fail();
    }
    return create ? ::new (at) counts : std::launder(static_cast<counts*>(at));
}

shared_counts shared_counts::create(const std::string& path) {
    return shared_counts(map(path, true));
}

shared_counts shared_counts::open(const std::string& path) {
    return shared_counts(map(path, false));
}

shared_counts::shared_counts(shared_counts&& other) noexcept
    : at_(std::exchange(other.at_, nullptr)) {}

shared_counts::~shared_counts() {
    if (at_ != nullptr) {
        ::munmap(at_, sizeof(counts));
    }
}

}  // namespace retail
