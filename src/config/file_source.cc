#include "config/file_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace config {

std::string_view name_of(Purpose purpose) noexcept {
  switch (purpose) {
    case Purpose::config: return "configuration file";
    case Purpose::certificate: return "certificate";
    case Purpose::key: return "private key";
    case Purpose::trusted_certificates: return "trusted certificates";
    case Purpose::list: return "list";
    case Purpose::log_append: return "log";
    case Purpose::place: return "path";
  }
  return "file";
}

std::string Prefixes::full_name(std::string_view path, Purpose purpose) const {
  if (path.starts_with('/')) return std::string(path);
  const bool from_prefix = purpose == Purpose::log_append || purpose == Purpose::place;
  std::string name = from_prefix ? prefix : config;
  if (!name.ends_with('/')) name += '/';
  return name.append(path);
}

std::string describe_failure(std::string_view full_name, const base::Error& error) {
  if (error.os_error != 0) {
    return base::describe(error.during(fmt::format("open() \"{}\" failed", full_name)));
  }
  if (error.context.empty()) {
    return fmt::format("open() \"{}\" failed ({})", full_name, base::name_of(error.code));
  }
  return fmt::format("\"{}\" {}", full_name, error.context);
}

std::string advice_for(std::string_view full_name, const base::Error& error) {
  if (error.context == kOpenToEveryone) return fmt::format("chmod 600 {}", full_name);
  if (error.context == kOpenToGroup) {
    return fmt::format("chmod 600 {}, or name its group by the directive \"key_group\"", full_name);
  }
  if (error.code == base::ErrorCode::not_permitted && error.os_error != 0) {
    return "the user who starts the program must be able to open it";
  }
  return {};
}

base::Result<std::string> read_all(const base::Fd& fd, std::size_t limit) {
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return base::fail(base::error_from_errno(errno));
  if (!S_ISREG(status.st_mode)) return base::fail(base::ErrorCode::invalid, kNotRegular);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > limit) return base::fail(base::ErrorCode::too_large, kTooLarge);
  // One byte more than the file has shows whether it grew meanwhile.
  std::string text(size + 1, '\0');
  std::size_t filled = 0;
  for (;;) {
    if (filled == text.size()) {
      if (filled > limit) return base::fail(base::ErrorCode::too_large, kTooLarge);
      text.resize(std::min(2 * text.size(), limit + 1));
    }
    const std::span<char> room = std::span(text).subspan(filled);
    const ssize_t got = ::pread(fd.get(), room.data(), room.size(), static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail(base::error_from_errno(errno));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  text.resize(filled);
  return text;
}

}  // namespace config
