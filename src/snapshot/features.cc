#include "snapshot/features.h"

#include <array>

#include "accesslog/options.h"
#include "admission/real_ip.h"
#include "content/return_directive.h"
#include "content/static_directives.h"
#include "content/status_pages.h"
#include "filter/add_header.h"
#include "proxy/backend_tls_options.h"
#include "proxy/client_options.h"
#include "proxy/forward_options.h"
#include "route/route_options.h"
#include "snapshot/machine_directives.h"
#include "snapshot/process_directives.h"
#include "snapshot/tuning_directives.h"
#include "tls/tls_directives.h"
#include "upstream/resolver_directives.h"
#include "upstream/upstream_directives.h"

namespace snapshot {

std::span<const config::Feature> features() noexcept {
  static const std::array kFeatures{
      kProcessFeature,
      kMachineFeature,
      kTuningFeature,
      route::kFeature,
      tls::kFeature,
      proxy::kClientFeature,
      proxy::kForwardFeature,
      proxy::kBackendTlsFeature,
      upstream::kUpstreamFeature,
      upstream::kResolverFeature,
      admission::kRealIpFeature,
      content::kReturnFeature,
      content::kStatusPageFeature,
      content::kStaticFeature,
      filter::kAddHeaderFeature,
      accesslog::kAccessLogFeature,
      accesslog::kErrorLogFeature,
  };
  return kFeatures;
}

}  // namespace snapshot
