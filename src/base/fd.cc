#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

namespace base {

void Fd::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Fd Fd::duplicate() const noexcept { return Fd(::fcntl(fd_, F_DUPFD_CLOEXEC, 0)); }

}  // namespace base
