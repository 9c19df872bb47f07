#include "proxy/old_browser.h"

#include "http/user_agent.h"

namespace proxy {
namespace {

bool has(std::string_view agent, std::string_view word) noexcept {
  return agent.find(word) != std::string_view::npos;
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
  return (disabled.msie6 && request.method == http::Method::post && http::is_msie6(agent)) ||
         (disabled.safari && is_safari(agent));
}

}  // namespace proxy
