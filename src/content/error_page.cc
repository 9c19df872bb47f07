#include "content/error_page.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <string>

#include "http/status.h"

namespace content {
namespace {

constexpr unsigned kFirst = 301;
constexpr unsigned kLast = 599;
using Pages = std::array<std::array<std::string, 2>, kLast - kFirst + 1>;  // [with_version]

// 494 to 497 are 400s that say more: the title tells it, the heading is that of a 400.
std::string make_page(unsigned status, bool with_version) {
  const std::string_view title = http::error_title(status);
  if (title.empty() || http::status_has_no_body(status)) return {};
  const bool says_more = http::wire_status(status) != status;
  const std::string detail =
      says_more ? fmt::format("<center>{}</center>\r\n", title.substr(title.find(' ') + 1)) : "";
  return fmt::format(
      "<html>\r\n<head><title>{}</title></head>\r\n<body>\r\n<center><h1>{}</h1></center>\r\n{}"
      "<hr><center>{}</center>\r\n</body>\r\n</html>\r\n",
      title, says_more ? http::error_title(400) : title, detail, server_text(with_version));
}

Pages make_pages() {
  Pages pages;
  for (unsigned status = kFirst; status <= kLast; ++status) {
    for (const bool with_version : {false, true}) {
      pages.at(status - kFirst).at(with_version ? 1 : 0) = make_page(status, with_version);
    }
  }
  return pages;
}

}  // namespace

std::string_view server_text(bool with_version) noexcept {
  return with_version ? "sallyport/" SALLYPORT_VERSION : "sallyport";
}

std::string_view error_page(unsigned status, bool with_version) {
  static const Pages pages = make_pages();
  if (status < kFirst || status > kLast) return {};
  return pages.at(status - kFirst).at(with_version ? 1 : 0);
}

}  // namespace content
