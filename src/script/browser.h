// What a browser is by its User-Agent: nginx's `modern_browser` and `ancient_browser`.
//
// Everybody may call himself anything: these are for pages that old browsers can't show, never for
// deciding who may do what.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "config/directive.h"

namespace script {

/// In nginx's order: some call themselves by the names of others that stand behind them.
enum class Browser : std::uint8_t { opera, msie, gecko, safari, konqueror };

struct BrowserOptions {
  struct Version {
    Browser browser;
    std::uint64_t version;  // parse_browser_version
  };
  struct Modern {
    std::vector<Version> browsers;
    bool unlisted = false;  // those that are not named are modern, too
  };
  struct Ancient {
    std::vector<std::string> words;
    bool netscape4 = false;
  };
  config::Setting<Modern> modern;
  config::Setting<Ancient> ancient;
  config::Setting<std::string> modern_value{std::string("1")};
  config::Setting<std::string> ancient_value{std::string("1")};

  auto settings(this auto& self) {
    return std::tie(self.modern, self.ancient, self.modern_value, self.ancient_value);
  }
};

extern const config::Feature kBrowserFeature;

/// In any letter case.
[[nodiscard]] std::optional<Browser> find_browser(std::string_view name) noexcept;

/// "1.8.0.5" is 1'080'005: four numbers of two digits, in nginx's arithmetic. Nothing for other
/// characters than digits and dots.
[[nodiscard]] std::optional<std::uint64_t> parse_browser_version(std::string_view text) noexcept;

enum class BrowserAge : std::uint8_t { ancient, modern };
/// Nothing: the request has no User-Agent.
[[nodiscard]] BrowserAge browser_age(const BrowserOptions& options,
                                     std::optional<std::string_view> user_agent) noexcept;

/// Any version of Internet Explorer. Opera once called itself so.
[[nodiscard]] bool is_msie(std::string_view user_agent) noexcept;

}  // namespace script
