// Where a request goes on when it does not end where it was: internal redirects, named locations,
// and what error_page makes of an error. Each uses up one of kMaxUriChanges.
#pragma once

#include <optional>
#include <string_view>

#include "proxy/context.h"

namespace proxy {

/// Moves the request to another path of its server. Nothing, or an answer if it has been moved too
/// often. Views live as long as the exchange.
[[nodiscard]] std::optional<Answer> redirect_internally(Context& context, std::string_view path,
                                                        std::string_view args);

/// The same to what try_files, error_page or a backend names: "@name", or a path with perhaps a
/// query. The path is taken as it stands, as a canonical one; nothing in it is decoded.
[[nodiscard]] std::optional<Answer> go_to(Context& context, std::string_view target);

/// The same for a URI of a backend's (X-Accel-Redirect): escapes are decoded, and what is not
/// canonical then is refused with 404.
[[nodiscard]] std::optional<Answer> go_to_uri(Context& context, std::string_view target);

/// Whether error_page has something to show for such a status.
[[nodiscard]] bool has_error_page(const Context& context, unsigned status) noexcept;

/// What the client gets for an error: the answer itself, a redirect, or (nothing) the request goes
/// on elsewhere.
[[nodiscard]] std::optional<Answer> apply_error_page(Context& context, Answer answer);

/// Uses up one change. False, and logged with `doing`: there have been too many.
[[nodiscard]] bool count_change(Context& context, std::string_view doing, std::string_view where);

}  // namespace proxy
