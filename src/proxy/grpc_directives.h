// grpc_directives: the directives of grpc_pass out of those of proxy_pass.
#pragma once

#include <string>
#include <string_view>

#include "config/directive.h"

namespace proxy {

enum class AlsoPass : bool { no, yes };  // grpc_pass itself, in front

/// The rows of `proxy` under their grpc_ names; "proxy_" is "grpc_" in their texts, too. They live
/// as long as the program.
[[nodiscard]] config::DirectiveTable grpc_directives(config::DirectiveTable proxy,
                                                     AlsoPass also_pass);

/// A text for people that names directives of proxy_pass, with those of grpc_pass instead.
[[nodiscard]] std::string in_grpc_names(std::string_view text);

}  // namespace proxy
