// `valid_referers` and $invalid_referer: whether the page that led here is one of those that may.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/regex.h"
#include "config/directive.h"
#include "script/name_hash.h"
#include "script/variables.h"

namespace script {

/// All words of a level's directives.
struct RefererOptions {
  config::Setting<std::vector<config::Word>> valid;
  auto settings(this auto& self) { return std::tie(self.valid); }
};

/// What a level's words say.
class Referers {
 public:
  /// "" or "1": $invalid_referer. Nothing, and a failure of the subject, where a regular expression
  /// came to no verdict.
  [[nodiscard]] std::optional<std::string_view> invalid(Subject& subject) const;

  void allow_none() noexcept { none_ = true; }
  void allow_blocked() noexcept { blocked_ = true; }
  /// A host, perhaps with a wildcard, and the beginning of the path there; empty: any.
  [[nodiscard]] NameHash::Added add(std::string_view host, std::string_view path);
  /// Over the host alone, or over all that follows the scheme.
  void add_host_pattern(base::Regex pattern) { host_patterns_.push_back(std::move(pattern)); }
  void add_pattern(base::Regex pattern) { patterns_.push_back(std::move(pattern)); }

  [[nodiscard]] bool has_names() const noexcept { return !hosts_.empty(); }

 private:
  [[nodiscard]] bool checks() const noexcept {
    return has_names() || !patterns_.empty() || !host_patterns_.empty();
  }

  bool none_ = false;
  bool blocked_ = false;
  NameHash hosts_;  // to an index in paths_
  std::vector<std::string> paths_;
  std::vector<base::Regex> host_patterns_;
  std::vector<base::Regex> patterns_;
};

extern const config::Feature kRefererFeature;

/// $invalid_referer, by the referers of the level whose settings hold.
class InvalidReferer final : public Source {
 public:
  [[nodiscard]] std::optional<std::string_view> compute(Subject& subject) const override;
};

/// The names of the virtual server that a level belongs to; of a server without a name, one empty
/// word.
using ServerNames = std::function<std::span<const config::Word>(const config::Level&)>;

/// After inheritance, for each server and location level.
void provision_referers(config::Level& level, const ServerNames& names,
                        config::Diagnostics& diagnostics);

}  // namespace script
