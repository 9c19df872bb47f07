#include "route/route_builder.h"

#include "route/unreachable.h"

namespace route {

RouteTable build_routes(const config::Level& server, script::Variables& variables,
                        config::Diagnostics& diagnostics,
                        bool (*redirects_slash)(const config::Level& location)) {
  RouteTable table;
  warn_of_unreachable(server, diagnostics);
  for (const auto& level : server.children()) {
    const auto* options = level->find<LocationOptions>();
    if (level->context() != config::Context::location || options == nullptr) continue;
    auto location = std::make_unique<Location>();
    location->kind = options->kind;
    location->name = options->name;
    location->level = level.get();
    if (options->kind == Location::Kind::regex) {
      location->pattern = script::Pattern::compile(
          options->name,
          options->ignore_case ? base::Regex::Case::insensitive : base::Regex::Case::sensitive,
          options->where, variables, diagnostics);
      if (!location->pattern) continue;
    } else {
      location->redirect_without_slash = redirects_slash(*level);
    }
    RouteTable nested = build_routes(*level, variables, diagnostics, redirects_slash);
    if (!nested.locations().empty())
      location->nested = std::make_unique<RouteTable>(std::move(nested));
    if (!table.add(std::move(location))) {
      diagnostics.error(options->where, "duplicate location \"" + options->name + "\"");
    }
  }
  return table;
}

}  // namespace route
