#include "tls/certificate_names.h"

#include <algorithm>

#include "base/address.h"
#include "base/text.h"

namespace tls {
namespace {

bool matches(std::string_view pattern, std::string_view host) {
  if (!pattern.starts_with("*.")) return base::equal_ignoring_case(pattern, host);
  const auto dot = host.find('.');
  return dot != std::string_view::npos && dot > 0 &&
         base::equal_ignoring_case(pattern.substr(1), host.substr(dot));
}

}  // namespace

bool covers(const Certificate::Facts& facts, std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (const auto address = base::Address::from_ip(host, 0)) {
    return std::ranges::any_of(facts.ip_addresses, [&](const std::string& text) {
      return base::Address::from_ip(text, 0) == address;
    });
  }
  return std::ranges::any_of(facts.dns_names,
                             [&](const std::string& name) { return matches(name, host); });
}

}  // namespace tls
