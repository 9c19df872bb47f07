// The step that answers for `stub_status`, `health_endpoint` and `empty_gif`.
#pragma once

#include <optional>

#include "proxy/context.h"

namespace proxy {

/// Nothing if the level has no such page.
[[nodiscard]] std::optional<Answer> answer_status_page(Context& context);

}  // namespace proxy
