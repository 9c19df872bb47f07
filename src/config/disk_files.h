// DiskFiles: the FileSource of the supervisor and of `check`.
//
// Keys are checked by fstat on the opened descriptor, so that what was checked is what is used: a
// regular file that everyone else can neither read nor write; a group may read it only if it is
// root's or the one that `key_group` names. Symbolic links are followed (certbot's live/ is made of
// them).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "config/file_source.h"

namespace config {

class DiskFiles final : public FileSource {
 public:
  explicit DiskFiles(Prefixes prefixes) : prefixes_(std::move(prefixes)) {}

  void set_key_policy(const KeyPolicy& policy) override { key_policy_ = policy; }

  [[nodiscard]] base::Result<std::string> read_text(std::string_view path,
                                                    Purpose purpose) override;
  [[nodiscard]] base::Result<base::Fd> open(std::string_view path, Purpose purpose) override;
  [[nodiscard]] base::Result<std::vector<std::string>> glob(std::string_view pattern) override;
  [[nodiscard]] base::Result<std::vector<std::string>> resolve(std::string_view host) override;
  [[nodiscard]] std::string full_name(std::string_view path, Purpose purpose) const override {
    return prefixes_.full_name(path, purpose);
  }
  [[nodiscard]] std::vector<std::string> take_warnings() override;

 private:
  [[nodiscard]] base::Result<void> check_key(const std::string& name, mode_t mode, gid_t group);

  Prefixes prefixes_;
  KeyPolicy key_policy_;
  std::vector<std::string> warnings_;
};

}  // namespace config
