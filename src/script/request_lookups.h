// What a client wrote into its query and its cookies, found as nginx finds it.
#pragma once

#include <optional>
#include <string_view>

#include "http/fields.h"

namespace script {

/// The value of the first "NAME=" at the beginning or behind '&', in any letter case; not decoded
/// (nginx's ngx_http_arg).
[[nodiscard]] std::optional<std::string_view> find_argument(std::string_view args,
                                                            std::string_view name) noexcept;

/// The first cookie of that name, in any letter case: pairs end at ';' or ',', but a value only at
/// ';' (nginx's ngx_http_parse_multi_header_lines).
[[nodiscard]] std::optional<std::string_view> find_cookie(const http::Fields& request,
                                                          std::string_view name) noexcept;

}  // namespace script
