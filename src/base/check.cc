#include "base/check.h"

#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace base {
namespace {

// A pipe that nobody reads must not keep a broken process alive.
void write_text(const char* text) noexcept {
  pollfd entry{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (::poll(&entry, 1, 20) == 0) return;
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

}  // namespace

void check_failed(const char* expression, const char* file, int line) noexcept {
  char digits[12];
  std::size_t at = sizeof digits;
  digits[--at] = '\0';
  do {
    digits[--at] = static_cast<char>('0' + line % 10);
    line /= 10;
  } while (line > 0 && at > 0);
  write_text("sallyport: CHECK failed: ");
  write_text(expression);
  write_text(" at ");
  write_text(file);
  write_text(":");
  write_text(&digits[at]);
  write_text("\n");
  std::abort();
}

}  // namespace base
