// `sub_filter`: texts of a response replaced by others (ngx_http_sub_module).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "config/setters.h"
#include "filter/body_filter.h"
#include "filter/mime_types.h"
#include "filter/substitution.h"
#include "script/value.h"

namespace filter {

struct SubPair {
  config::Word pattern;
  config::Word text;
};

struct SubOptions {
  config::Setting<std::vector<SubPair>> pairs;
  config::Setting<bool> once{true};
  config::Setting<bool> last_modified{false};
  config::Setting<MimeTypes> types{MimeTypes{.all = false, .types = {"text/html"}}};
  auto settings(this auto& self) {
    return std::tie(self.pairs, self.once, self.last_modified, self.types);
  }
};

struct SubPlan {
  struct Pair {
    script::Value pattern;
    script::Value text;
  };
  const SubOptions* options = nullptr;
  std::vector<Pair> pairs;
  std::optional<PatternSet> patterns;  // unless they have variables
};

extern const config::Feature kSubFeature;

/// Null where a level has no sub_filter.
[[nodiscard]] std::shared_ptr<const SubPlan> plan_sub(const config::Level& level,
                                                      script::Variables& variables,
                                                      config::Diagnostics& diagnostics);

/// Whether something would be looked for in the response: by its type and length.
[[nodiscard]] bool is_for_sub(const SubPlan& plan, const exchange::Exchange& exchange);
/// Changes the head and adds the filter. False: a pattern could not be evaluated.
[[nodiscard]] bool start_sub(const SubPlan& plan, exchange::Exchange& exchange,
                             BodyFilters& filters);

class SubFilter final : public BodyFilter {
 public:
  /// `numbers`: the pair that each pattern belongs to. `own` are the patterns of this response
  /// alone, else they are the plan's.
  SubFilter(const SubPlan& plan, std::optional<PatternSet> own, std::vector<std::uint32_t> numbers,
            exchange::Exchange& exchange);

  [[nodiscard]] async::Task<base::Result<void>> write(std::string_view piece, http::Then then,
                                                      io::Patience patience) override;

 private:
  [[nodiscard]] std::optional<std::string_view> text_for(std::uint32_t number);

  const SubPlan& plan_;
  std::optional<PatternSet> own_;
  std::vector<std::uint32_t> numbers_;
  exchange::Exchange& exchange_;
  std::vector<std::optional<std::string_view>> texts_;  // by pairs; evaluated when first needed
  Substitution substitution_;
  std::string out_;
};

}  // namespace filter
