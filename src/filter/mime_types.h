// The types of responses that a filter takes part in: gzip_types, sub_filter_types, charset_types.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/setters.h"
#include "exchange/exchange.h"

namespace filter {

struct MimeTypes {
  bool all = false;  // "*", also of responses without a type
  std::vector<std::string> types;  // in lower case

  /// `type` without parameters, in any letter case.
  [[nodiscard]] bool match(std::string_view type) const noexcept;
};

/// A Content-Type in its parts: `type` without a charset, if one is told. Other parameters stay
/// with the type, as in nginx.
struct ContentType {
  std::string_view type;
  std::string_view charset;
};
[[nodiscard]] ContentType content_type_of(const exchange::Exchange& exchange) noexcept;

/// Reads all arguments into `setting`, behind `first`, which always belongs to them. A type that
/// comes twice is warned of.
void read_types(config::Binding& binding, config::Setting<MimeTypes>& setting,
                std::string_view first);

/// A setter; all lists of nginx begin with text/html.
template <auto Member>
void set_types(config::Binding& binding) {
  read_types(binding, config::detail::setting<Member>(binding), "text/html");
}

}  // namespace filter
