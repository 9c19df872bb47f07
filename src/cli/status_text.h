// The status of a running instance for people: at most 80 columns, what is zero left out.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace cli {

/// `json` is what the admin socket answered. The error is a sentence: the instance's own, or that
/// the answer is not understood.
[[nodiscard]] std::expected<std::string, std::string> render_status(std::string_view json);
/// The same JSON, indented.
[[nodiscard]] std::expected<std::string, std::string> indent_status(std::string_view json);

}  // namespace cli
