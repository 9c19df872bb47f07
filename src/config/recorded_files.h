// RecordingFiles keeps everything that a configuration read, opened, globbed or resolved, so that
// it can be sent to another process; ReceivedFiles answers there from the record and never touches
// the disk. The second process thus sees exactly what the first one checked, though files change in
// between.
//
// A file that is opened twice is opened once, and the descriptor duplicated. Keys are never
// recorded as text; their descriptors are taken out of the record (withhold_keys) for whoever may
// hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "config/file_source.h"

namespace config {

struct FileRecord {
  enum class Request : std::uint8_t { read, open, glob, resolve };
  Request request = Request::read;
  Purpose purpose = Purpose::config;
  std::string name;  // the full one; of a glob, the pattern; of a resolve, the host
  // The answer: one of the first three, as the request was, unless it failed.
  std::string text;
  base::Fd fd;  // empty: withheld
  std::vector<std::string> matches;  // of a resolve, addresses
  bool failed = false;
  base::ErrorCode error = base::ErrorCode::internal;
  int os_error = 0;
};

/// Records and where they are, so that thousands of certificates are no burden.
class FileRecords {
 public:
  FileRecords() = default;
  explicit FileRecords(std::vector<FileRecord> records);
  [[nodiscard]] const FileRecord* find(FileRecord::Request request, const std::string& name,
                                       Purpose purpose) const;
  const FileRecord& add(FileRecord record);
  [[nodiscard]] std::vector<FileRecord> take();

 private:
  using Key = std::tuple<FileRecord::Request, Purpose, std::string>;
  std::vector<FileRecord> records_;
  std::map<Key, std::size_t> index_;
};

class RecordingFiles final : public FileSource {
 public:
  explicit RecordingFiles(FileSource& inner) : inner_(inner) {}

  /// Everything so far, in the order of first use. The recording begins anew.
  [[nodiscard]] std::vector<FileRecord> take() { return records_.take(); }

  [[nodiscard]] base::Result<std::string> read_text(std::string_view path,
                                                    Purpose purpose) override;
  [[nodiscard]] base::Result<base::Fd> open(std::string_view path, Purpose purpose) override;
  [[nodiscard]] base::Result<std::vector<std::string>> glob(std::string_view pattern) override;
  [[nodiscard]] base::Result<std::vector<std::string>> resolve(std::string_view host) override;
  [[nodiscard]] std::string full_name(std::string_view path, Purpose purpose) const override {
    return inner_.full_name(path, purpose);
  }
  void set_key_policy(const KeyPolicy& policy) override { inner_.set_key_policy(policy); }
  [[nodiscard]] std::vector<std::string> take_warnings() override { return inner_.take_warnings(); }

 private:
  FileSource& inner_;
  FileRecords records_;
};

class ReceivedFiles final : public FileSource {
 public:
  ReceivedFiles(Prefixes prefixes, std::vector<FileRecord> records)
      : prefixes_(std::move(prefixes)), records_(std::move(records)) {}

  [[nodiscard]] base::Result<std::string> read_text(std::string_view path,
                                                    Purpose purpose) override;
  [[nodiscard]] base::Result<base::Fd> open(std::string_view path, Purpose purpose) override;
  [[nodiscard]] base::Result<std::vector<std::string>> glob(std::string_view pattern) override;
  [[nodiscard]] base::Result<std::vector<std::string>> resolve(std::string_view host) override;
  [[nodiscard]] std::string full_name(std::string_view path, Purpose purpose) const override {
    return prefixes_.full_name(path, purpose);
  }

 private:
  Prefixes prefixes_;
  FileRecords records_;
};

/// Takes the descriptors of keys out of a record: (full name, descriptor).
[[nodiscard]] std::vector<std::pair<std::string, base::Fd>> withhold_keys(
    std::vector<FileRecord>& records);

}  // namespace config
