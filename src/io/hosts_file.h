// HostsTable: what a hosts file says (hosts(5)). HostsFile: one on the disk, read again when it has
// changed, so that an edit counts without a restart.
//
// c-ares can read the file, too, but it does so for every lookup and for each family apart: a name
// that the file gives an IPv4 address alone would get its IPv6 ones from the name server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/clock.h"

namespace io {

class HostsTable {
 public:
  static constexpr std::size_t kMaxFile = std::size_t{4} << 20;  // bytes; the rest is not read
  static constexpr std::size_t kMaxAddresses = 64;  // of a name; further ones are left out

  HostsTable() = default;
  /// Any bytes. Lines that are no "ADDRESS NAME..." are left out; a zone ("fe80::1%eth0") is no
  /// address here.
  [[nodiscard]] static HostsTable parse(std::string_view text);

  /// The addresses (port 0) in the order of the file, or null. `name` is in lower case.
  [[nodiscard]] const std::vector<base::Address>* find(std::string_view name) const;
  [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }

 private:
  void add(std::string_view name, const base::Address& address);
  std::map<std::string, std::vector<base::Address>, std::less<>> names_;
};

/// What tells that a file has changed; equal for one that is still not there.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = -1;
  std::int64_t changed = 0;  // nanoseconds
  bool operator==(const FileStamp&) const = default;
  [[nodiscard]] static FileStamp of(const std::string& path) noexcept;
};

class HostsFile {
 public:
  static constexpr std::chrono::seconds kLookEvery{1};
  explicit HostsFile(std::string path) : path_(std::move(path)) {}

  /// As HostsTable::find; looks whether the file has changed, at most once a second.
  [[nodiscard]] const std::vector<base::Address>* find(std::string_view name, base::TimePoint now);

 private:
  std::string path_;
  HostsTable table_;
  FileStamp stamp_;
  base::TimePoint look_at_{};
};

}  // namespace io
