#include "observe/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace observe {
namespace {

bool is_regular_file(int fd) noexcept {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

LogFile::LogFile(int fd, std::string name)
    : fd_(fd), name_(std::move(name)), is_regular_(is_regular_file(fd)) {}

LogFile::LogFile(base::Fd fd, std::string name) : LogFile(fd.get(), std::move(name)) {
  owned_ = std::move(fd);
}

LogFile::~LogFile() = default;

std::shared_ptr<const LogFile> LogFile::standard_error() {
  return std::shared_ptr<const LogFile>(new LogFile(STDERR_FILENO, "stderr"));
}

base::Result<void> LogFile::replace(const base::Fd& fresh) const noexcept {
  if (::dup3(fresh.get(), fd_, O_CLOEXEC) < 0) {
    return base::fail(base::error_from_errno(errno, "dup3() failed"));
  }
  is_regular_.store(is_regular_file(fd_), std::memory_order_relaxed);
  return {};
}

}  // namespace observe
