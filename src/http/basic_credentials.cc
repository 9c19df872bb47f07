#include "http/basic_credentials.h"

#include <algorithm>
#include <span>

#include "base/base64.h"
#include "base/text.h"

namespace http {
std::optional<BasicCredentials> parse_basic_credentials(std::string_view value,
                                                        base::Arena& arena) {
  constexpr std::string_view kScheme = "Basic ";
  if (!base::starts_with_ignoring_case(value, kScheme)) return std::nullopt;
  value.remove_prefix(kScheme.size());
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  const std::span<char> into = arena.allocate_chars(base::base64_decoded_size(value.size()));
  const auto size = base::decode_base64(value, base::Base64::standard, into);
  if (!size) return std::nullopt;
  const std::string_view decoded(into.data(), *size);
  const std::size_t colon = decoded.find(':');
  if (colon == 0 || colon == std::string_view::npos) return std::nullopt;
  return BasicCredentials{decoded.substr(0, colon), decoded.substr(colon + 1)};
}

}  // namespace http
