#include "config/memory_files.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/check.h"

namespace config {
namespace {

base::Fd make_file(std::string_view text) {
  base::Fd fd(::memfd_create("config", MFD_CLOEXEC));
  CHECK(fd);
  while (!text.empty()) {
    const ssize_t written = ::write(fd.get(), text.data(), text.size());
    CHECK(written > 0);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return fd;
}

}  // namespace

void MemoryFiles::add(std::string_view path, std::string_view text) {
  files_.insert_or_assign(full_name(path, Purpose::config), make_file(text));
}

void MemoryFiles::add_failure(std::string_view path, const base::Error& error) {
  files_.insert_or_assign(full_name(path, Purpose::config), base::fail(error));
}

std::string MemoryFiles::text_of(std::string_view full_name) const {
  const auto found = files_.find(full_name);
  if (found == files_.end() || !found->second) return {};
  return read_all(*found->second, kMaxText).value_or(std::string());
}

base::Result<std::string> MemoryFiles::read_text(std::string_view path, Purpose purpose) {
  TRY(const base::Fd fd, open(path, purpose));
  return read_all(fd, kMaxText);
}

base::Result<base::Fd> MemoryFiles::open(std::string_view path, Purpose purpose) {
  const std::string name = full_name(path, purpose);
  auto found = files_.find(name);
  if (found == files_.end() && purpose == Purpose::log_append) {
    found = files_.emplace(name, make_file({})).first;
    CHECK(::fcntl(found->second->get(), F_SETFL, O_APPEND) == 0);
  }
  if (found == files_.end()) return base::fail(base::error_from_errno(ENOENT));
  if (!found->second) return base::fail(found->second.error());
  return found->second->duplicate();
}

base::Result<std::vector<std::string>> MemoryFiles::glob(std::string_view pattern) {
  const std::string name = full_name(pattern, Purpose::config);
  std::vector<std::string> matches;
  for (const auto& [path, file] : files_) {
    if (::fnmatch(name.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0) {
      matches.push_back(path);
    }
  }
  return matches;
}

base::Result<std::vector<std::string>> MemoryFiles::resolve(std::string_view host) {
  const auto found = hosts_.find(host);
  if (found == hosts_.end()) return base::fail(base::ErrorCode::not_found, "host not found");
  return found->second;
}

}  // namespace config
