// How directives say how often something may happen on an HTTP/2 connection: "10r/s burst=150".
#pragma once

#include <optional>

#include "config/setters.h"
#include "http/h2/limits.h"

namespace proxy {

/// Of the two arguments. Nothing: they are reported as invalid.
[[nodiscard]] std::optional<http::h2::Rate> read_http2_rate(config::Binding& binding);

template <auto Member>
void set_http2_rate(config::Binding& binding) {
  const auto rate = read_http2_rate(binding);
  if (rate) config::detail::setting<Member>(binding).set(*rate, binding.where());
}

}  // namespace proxy
