#include "http/user_agent.h"

namespace http {

// "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)"
bool is_msie6(std::string_view user_agent) noexcept {
  const std::size_t at = user_agent.find("MSIE ");
  if (at == std::string_view::npos || user_agent.contains("Opera")) return false;
  const std::string_view version = user_agent.substr(at + 5);
  if (version.size() < 3 || version[1] != '.') return false;
  return version[0] == '4' || version[0] == '5' || (version[0] == '6' && !version.contains("SV1"));
}

}  // namespace http
