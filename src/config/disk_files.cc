#include "config/disk_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <netdb.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>
#include <utility>

#include "base/address.h"

namespace config {
namespace {

// Logs tell who visited what: not for everyone on the machine.
constexpr mode_t kLogMode = 0640;

// A directory that may not be read must not be taken for an empty one.
int stop_if_forbidden(const char*, int os_error) {
  return os_error == EACCES || os_error == EPERM ? 1 : 0;
}

}  // namespace

base::Result<std::string> DiskFiles::read_text(std::string_view path, Purpose purpose) {
  TRY(const base::Fd fd, open(path, purpose));
  return read_all(fd, kMaxText);
}

base::Result<base::Fd> DiskFiles::open(std::string_view path, Purpose purpose) {
  const std::string name = full_name(path, purpose);
  if (name.find('\0') != std::string::npos || purpose == Purpose::place) {
    return base::fail(base::error_from_errno(EINVAL));
  }
  // Without O_NONBLOCK a FIFO would hold the start until somebody opens its other end, and a full
  // pipe that is a log would hold a worker.
  int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  flags |= purpose == Purpose::log_append ? O_WRONLY | O_APPEND | O_CREAT : O_RDONLY;
  base::Fd fd(::open(name.c_str(), flags, kLogMode));
  // A FIFO that nobody reads. Opened for both, it can be written once somebody does.
  if (!fd && errno == ENXIO && purpose == Purpose::log_append) {
    fd = base::Fd(::open(name.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) errno = ENXIO;
  }
  if (!fd) return base::fail(base::error_from_errno(errno));
  if (purpose == Purpose::log_append) return fd;

  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return base::fail(base::error_from_errno(errno));
  if (S_ISDIR(status.st_mode)) return base::fail(base::error_from_errno(EISDIR));
  if (!S_ISREG(status.st_mode)) return base::fail(base::ErrorCode::invalid, kNotRegular);
  if (purpose == Purpose::key) TRY_VOID(check_key(name, status.st_mode, status.st_gid));
  return fd;
}

base::Result<void> DiskFiles::check_key(const std::string& name, mode_t mode, gid_t group) {
  const bool trusted_group = group == 0 || group == key_policy_.group;
  std::string_view exposure;
  if ((mode & (S_IROTH | S_IWOTH)) != 0) {
    exposure = kOpenToEveryone;
  } else if ((mode & (S_IRGRP | S_IWGRP)) != 0 && !trusted_group) {
    exposure = kOpenToGroup;
  }
  if (exposure.empty()) return {};
  if (key_policy_.if_exposed == KeyPolicy::IfExposed::refuse) {
    return base::fail(base::ErrorCode::not_permitted, exposure);
  }
  warnings_.push_back(fmt::format("private key \"{}\" {}", name, exposure));
  return {};
}

base::Result<std::vector<std::string>> DiskFiles::glob(std::string_view pattern) {
  const std::string name = full_name(pattern, Purpose::config);
  if (name.find('\0') != std::string::npos) return base::fail(base::error_from_errno(EINVAL));
  glob_t found{};
  const int failure = ::glob(name.c_str(), GLOB_NOSORT, stop_if_forbidden, &found);
  std::vector<std::string> matches;
  if (failure == 0) {
    for (const char* match : std::span(found.gl_pathv, found.gl_pathc)) matches.emplace_back(match);
  }
  ::globfree(&found);
  switch (failure) {
    case 0:
    case GLOB_NOMATCH: break;
    case GLOB_ABORTED: return base::fail(base::error_from_errno(EACCES));
    default: return base::fail(base::error_from_errno(ENOMEM));
  }
  std::ranges::sort(matches);
  return matches;
}

base::Result<std::vector<std::string>> DiskFiles::resolve(std::string_view host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;  // each address once
  addrinfo* found = nullptr;
  if (::getaddrinfo(std::string(host).c_str(), nullptr, &hints, &found) != 0) {
    return base::fail(base::ErrorCode::not_found, "host not found");
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    addresses.push_back(base::Address::from_native(at->ai_addr, at->ai_addrlen).ip_text());
  }
  return addresses;
}

std::vector<std::string> DiskFiles::take_warnings() { return std::exchange(warnings_, {}); }

}  // namespace config
