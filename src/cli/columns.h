// Text for a terminal of 80 columns. Control characters become spaces: what stands in a
// configuration never steers a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cli {

inline constexpr std::size_t kColumns = 80;

/// Lines of at most 80 columns, each with its line feed: the first after `indent` spaces, further
/// ones after `hanging`. Words that are too long are cut into pieces.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t indent, std::size_t hanging);

/// At most `width` columns: longer texts lose their middle ("very-long…name").
[[nodiscard]] std::string shortened(std::string_view text, std::size_t width);

/// "1.5 M", "12.3 k", "999": at most 6 columns for anything below 1000 P.
[[nodiscard]] std::string with_prefix(double value);

}  // namespace cli
