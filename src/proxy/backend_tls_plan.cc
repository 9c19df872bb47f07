// What the proxy_ssl_* and grpc_ssl_* directives mean to a location that passes requests on.
#include <algorithm>
#include <array>

#include "proxy/client_certificates.h"
#include "proxy/plan.h"
#include "tls/private_key.h"

namespace proxy {

using config::Position;
using config::Word;

namespace {

constexpr int kNginxVerifyDepth = 1;

// As in nginx, variables in one name have both files read at run time.
bool is_named_later(const BackendTlsOptions& options) {
  return !options.certificate->name.empty() && (script::has_variables(options.certificate->name) ||
                                                script::has_variables(options.key->name));
}

std::string named(const BackendTlsOptions& options, std::string_view directive) {
  return std::string(options.prefix).append(directive);
}

}  // namespace

std::shared_ptr<const tls::ClientPolicy> PlanMaker::share(tls::ClientPolicy policy,
                                                          const BackendTlsOptions& options,
                                                          const PassOptions& pass) {
  for (const auto& known : policies_) {
    if (*known == policy) return known;
  }
  check(policy, options, pass);
  return policies_.emplace_back(std::make_shared<const tls::ClientPolicy>(std::move(policy)));
}

// Once for all locations that inherit it, so that its errors are told once.
tls::CertificatePtr PlanMaker::certificate_of(const BackendTlsOptions& options) {
  if (options.certificate->certificate == nullptr || is_named_later(options)) return nullptr;
  const std::array wheres{options.certificate.where, options.key.where, options.passwords.where};
  const auto known = std::ranges::find(shown_, wheres, &Shown::wheres);
  if (known != shown_.end()) return known->shown.certificate;
  ClientCertificate shown{.file = options.certificate->name, .certificate = nullptr};
  if (has_its_key(options)) shown.certificate = options.certificate->certificate;
  return shown_.emplace_back(wheres, std::move(shown)).shown.certificate;
}

// Locations that inherit the same and have one policy share what is read.
std::shared_ptr<const NamedCertificate> PlanMaker::named_certificate_of(
    const BackendTlsOptions& options, const std::shared_ptr<const tls::ClientPolicy>& policy) {
  if (!is_named_later(options) || policy == nullptr) return nullptr;
  const std::array wheres{options.certificate.where, options.key.where, options.passwords.where,
                          options.certificate_cache.where};
  const auto known = std::ranges::find_if(
      named_, [&](const Named& other) { return other.wheres == wheres && other.policy == policy; });
  if (known != named_.end()) return known->named;
  Named& made = named_.emplace_back(wheres, policy, nullptr);
  if (options.key->name.empty()) {
    report_no_key(options);
    return nullptr;
  }
  const auto value = [&](const std::string& name, Position at) {
    return compile(Word{.text = name, .at = at, .quoted = false});
  };
  BackendTlsOptions::CertificateCache cache = *options.certificate_cache;
  if (flags_.compat_nginx && !options.certificate_cache.is_set) cache.most = 0;
  made.named = std::make_shared<const NamedCertificate>(
      NamedCertificate{.certificate = value(options.certificate->name, options.certificate.where),
                       .key = value(options.key->name, options.key.where),
                       .passwords = *options.passwords,
                       .directory = options.certificate->directory,
                       .policy = policy,
                       .cache = cache,
                       .take_exposed_keys = flags_.compat_nginx});
  return made.named;
}

void PlanMaker::report_no_key(const BackendTlsOptions& options) {
  diagnostics_.absent(options.certificate.where,
                      "no \"" + named(options, "ssl_certificate_key") +
                          "\" is defined for certificate \"" + options.certificate->name + "\"",
                      "add " + named(options, "ssl_certificate_key") + " FILE;");
}

bool PlanMaker::has_its_key(const BackendTlsOptions& options) {
  const auto& file = *options.certificate;
  const auto& key = *options.key;
  if (key.pem.empty()) {
    report_no_key(options);
    return false;
  }
  const auto opened = tls::PrivateKey::parse(key.pem, *options.passwords);
  if (!opened) {
    const bool needs_password = options.passwords->empty() && tls::is_encrypted(key.pem);
    diagnostics_.error(
        options.key.where, "cannot load certificate key \"" + key.name + "\": " + opened.error(),
        needs_password ? "name a file with its password: " + named(options, "ssl_password_file")
                       : std::string());
    return false;
  }
  if (tls::mismatch(*file.certificate, (*opened)->id())) {
    diagnostics_.error(
        options.key.where,
        "SSL_CTX_use_PrivateKey(\"" + key.name + "\") failed (SSL: key values mismatch)",
        "it is not the key of the first certificate in \"" + file.name + "\"");
    return false;
  }
  keys_.try_emplace((*opened)->id(), *opened);
  return true;
}

std::vector<ClientCertificate> PlanMaker::client_certificates() const {
  std::vector<ClientCertificate> all;
  for (const Shown& each : shown_) {
    if (each.shown.certificate != nullptr) all.push_back(each.shown);
  }
  return all;
}

tls::ClientPolicy PlanMaker::policy_of(const BackendTlsOptions& options) {
  const bool safe = !flags_.compat_nginx;
  tls::ClientPolicy policy;
  policy.verify = options.verify.value_or(safe);
  policy.pins = *options.pins;
  std::ranges::sort(policy.pins);
  if (options.versions.is_set) policy.versions = *options.versions;
  // Policies are compared: the order in which versions and pins are written means nothing.
  std::ranges::sort(policy.versions);
  policy.ciphers = *options.ciphers;
  policy.commands = *options.commands;
  policy.session_reuse = *options.session_reuse;
  policy.certificate = certificate_of(options);
  if (!policy.verify) return policy;
  policy.verify_depth = safe || options.verify_depth.is_set
                            ? static_cast<int>(*options.verify_depth)
                            : kNginxVerifyDepth;
  policy.revocations = *options.revocations;
  policy.trusted = *options.trusted;
  if (policy.trusted == nullptr && safe) {
    if (system_ == nullptr) {
      auto system = tls::TrustedCertificates::system();
      if (system) system_ = *std::move(system);
    }
    policy.trusted = system_;
  }
  return policy;
}

// What OpenSSL does not take of it. Each command was tried alone before.
void PlanMaker::check(const tls::ClientPolicy& policy, const BackendTlsOptions& options,
                      const PassOptions& pass) {
  tls::ClientPolicy without = policy;
  without.commands.clear();
  if (std::string problem = tls::problem_of(without); !problem.empty()) {
    const Position at = options.ciphers.is_set ? options.ciphers.where : pass.target.at;
    return diagnostics_.error(at, std::move(problem));
  }
  if (std::string problem = tls::problem_of(policy); !problem.empty()) {
    diagnostics_.error(options.commands.where, std::move(problem));
  }
}

void PlanMaker::plan_tls(const BackendTlsOptions& options, const PassOptions& pass,
                         ForwardPlan& plan) {
  if (!plan.dynamic && !plan.target.https) return;
  tls::ClientPolicy policy = policy_of(options);
  if (*plan.options->http_version == http::Version::http_2) policy.alpn = {"h2"};
  if (policy.verify && policy.trusted == nullptr && !plan.dynamic) {
    return diagnostics_.error(
        pass.target.at,
        "no " + named(options, "ssl_trusted_certificate") + " for " + named(options, "ssl_verify"),
        "name a file of authorities with " + named(options, "ssl_trusted_certificate"));
  }
  // A target that turns out to be https without anything to verify it by is refused then.
  if (!policy.verify || policy.trusted != nullptr) {
    plan.tls_policy = share(std::move(policy), options, pass);
  }
  plan.named_certificate = named_certificate_of(options, plan.tls_policy);
  plan.send_sni = options.server_name.value_or(!flags_.compat_nginx);
  const Word name{.text = "$proxy_host", .at = {}, .quoted = false};
  plan.tls_name = compile(options.name.is_set ? *options.name : name);
}

}  // namespace proxy
