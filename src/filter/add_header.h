// `add_header NAME VALUE [always]`: fields for the client, on top of what the backend sent; and
// `add_trailer`, the same behind the body.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "config/inherited_list.h"
#include "exchange/exchange.h"
#include "script/value.h"

namespace filter {

struct AddedHeader {
  std::string name;
  config::Word value;
  bool always = false;
  bool ignored = false;  // never sent, but the list is this level's own all the same
};

/// From level to level as add_header_inherit and add_trailer_inherit say.
struct AddHeaderOptions {
  config::InheritedList<AddedHeader> headers;
  config::InheritedList<AddedHeader> trailers;
  auto settings(this auto& self) { return std::tie(self.headers, self.trailers); }
};

struct AddHeaderPlan {
  struct Entry {
    http::FieldName id;
    std::string name;
    script::Value value;
    bool always;
  };
  std::vector<Entry> entries;
  std::vector<Entry> trailers;
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

/// nginx's statuses of success and redirection: what stands without `always` is for them alone.
[[nodiscard]] bool is_usual_success(unsigned status) noexcept;

/// Whether the response, by its status, has trailers of ours: its body must then be sent in a way
/// that has room for them.
[[nodiscard]] bool expects_trailers(const config::Level& level, unsigned status) noexcept;
/// When the body has been sent: adds them to `trailers`, those that are empty or too long left out.
void add_trailers(const config::Level& level, exchange::Exchange& exchange, http::Fields& trailers);

}  // namespace filter
