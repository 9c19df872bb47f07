// The steps between the choice of a location and its content: limits, then whether the client may
// have what it asks for. The order is nginx's: limit_req, limit_conn, allow and deny, auth_basic.
#pragma once

#include <optional>

#include "async/task.h"
#include "proxy/context.h"

namespace proxy {

/// What limit_except says of the method holds from here on: context.level may become its block's.
void apply_limit_except(Context& context) noexcept;

[[nodiscard]] bool has_limits(const Context& context) noexcept;
/// limit_req and limit_conn. A delayed request waits here, until its client leaves.
[[nodiscard]] async::Task<std::optional<Answer>> keep_limits(Context& context);

[[nodiscard]] bool is_restricted(const Context& context) noexcept;
/// allow, deny and auth_basic, as satisfy says.
[[nodiscard]] async::Task<std::optional<Answer>> check_access(Context& context);

}  // namespace proxy
