// nginx's auth_request module: a subrequest decides. What it takes to ask is `proxy`'s
// (authorise.cc); here is what the directives say.
#pragma once

#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "exchange/exchange.h"
#include "script/value.h"

namespace admission {

struct AuthRequestOptions {
  struct Set {
    config::Word name;  // "$user"
    config::Word value;
  };
  config::Setting<std::string> path;  // empty: off
  config::Setting<std::vector<Set>> sets;
  auto settings(this auto& self) { return std::tie(self.path, self.sets); }
};

/// Where a path is given.
struct AuthRequestPlan {
  struct Set {
    std::size_t slot;
    script::Value value;
  };
  std::string path;
  std::vector<Set> sets;  // in the order of the file
};

extern const config::Feature kAuthRequestFeature;

/// After inheritance, for each http, server and location level from the top.
void provision_auth_request(config::Level& level, script::Variables& variables,
                            config::Diagnostics& diagnostics);

/// Null: no subrequest is made there.
[[nodiscard]] const AuthRequestPlan* auth_request_of(const config::Level& level) noexcept;

/// Gives the parent's variables the values that the answered subrequest has for them.
void set_from_answer(const AuthRequestPlan& plan, exchange::Exchange& answered,
                     exchange::Exchange& parent);

}  // namespace admission
