// The status of a running instance for people, at most 80 columns: what needs attention first, then
// the clients' side, the backends, servers and locations by their traffic, certificates; what is
// zero is left out.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace cli {

struct StatusView {
  /// The answer before: rates and times are then those since. Empty: none.
  std::string_view previous{};
  bool colored = false;
  bool brief = false;  // one screen: without workers and counters
};

/// `json` is what the admin socket answered. The error is a sentence: the instance's own, or that
/// the answer is not understood.
[[nodiscard]] std::expected<std::string, std::string> render_status(std::string_view json,
                                                                    const StatusView& view = {});
/// The same JSON, indented.
[[nodiscard]] std::expected<std::string, std::string> indent_status(std::string_view json);

}  // namespace cli
