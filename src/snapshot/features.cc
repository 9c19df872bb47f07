#include "snapshot/features.h"

#include <array>
#include <vector>

#include "accesslog/options.h"
#include "admission/access.h"
#include "admission/auth_basic.h"
#include "admission/auth_request.h"
#include "admission/limit_except.h"
#include "admission/real_ip.h"
#include "admission/secure_link.h"
#include "content/autoindex.h"
#include "content/empty_gif.h"
#include "content/error_page_directive.h"
#include "content/file_variables.h"
#include "content/open_files.h"
#include "content/redirect.h"
#include "content/static_directives.h"
#include "content/status_pages.h"
#include "content/try_files.h"
#include "filter/add_header.h"
#include "filter/addition.h"
#include "filter/charset.h"
#include "filter/expires.h"
#include "filter/gunzip.h"
#include "filter/gzip.h"
#include "filter/gzip_static.h"
#include "filter/ssi.h"
#include "filter/sub.h"
#include "filter/userid.h"
#include "guard/limit_directives.h"
#include "proxy/backend_http2_options.h"
#include "proxy/backend_tls_options.h"
#include "proxy/client_options.h"
#include "proxy/forward_options.h"
#include "proxy/grpc_options.h"
#include "proxy/http2_options.h"
#include "proxy/limit_rate.h"
#include "proxy/mirror.h"
#include "proxy/post_action.h"
#include "proxy/tunnel_options.h"
#include "route/route_options.h"
#include "script/browser.h"
#include "script/data_directives.h"
#include "script/referer.h"
#include "script/rewrite_directives.h"
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
      script::kDataFeature,
      script::kRefererFeature,
      script::kBrowserFeature,
      kHttpTuningFeature,
      route::kFeature,
      tls::kFeature,
      proxy::kClientFeature,
      proxy::kHttp2Feature,
      proxy::kForwardFeature,
      proxy::kPassingFeature,
      proxy::kGrpcFeature,
      proxy::kCookieFeature,
      proxy::kLimitRateFeature,
      proxy::kMirrorFeature,
      proxy::kPostActionFeature,
      proxy::kBackendTlsFeature,
      proxy::kGrpcTlsFeature,
      proxy::kBackendHttp2Feature,
      proxy::kTunnelFeature,
      upstream::kUpstreamFeature,
      upstream::kResolverFeature,
      admission::kRealIpFeature,
      script::kRewriteFeature,
      content::kErrorPageFeature,
      content::kTryFilesFeature,
      admission::kAccessFeature,
      admission::kAuthBasicFeature,
      admission::kAuthRequestFeature,
      admission::kLimitExceptFeature,
      admission::kSecureLinkFeature,
      guard::kFeature,
      content::kRedirectFeature,
      content::kStatusPageFeature,
      content::kStaticFeature,
      content::kOpenFileFeature,
      content::kAutoindexFeature,
      content::kEmptyGifFeature,
      filter::kAddHeaderFeature,
      filter::kExpiresFeature,
      filter::kAdditionFeature,
      filter::kSsiFeature,
      filter::kGzipAcceptanceFeature,
      filter::kGzipFeature,
      filter::kGunzipFeature,
      filter::kGzipStaticFeature,
      filter::kSubFeature,
      filter::kCharsetFeature,
      filter::kUserIdFeature,
      accesslog::kAccessLogFeature,
      accesslog::kErrorLogFeature,
  };
  return kFeatures;
}

std::span<const script::VariableTable> variables() noexcept {
  static const std::vector<script::VariableTable> kTables = [] {
    const auto builtin = script::builtin_variables();
    std::vector<script::VariableTable> tables(builtin.begin(), builtin.end());
    tables.push_back(content::kFileVariables);
    tables.push_back(filter::kGzipVariables);
    tables.push_back(admission::kSecureLinkVariables);
    tables.push_back(filter::kUserIdVariables);
    return tables;
  }();
  return kTables;
}

}  // namespace snapshot
