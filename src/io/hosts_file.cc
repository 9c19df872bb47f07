#include "io/hosts_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "base/text.h"

namespace io {

namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";
constexpr std::size_t kMaxName = 255;  // RFC 1035 §2.3.4

std::string_view next_word(std::string_view& line) noexcept {
  const std::size_t begin = std::min(line.find_first_not_of(kBlanks), line.size());
  line.remove_prefix(begin);
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

std::string read_file(const std::string& path, std::size_t max) {
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::string text;
  if (!file) return text;
  char piece[16 * 1024];
  while (text.size() < max) {
    const ssize_t got = ::read(file.get(), piece, std::min(sizeof piece, max - text.size()));
    if (got <= 0) break;
    text.append(piece, static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

void HostsTable::add(std::string_view name, const base::Address& address) {
  if (name.empty() || name.size() > kMaxName) return;
  auto& addresses = names_[base::lower(name)];
  if (addresses.size() < kMaxAddresses &&
      std::ranges::find(addresses, address) == addresses.end()) {
    addresses.push_back(address);
  }
}

HostsTable HostsTable::parse(std::string_view text) {
  HostsTable table;
  text = text.substr(0, kMaxFile);
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line = line.substr(0, line.find('#'));
    const std::string_view first = next_word(line);
    if (first.starts_with('[')) continue;
    const auto address = base::Address::from_ip(first, 0);
    if (!address) continue;
    for (std::string_view name = next_word(line); !name.empty(); name = next_word(line)) {
      table.add(name, *address);
    }
  }
  return table;
}

const std::vector<base::Address>* HostsTable::find(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &found->second;
}

FileStamp FileStamp::of(const std::string& path) noexcept {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = status.st_size,
          .changed = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

const std::vector<base::Address>* HostsFile::find(std::string_view name, base::TimePoint now) {
  if (now >= look_at_) {
    look_at_ = now + kLookEvery;
    if (const FileStamp stamp = FileStamp::of(path_); stamp != stamp_) {
      stamp_ = stamp;
      table_ = HostsTable::parse(read_file(path_, HostsTable::kMaxFile));
    }
  }
  return table_.find(name);
}

}  // namespace io
