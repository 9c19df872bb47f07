// `add_header NAME VALUE [always]`: fields for the client, on top of what the backend sent.
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "exchange/exchange.h"
#include "script/value.h"

namespace filter {

struct AddedHeader {
  std::string name;
  config::Word value;
  bool always = false;
};

/// A level's own list replaces that of the level around it.
struct AddHeaderOptions {
  config::Setting<std::vector<AddedHeader>> headers;
  auto settings(this auto& self) { return std::tie(self.headers); }
};

struct AddHeaderPlan {
  struct Entry {
    http::FieldName id;
    std::string name;
    script::Value value;
    bool always;
  };
  std::vector<Entry> entries;
};

extern const config::Feature kAddHeaderFeature;

/// After inheritance, for each http, server and location level.
void provision_add_header(config::Level& level, script::Variables& variables,
                          config::Diagnostics& diagnostics);

/// Adds to exchange.response.fields, by the status that stands there. Without `always`: 200, 201, 204,
/// 206, 301, 302, 303, 304, 307 and 308 only. An empty value adds nothing; Last-Modified, ETag and
/// their like replace. False: the fields' limit was reached.
[[nodiscard]] bool apply_add_header(const config::Level& level, exchange::Exchange& exchange);

}  // namespace filter
