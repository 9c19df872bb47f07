// FilterPlan: the body filters that a level's directives ask for, compiled once. A level that asks
// for none has no plan, so that to look for one is all that filters cost there.
#pragma once

#include <memory>

#include "config/diagnostics.h"
#include "config/level.h"
#include "filter/addition.h"
#include "filter/charset.h"
#include "filter/gunzip.h"
#include "filter/gzip.h"
#include "filter/gzip_acceptance.h"
#include "filter/gzip_static.h"
#include "filter/ssi.h"
#include "filter/sub.h"
#include "script/variables.h"

namespace filter {

struct FilterPlan {
  const GzipAcceptanceOptions* acceptance = nullptr;  // never null in a level
  const GunzipOptions* gunzip = nullptr;  // null: off, as all others
  const GzipOptions* gzip = nullptr;
  GzipStatic gzip_static = GzipStatic::off;
  const AdditionOptions* addition = nullptr;
  SsiPlan ssi;
  std::shared_ptr<const SubPlan> sub;
  std::shared_ptr<const CharsetPlan> charset;

  [[nodiscard]] bool any() const noexcept {
    return gunzip != nullptr || gzip != nullptr || gzip_static != GzipStatic::off ||
           addition != nullptr || ssi.options != nullptr || sub != nullptr || charset != nullptr;
  }
};

/// After inheritance, for each http, server and location level, from the top.
void provision_filters(config::Level& level, script::Variables& variables,
                       config::Diagnostics& diagnostics);

}  // namespace filter
