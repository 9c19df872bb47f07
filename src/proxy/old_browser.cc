#include "proxy/old_browser.h"

namespace proxy {
namespace {

bool has(std::string_view agent, std::string_view word) noexcept {
  return agent.find(word) != std::string_view::npos;
}

// "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)"
bool is_msie6(std::string_view agent) noexcept {
  const std::size_t at = agent.find("MSIE ");
  if (at == std::string_view::npos || has(agent, "Opera")) return false;
  const std::string_view version = agent.substr(at + 5);
  if (version.size() < 3 || version[1] != '.') return false;
  if (version[0] == '4' || version[0] == '5') return true;
  return version[0] == '6' && !has(version, "SV1");
}

// Others call themselves Safari as well.
bool is_safari(std::string_view agent) noexcept {
  return has(agent, "Safari/") && has(agent, "Mac OS X") && !has(agent, "Chrome/") &&
         !has(agent, "Gecko/") && !has(agent, "Opera") && !has(agent, "MSIE ");
}

}  // namespace

bool is_old_browser(const http::RequestHead& request, OldBrowsers disabled) noexcept {
  if (!disabled.msie6 && !disabled.safari) return false;
  const std::string_view agent = request.fields.value(http::FieldName::user_agent);
  if (agent.empty()) return false;
  return (disabled.msie6 && request.method == http::Method::post && is_msie6(agent)) ||
         (disabled.safari && is_safari(agent));
}

}  // namespace proxy
