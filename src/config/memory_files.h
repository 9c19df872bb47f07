// MemoryFiles: a FileSource for tests and for configurations that are part of the program. Files
// live in memory (as memfds, so that descriptors work); logs are created when opened.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/file_source.h"

namespace config {

class MemoryFiles final : public FileSource {
 public:
  MemoryFiles() : MemoryFiles(Prefixes{"/prefix/", "/etc/"}) {}
  explicit MemoryFiles(Prefixes prefixes) : prefixes_(std::move(prefixes)) {}

  /// Relative names are those of configuration files. Replaces what was there.
  void add(std::string_view path, std::string_view text);
  /// Opening or reading it gives this error.
  void add_failure(std::string_view path, const base::Error& error);
  /// Other hosts are not found.
  void add_host(std::string host, std::vector<std::string> addresses) {
    hosts_.insert_or_assign(std::move(host), std::move(addresses));
  }
  /// What the file holds now, written logs included; empty if it does not exist.
  [[nodiscard]] std::string text_of(std::string_view full_name) const;

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
  std::map<std::string, base::Result<base::Fd>, std::less<>> files_;
  std::map<std::string, std::vector<std::string>, std::less<>> hosts_;
};

}  // namespace config
