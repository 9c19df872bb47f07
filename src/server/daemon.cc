#include "server/daemon.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "observe/error_log.h"

namespace server {

base::Result<Daemon> Daemon::detach() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return base::fail(base::error_from_errno(errno, "pipe2() failed"));
  }
  const base::Fd told(ends[0]);
  Daemon daemon;
  daemon.waiting_ = base::Fd(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return base::fail(base::error_from_errno(errno, "fork() failed"));
  if (child > 0) {
    daemon.waiting_.close();
    unsigned char status = 1;  // of a child that died without a word
    while (::read(told.get(), &status, 1) < 0 && errno == EINTR) {
    }
    ::_exit(status);
  }
  ::setsid();
  ::umask(0022);
  const base::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null) {
    ::dup2(null.get(), STDIN_FILENO);
    ::dup2(null.get(), STDOUT_FILENO);
  }
  return daemon;
}

void Daemon::tell(int status) noexcept {
  const auto byte = static_cast<unsigned char>(status);
  if (waiting_) {
    [[maybe_unused]] const auto written = ::write(waiting_.get(), &byte, 1);
    waiting_.close();
  }
}

void redirect_stderr(const observe::ErrorLog& log) noexcept {
  if (log.descriptor() != STDERR_FILENO) ::dup2(log.descriptor(), STDERR_FILENO);
}

}  // namespace server
