// From resolved levels to what is served: virtual servers, listen groups, plans.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "accesslog/access_log.h"
#include "config/directive.h"
#include "proxy/site.h"
#include "script/variables.h"
#include "tls/private_key.h"
#include "upstream/resolver_directives.h"

namespace snapshot {

struct Built {
  proxy::Listing listing;
  std::vector<tls::PrivateKeyPtr> private_keys;  // each once
  std::vector<upstream::NameInUse> names;
};

/// `http` is null for a configuration without an http block. Problems go to `diagnostics`.
/// `files` opens nginx's default access log under `compat nginx`.
void build(config::Level& root, config::Level* http, script::Variables& variables,
           const config::BuildFlags& flags, config::FileSource& files,
           config::Diagnostics& diagnostics, Built& built);

}  // namespace snapshot
