#include "cli/development_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>

#include "base/address.h"
#include "base/fd.h"
#include "io/socket.h"
#include "tls/development_certificate.h"

namespace cli {
namespace {

// The certificate is valid for 397 days; it is made anew before that.
constexpr std::time_t kRenewAfter = std::time_t{380} * 24 * 3600;

base::Result<void> failed(std::string_view call) {
  return base::fail(base::error_from_errno(errno, call));
}

bool is_recent(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && ::time(nullptr) - status.st_mtime < kRenewAfter;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

base::Result<void> write_file(const std::string& path, std::string_view text, mode_t mode) {
  const std::string temporary = fmt::format("{}.{}", path, ::getpid());
  ::unlink(temporary.c_str());
  const base::Fd file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file) return failed("open() failed");
  if (::write(file.get(), text.data(), text.size()) != std::ssize(text)) {
    return failed("write() failed");
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed("rename() failed");
  return {};
}

bool has_ipv6() { return io::open_listener(*base::Address::from_ip("::1", 0), {}).has_value(); }

base::Result<void> provide_development_certificate(const std::string& directory,
                                                   std::span<const std::string> names) {
  const std::string certificate = directory + "/certificate.pem";
  const std::string key = directory + "/key.pem";
  const std::string list = directory + "/certificate.names";
  const std::string wanted = fmt::format("{}\n", fmt::join(names, "\n"));
  if (is_recent(certificate) && is_recent(key) && read_file(list) == wanted) return {};
  TRY(const auto pair, tls::make_development_certificate(names, std::chrono::system_clock::now()));
  TRY_VOID(write_file(key, pair.private_key, 0600));
  TRY_VOID(write_file(certificate, pair.certificate, 0644));
  return write_file(list, wanted, 0644);
}

}  // namespace cli
