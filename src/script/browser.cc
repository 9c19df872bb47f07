#include "script/browser.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace script {
namespace {

// Where the version stands: behind `name`, which is looked for behind the first `skipped` bytes; so
// many bytes after its beginning.
struct Mask {
  std::string_view browser;
  std::size_t skipped;
  std::string_view name;
  std::size_t version_after;
};
constexpr std::array<Mask, 5> kMasks{
    {// "Opera/9.01 (X11; U; en)", "Mozilla/4.0 (compatible; MSIE 6.0; X11) Opera 7.50"
     {"opera", 0, "Opera", std::string_view("Opera ").size()},
     {"msie", std::string_view("Mozilla/4.0 (compatible; ").size(), "MSIE ", 5},
     {"gecko", std::string_view("Mozilla/5.0 (").size(), "rv:", 3},
     {"safari", std::string_view("Mozilla/5.0 (").size(), "Safari/", 7},
     {"konqueror", std::string_view("Mozilla/5.0 (compatible; ").size(), "Konqueror/", 10}}};

constexpr std::uint64_t kFirstScale = 1'000'000;

bool has(std::string_view text, std::string_view word) noexcept {
  return text.find(word) != std::string_view::npos;
}

// Where the browser's version begins; nothing where it is another browser.
std::optional<std::string_view> version_text(Browser browser, std::string_view agent) noexcept {
  const Mask& mask = kMasks.at(static_cast<std::size_t>(browser));
  if (agent.size() <= mask.skipped) return std::nullopt;
  const std::size_t at = agent.find(mask.name, mask.skipped);
  if (at == std::string_view::npos || agent.size() - at <= mask.version_after) return std::nullopt;
  return agent.substr(at + mask.version_after);
}

// Numbers wrap, as in nginx: whoever writes such a version has none.
bool is_at_least(std::string_view text, std::uint64_t wanted) noexcept {
  std::uint64_t version = 0;
  std::uint64_t number = 0;
  std::uint64_t scale = kFirstScale;
  for (const char c : text) {
    if (base::is_digit(c)) {
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
      continue;
    }
    if (c != '.') break;
    version += number * scale;
    if (version > wanted) return true;
    number = 0;
    scale /= 100;
  }
  return version + number * scale >= wanted;
}

bool is_netscape4(std::string_view agent) noexcept {
  constexpr std::string_view kName = "Mozilla/";
  return agent.size() > std::string_view("Mozilla/4.72 ").size() && agent.starts_with(kName) &&
         agent[kName.size()] > '0' && agent[kName.size()] < '5';
}

}  // namespace

std::optional<Browser> find_browser(std::string_view name) noexcept {
  const auto found = std::ranges::find_if(
      kMasks, [name](const Mask& mask) { return base::equal_ignoring_case(mask.browser, name); });
  if (found == kMasks.end()) return std::nullopt;
  return static_cast<Browser>(found - kMasks.begin());
}

std::optional<std::uint64_t> parse_browser_version(std::string_view text) noexcept {
  std::uint64_t version = 0;
  std::uint64_t number = 0;
  std::uint64_t scale = kFirstScale;
  for (const char c : text) {
    if (base::is_digit(c)) {
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
    } else if (c == '.') {
      version += number * scale;
      number = 0;
      scale /= 100;
    } else {
      return std::nullopt;
    }
  }
  return version + number * scale;
}

BrowserAge browser_age(const BrowserOptions& options,
                       std::optional<std::string_view> user_agent) noexcept {
  const BrowserOptions::Modern& modern = *options.modern;
  const BrowserAge unlisted = modern.unlisted ? BrowserAge::modern : BrowserAge::ancient;
  if (!user_agent) return unlisted;
  const std::string_view agent = *user_agent;
  if (!modern.browsers.empty()) {
    for (std::size_t i = 0; i < kMasks.size(); ++i) {
      const auto browser = static_cast<Browser>(i);
      const auto text = version_text(browser, agent);
      if (!text) continue;
      const auto listed =
          std::ranges::find(modern.browsers, browser, &BrowserOptions::Version::browser);
      if (listed != modern.browsers.end()) {
        return is_at_least(*text, listed->version) ? BrowserAge::modern : BrowserAge::ancient;
      }
      // Opera calls itself by others' names: where it is not named, it is not one of them either.
      if (browser == Browser::opera) return BrowserAge::ancient;
    }
    if (!modern.unlisted) return BrowserAge::ancient;
  }
  if (options.ancient->netscape4 && is_netscape4(agent)) return BrowserAge::ancient;
  const bool is_named = std::ranges::any_of(
      options.ancient->words, [agent](const std::string& word) { return has(agent, word); });
  return is_named ? BrowserAge::ancient : unlisted;
}

bool is_msie(std::string_view user_agent) noexcept {
  const std::size_t at = user_agent.find("MSIE ");
  return at != std::string_view::npos && user_agent.size() - at > 7 && !has(user_agent, "Opera");
}

}  // namespace script
