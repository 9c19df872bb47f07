// `error_page CODE... [=[RESPONSE]] URI`: where an answer that says an error is replaced by another
// resource, or by a redirect. Inherited as nginx's lists are.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "config/level.h"
#include "script/value.h"

namespace content {

struct ErrorPageSetting {
  unsigned status = 0;  // that it stands for
  std::optional<unsigned> shown;  // "=200": the client's; 0 ("="): whatever the page gives
  config::Word target;
};

struct ErrorPageOptions {
  config::Setting<std::vector<ErrorPageSetting>> pages;
  config::Setting<bool> recursive{false};
  auto settings(this auto& self) { return std::tie(self.pages, self.recursive); }
};

struct ErrorPagePlan {
  struct Page {
    unsigned status = 0;
    std::optional<unsigned> shown;
    script::Value target;  // "/path", "@name", or a URL
  };
  std::vector<Page> pages;
  bool recursive = false;

  /// The first for the status; null if there is none.
  [[nodiscard]] const Page* find(unsigned status) const noexcept;
};

extern const config::Feature kErrorPageFeature;

/// The levels around it first.
void provision_error_pages(config::Level& level, script::Variables& variables,
                           config::Diagnostics& diagnostics);

}  // namespace content
