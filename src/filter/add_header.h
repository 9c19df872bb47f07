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
  bool ignored = false;  // never sent, but the list is this level's own all the same
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

/// Adds to exchange.response.fields, by the status that stands there. Without `always`: 200, 201,
/// 204, 206, 301, 302, 303, 304, 307 and 308 only. An empty value adds nothing. Last-Modified and
/// ETag replace the response's own, and an empty value removes it; all others are added to what is
/// there, Cache-Control, Link and Vary as further lines (nginx's ngx_http_set_headers). False: the
/// fields' limit was reached, or a value passed its own.
[[nodiscard]] bool apply_add_header(const config::Level& level, exchange::Exchange& exchange);

}  // namespace filter
