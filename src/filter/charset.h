// `charset`: the character set that Content-Type tells of, and texts recoded into it
// (ngx_http_charset_module).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "config/directive.h"
#include "config/setters.h"
#include "filter/body_filter.h"
#include "filter/mime_types.h"
#include "filter/recoding.h"
#include "script/value.h"

namespace filter {

struct CharsetOptions {
  config::Setting<std::optional<config::Word>> charset;  // nothing: off
  config::Setting<std::optional<config::Word>> source;   // nothing: whatever it is
  config::Setting<bool> override_told{false};
  config::Setting<MimeTypes> types{
      MimeTypes{.all = false,
                .types = {"text/html", "text/xml", "text/plain", "text/vnd.wap.wml",
                          "application/javascript", "application/rss+xml"}}};
  auto settings(this auto& self) {
    return std::tie(self.charset, self.source, self.override_told, self.types);
  }
};

/// Of a whole configuration: the names that it knows, and the tables between them. Immutable once
/// built, shared by all levels.
class Charsets {
 public:
  void add(std::string_view name);
  /// False: there is one between the two already.
  [[nodiscard]] bool add_table(std::string_view from, std::string_view to, RecodingTable table);

  [[nodiscard]] bool empty() const noexcept { return names_.empty(); }
  /// The number of a name, in any letter case.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const noexcept;
  [[nodiscard]] const RecodingTable* table(std::size_t from, std::size_t to) const noexcept;

 private:
  std::vector<std::string> names_;
  std::map<std::pair<std::size_t, std::size_t>, RecodingTable> tables_;
};

struct CharsetPlan {
  std::shared_ptr<const Charsets> charsets;
  const CharsetOptions* options = nullptr;
  std::optional<script::Value> charset;  // nothing: off
  std::optional<script::Value> source;
};

extern const config::Feature kCharsetFeature;

/// Null where no character set is named in the whole configuration. Levels are given theirs from
/// the top.
[[nodiscard]] std::shared_ptr<const CharsetPlan> plan_charset(config::Level& level,
                                                              script::Variables& variables,
                                                              config::Diagnostics& diagnostics);

/// What becomes of a response.
struct CharsetChoice {
  std::optional<std::string_view> name;  // what Content-Type is to tell
  const RecodingTable* table = nullptr;  // null: the body stays
  std::string complaint;                 // for the error log
};
[[nodiscard]] CharsetChoice choose_charset(const CharsetPlan& plan, exchange::Exchange& exchange);

/// Changes the head and adds the filter. False: too many fields.
[[nodiscard]] bool start_charset(const CharsetChoice& choice, exchange::Exchange& exchange,
                                 BodyFilters& filters);

class CharsetFilter final : public BodyFilter {
 public:
  explicit CharsetFilter(const RecodingTable& table) : recoding_(table) {}

  [[nodiscard]] async::Task<base::Result<void>> write(std::string_view piece, http::Then then,
                                                      io::Patience patience) override;

 private:
  Recoding recoding_;
  std::string out_;
};

}  // namespace filter
