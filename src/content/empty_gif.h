// `empty_gif`: a transparent picture of one pixel, out of memory.
#pragma once

#include <string_view>

#include "config/directive.h"
#include "content/preconditions.h"

namespace content {

/// A location's own, never inherited.
struct EmptyGifOptions {
  bool on = false;
};

extern const config::Feature kEmptyGifFeature;

/// 43 bytes.
[[nodiscard]] std::string_view empty_gif() noexcept;
/// nginx's date for it: it has no tag.
inline constexpr Validators kEmptyGifValidators{.modified = 23'349'600, .etag = {}};
inline constexpr std::string_view kEmptyGifDate = "Mon, 28 Sep 1970 06:00:00 GMT";

}  // namespace content
