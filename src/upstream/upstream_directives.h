// `upstream NAME { server ...; keepalive ...; }`: the directives, and the specs that they make.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/directive.h"
#include "config/level.h"
#include "upstream/cluster_spec.h"
#include "upstream/resolver_directives.h"

namespace upstream {

/// upstream, server, keepalive, keepalive_requests, keepalive_time, keepalive_timeout.
extern const config::Feature kUpstreamFeature;

/// All groups of a configuration by their names in lower case, after config::interpret. Reports
/// groups without servers and names that occur twice. The hosts of their servers go to `names`.
using Groups = std::map<std::string, std::shared_ptr<const ClusterSpec>, std::less<>>;
[[nodiscard]] Groups collect_groups(const config::Level& root, config::Diagnostics& diagnostics,
                                    const config::BuildFlags& flags, std::vector<NameInUse>& names);

/// Warns of the groups of `http` that are not among `used`. Not after errors: what uses a group may
/// be what was refused.
void warn_of_unused(const config::Level& http, const Groups& groups,
                    const std::vector<std::shared_ptr<const ClusterSpec>>& used,
                    config::Diagnostics& diagnostics);

}  // namespace upstream
