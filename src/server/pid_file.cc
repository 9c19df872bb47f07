#include "server/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/fd.h"
#include "base/text.h"

namespace server {

base::Result<void> write_pid_file(const std::string& path, pid_t pid) {
  const std::string temporary = fmt::format("{}.{}", path, pid);
  ::unlink(temporary.c_str());
  const base::Fd file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return base::fail(base::error_from_errno(errno, "open() failed"));
  const std::string text = fmt::format("{}\n", pid);
  const bool written = ::write(file.get(), text.data(), text.size()) == std::ssize(text);
  if (!written || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const auto error =
        base::error_from_errno(errno, written ? "rename() failed" : "write() failed");
    ::unlink(temporary.c_str());
    return base::fail(error);
  }
  return {};
}

void remove_pid_file(const std::string& path, pid_t pid) noexcept {
  if (read_pid_file(path) == pid) ::unlink(path.c_str());
}

std::expected<pid_t, std::string> read_pid_file(const std::string& path) {
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 64> buffer{};
  const ssize_t got = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
  if (got < 0) {
    const auto error = base::error_from_errno(errno, "failed");
    return std::unexpected(fmt::format("open() \"{}\" {}", path, base::describe(error)));
  }
  std::string_view text(buffer.data(), static_cast<std::size_t>(got));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const auto number = base::parse_number<unsigned>(text);
  if (!number || *number == 0 || *number > 0x7fffffffU) {
    return std::unexpected(fmt::format("invalid PID number \"{}\" in \"{}\"", text, path));
  }
  return static_cast<pid_t>(*number);
}

}  // namespace server
