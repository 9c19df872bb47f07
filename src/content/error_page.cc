#include "content/error_page.h"

#include <fmt/format.h>

#include <string>
#include <unordered_map>

#include "http/status.h"

namespace content {

std::string_view server_text(bool with_version) noexcept {
  return with_version ? "sallyport/" SALLYPORT_VERSION : "sallyport";
}

std::string_view error_page(unsigned status, bool with_version) {
  thread_local std::unordered_map<unsigned, std::string> pages;
  const auto [page, is_new] = pages.try_emplace(status * 2 + (with_version ? 1 : 0));
  if (!is_new) return page->second;
  const std::string_view title = http::error_title(status);
  if (title.empty()) return page->second;
  std::string_view detail;
  if (status == 497) detail = "<center>The plain HTTP request was sent to HTTPS port</center>\r\n";
  page->second = fmt::format(
      "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n{1}"
      "<hr><center>{2}</center>\r\n</body>\r\n</html>\r\n",
      title, detail, server_text(with_version));
  return page->second;
}

}  // namespace content
