// ForwardPlan: what a location's proxy_* directives mean, compiled once. Shared by the workers.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/directive.h"
#include "config/level.h"
#include "http/field_name.h"
#include "proxy/backend_tls_options.h"
#include "proxy/cookies.h"
#include "proxy/forward_options.h"
#include "script/pattern.h"
#include "script/value.h"
#include "tls/client_context.h"
#include "tls/private_key.h"
#include "upstream/cluster_spec.h"
#include "upstream/http2_terms.h"
#include "upstream/upstream_directives.h"

namespace proxy {

struct NamedCertificate;  // client_certificates.h
struct TunnelPassOptions;  // tunnel_options.h
struct TunnelPlan;  // tunnel_pass.h

/// Header names to look for: known ones by number, others by text.
class NameSet {
 public:
  void add(std::string_view name);
  void remove(std::string_view name);
  /// Equal in any letter case; with '_', '.' and '-' as one character, since backends read them so.
  [[nodiscard]] bool has(http::FieldName id, std::string_view name) const noexcept;

 private:
  std::bitset<http::kFieldNameCount> known_;
  std::vector<std::string> others_;
};

struct HeaderPlan {
  http::FieldName id = http::FieldName::other;
  std::string name;
  script::Value value;
};

struct RedirectPlan {
  script::Value from;  // a prefix, when there is no pattern
  std::optional<script::Pattern> pattern;
  script::Value to;
};

/// The target of a proxy_pass or a grpc_pass: scheme, authority and perhaps a URI.
struct PassTarget {
  bool https = false;
  std::string authority;  // "backend:8080", "unix:/run/app.sock"
  std::optional<std::string> uri;  // "/path", when one was given
};
/// The error is in nginx's words.
[[nodiscard]] std::expected<PassTarget, std::string> parse_pass_target(
    std::string_view url, PassOptions::Protocol protocol = PassOptions::Protocol::http);

/// "ADDRESS" or "ADDRESS:PORT", as proxy_bind has it.
[[nodiscard]] std::optional<base::Address> parse_local_address(std::string_view text);

struct ForwardPlan {
  const ForwardOptions* options = nullptr;
  PassOptions::Protocol protocol = PassOptions::Protocol::http;
  std::optional<script::Value> dynamic;  // proxy_pass with variables: parsed for each request
  PassTarget target;  // otherwise
  std::shared_ptr<const upstream::ClusterSpec> cluster;
  upstream::KeepAlive keep_alive;  // of clusters made at run time
  upstream::NameLookup lookup;  // likewise
  upstream::Http2Terms http2_terms;
  std::uint16_t port = 0;  // $proxy_port
  bool as_received = false;  // compat nginx: the path's bytes, whatever they decode to
  std::size_t replaced_prefix = 0;  // bytes of the path that target.uri stands for

  bool speaks_grpc = false;  // deadlines, and errors as gRPC has them; compat nginx: never
  [[nodiscard]] bool is_grpc() const noexcept { return protocol == PassOptions::Protocol::grpc; }

  std::vector<HeaderPlan> set_headers;  // defaults included
  NameSet set_names;  // their names: the client's own are not forwarded
  bool sets_connection = false;  // Connection or Upgrade are set by the configuration
  NameSet hidden;
  CookiePlan cookies;
  std::optional<script::Value> method;  // else it is the client's
  std::optional<script::Value> set_body;  // likewise
  std::optional<script::Value> bind;
  std::vector<script::Value> early_hints;  // conditions: 103s are passed on if one of them holds
  bool hints_always = true;  // when there are no conditions; compat nginx: never
  script::Value limit_rate;  // proxy_limit_rate
  bool pass_trailers = true;
  std::vector<RedirectPlan> redirects;

  std::shared_ptr<const tls::ClientPolicy> tls_policy;  // for https, also for dynamic targets
  std::shared_ptr<const NamedCertificate> named_certificate;  // else it is the policy's
  script::Value tls_name;
  bool send_sni = true;
};

/// Stands at the level of a server that has a grpc_pass somewhere inside.
struct ServesCalls {};

/// A certificate that backends are shown.
struct ClientCertificate {
  std::string file;
  tls::CertificatePtr certificate;
};

/// Where the plans of a configuration are made; policies that are equal are shared.
class PlanMaker {
 public:
  PlanMaker(script::Variables& variables, const upstream::Groups& groups,
            config::Diagnostics& diagnostics, const config::BuildFlags& flags)
      : variables_(variables), groups_(groups), diagnostics_(diagnostics), flags_(flags) {}

  /// Gives the level of a location, or of an `if` or limit_except in one, its ForwardPlan, if a
  /// proxy_pass holds for it.
  void provision(config::Level& level);

  /// Gives the level its TunnelPlan (tunnel_pass.h), if a tunnel_pass holds for it.
  void provision_tunnel(config::Level& level);

  /// Every group that some plan uses, and every implicit cluster.
  [[nodiscard]] const std::vector<std::shared_ptr<const upstream::ClusterSpec>>& clusters() const {
    return clusters_;
  }
  [[nodiscard]] const std::vector<std::shared_ptr<const tls::ClientPolicy>>& policies() const {
    return policies_;
  }
  [[nodiscard]] std::vector<ClientCertificate> client_certificates() const;
  /// Their keys, PEM, each once.
  [[nodiscard]] const std::map<tls::KeyId, tls::PrivateKeyPtr>& private_keys() const {
    return keys_;
  }
  /// The hosts of the implicit clusters.
  [[nodiscard]] const std::vector<upstream::NameInUse>& names() const { return names_; }

 private:
  void plan_target(const config::Level& level, const PassOptions& pass, ForwardPlan& plan);
  void plan_tunnel_target(const config::Level& level, const TunnelPassOptions& pass,
                          TunnelPlan& plan);
  void plan_headers(const ForwardOptions& options, ForwardPlan& plan);
  void plan_redirects(const config::Level& level, const ForwardOptions& options, ForwardPlan& plan);
  // backend_tls_plan.cc
  void plan_tls(const BackendTlsOptions& options, const PassOptions& pass, ForwardPlan& plan);
  [[nodiscard]] tls::ClientPolicy policy_of(const BackendTlsOptions& options);
  std::shared_ptr<const tls::ClientPolicy> share(tls::ClientPolicy policy,
                                                 const BackendTlsOptions& options,
                                                 const PassOptions& pass);
  [[nodiscard]] tls::CertificatePtr certificate_of(const BackendTlsOptions& options);
  [[nodiscard]] std::shared_ptr<const NamedCertificate> named_certificate_of(
      const BackendTlsOptions& options, const std::shared_ptr<const tls::ClientPolicy>& policy);
  void report_no_key(const BackendTlsOptions& options);
  [[nodiscard]] bool has_its_key(const BackendTlsOptions& options);
  void check(const tls::ClientPolicy& policy, const BackendTlsOptions& options,
             const PassOptions& pass);
  [[nodiscard]] script::Value compile(const config::Word& word) {
    return script::Value::compile(word, variables_, diagnostics_);
  }
  /// The group whose name is most like `name`; empty if none is.
  [[nodiscard]] std::string similar_group(std::string_view name) const;
  void use(const std::shared_ptr<const upstream::ClusterSpec>& cluster);

  script::Variables& variables_;
  const upstream::Groups& groups_;
  config::Diagnostics& diagnostics_;
  const config::BuildFlags& flags_;
  std::vector<std::shared_ptr<const upstream::ClusterSpec>> clusters_;
  std::map<std::string, std::shared_ptr<const upstream::ClusterSpec>> implicit_;
  std::vector<std::shared_ptr<const tls::ClientPolicy>> policies_;
  std::map<tls::KeyId, tls::PrivateKeyPtr> keys_;
  struct Shown {
    std::array<config::Position, 3> wheres;  // of the certificate, its key and the passwords
    ClientCertificate shown;  // without a certificate: it can't be used
  };
  std::vector<Shown> shown_;
  struct Named {
    std::array<config::Position, 4> wheres;  // of these three and the cache
    std::shared_ptr<const tls::ClientPolicy> policy;
    std::shared_ptr<const NamedCertificate> named;  // null: it has no key
  };
  std::vector<Named> named_;
  std::vector<upstream::NameInUse> names_;
  std::shared_ptr<const tls::TrustedCertificates> system_;
};

}  // namespace proxy
