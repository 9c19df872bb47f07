#include "http/forwarded_for.h"

#include <optional>

namespace http {
namespace {

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1" or "[2001:db8::1]:80"; brackets are for ports only.
std::optional<base::Address> parse_address(std::string_view text) {
  if (const auto with_port = base::Address::from_ip_and_port(text)) {
    return with_port->port() != 0 ? with_port : std::nullopt;
  }
  return text.starts_with('[') ? std::nullopt : base::Address::from_ip(text, 0);
}

}  // namespace

bool ForwardedSearch::walk_list(std::string_view list, base::Address& address) const {
  constexpr std::string_view kSeparators = " \t,";
  for (;;) {
    const auto end = list.find_last_not_of(kSeparators);
    if (end == std::string_view::npos) return false;
    list = list.substr(0, end + 1);
    const auto separator = list.find_last_of(kSeparators);
    const bool is_first = separator == std::string_view::npos;
    const auto stated = parse_address(is_first ? list : list.substr(separator + 1));
    if (!stated) return false;
    address = *stated;
    if (!recursive_ || !is_trusted(address)) return false;
    if (is_first) return true;
    list = list.substr(0, separator);
  }
}

void ForwardedSearch::walk_forwarded_for(const Fields& fields, base::Address& address) const {
  if (!is_trusted(address)) return;
  const auto all = fields.all();
  for (std::size_t i = all.size(); i > 0; --i) {
    if (all[i - 1].id != FieldName::x_forwarded_for) continue;
    if (!walk_list(all[i - 1].value, address)) return;
  }
}

}  // namespace http
