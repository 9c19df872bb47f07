#include "tls/tls_directives.h"

#include <array>

#include "config/setters.h"

namespace tls {
namespace {

using config::Binding;
using config::kHttpServer;
using config::Repeat;
using O = TlsOptions;

bool refuse_variables(Binding& binding) {
  if (binding.argument(0).find('$') == std::string::npos) return false;
  binding.error_at(0, "variables in \"" + std::string(binding.name()) + "\" are not supported yet",
                   "name each server's file");
  return true;
}

void add_certificate(Binding& binding) {
  if (refuse_variables(binding)) return;
  const auto pem = binding.read(0, config::Purpose::certificate);
  if (!pem) return;
  auto certificate = Certificate::parse(*pem);
  if (!certificate) {
    return binding.error_at(
        0, "cannot load certificate \"" + binding.argument(0) + "\": " + certificate.error());
  }
  binding.options<O>().certificates.append(
      TlsOptions::CertificateFile{binding.argument(0), *std::move(certificate)}, binding.where());
}

void add_key(Binding& binding) {
  if (refuse_variables(binding)) return;
  auto pem = binding.read(0, config::Purpose::key);
  if (!pem) return;
  const auto id = key_id_of(*pem);
  if (!id) {
    return binding.error_at(
        0, "cannot load certificate key \"" + binding.argument(0) + "\": " + id.error());
  }
  binding.options<O>().keys.append(
      TlsOptions::KeyFile{binding.argument(0), *std::move(pem), *id, binding.where()},
      binding.where());
}

void set_versions(Binding& binding) {
  constexpr std::array<config::Choice<Version>, 4> kVersions{{{"TLSv1", Version::tls1_0},
                                                              {"TLSv1.1", Version::tls1_1},
                                                              {"TLSv1.2", Version::tls1_2},
                                                              {"TLSv1.3", Version::tls1_3}}};
  for (std::size_t i = 0; i < binding.count(); ++i) {
    if (binding.argument(i) == "SSLv2" || binding.argument(i) == "SSLv3") {
      binding.warn_at(i, binding.argument(i) + " is not supported by any current library, and ignored");
      continue;
    }
    const auto version = config::read_choice<Version>(binding, i, kVersions);
    if (version) binding.options<O>().versions.append(*version, binding.where());
  }
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "ssl_certificate", .contexts = kHttpServer, .repeat = Repeat::repeatable,
     .syntax = "FILE",
     .documentation = "The server's certificate and its intermediates, PEM; one line per key type.",
     .set = add_certificate},
    {.name = "ssl_certificate_key", .contexts = kHttpServer, .repeat = Repeat::repeatable,
     .syntax = "FILE",
     .documentation = "The private key of the certificate, PEM; readable by its owner only.",
     .set = add_key},
    {.name = "ssl_protocols", .contexts = kHttpServer, .arguments = config::takes_at_least(1),
     .syntax = "[TLSv1] [TLSv1.1] [TLSv1.2] [TLSv1.3]", .default_text = "TLSv1.2 TLSv1.3",
     .documentation = "Versions of TLS that clients may use.", .set = set_versions},
    {.name = "ssl_ciphers", .contexts = kHttpServer, .syntax = "LIST",
     .default_text = "Mozilla's intermediate list",
     .documentation = "Cipher suites of TLS 1.2, in OpenSSL's syntax.",
     .set = config::set_text<&O::ciphers>},
    {.name = "ssl_prefer_server_ciphers", .contexts = kHttpServer, .syntax = "on | off",
     .default_text = "off", .documentation = "Whether the server's order of ciphers decides.",
     .set = config::set_flag<&O::prefer_server_ciphers>},
};

}  // namespace

const config::Feature kFeature{"tls", kDirectives, config::inherit_options<TlsOptions>};

bool check(const TlsOptions& options, config::Position where, config::Diagnostics& diagnostics) {
  const auto& certificates = *options.certificates;
  const auto& keys = *options.keys;
  if (certificates.empty()) {
    diagnostics.error(where, "no \"ssl_certificate\" is defined for the server that listens with ssl",
                      "add ssl_certificate FILE; and ssl_certificate_key FILE;");
    return false;
  }
  bool good = true;
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    if (i >= keys.size()) {
      diagnostics.error(options.certificates.where,
                        "no \"ssl_certificate_key\" is defined for certificate \"" +
                            certificates[i].name + "\"");
      good = false;
      continue;
    }
    if (const auto problem = mismatch(*certificates[i].certificate, keys[i].id)) {
      diagnostics.error(keys[i].where, "the key \"" + keys[i].name + "\" is not that of certificate \"" +
                                           certificates[i].name + "\" (" + *problem + ")");
      good = false;
    }
  }
  if (const std::string problem = problem_of(policy_of(options)); !problem.empty()) {
    diagnostics.error(options.ciphers.is_set ? options.ciphers.where : where, problem);
    good = false;
  }
  return good;
}

ServerPolicy policy_of(const TlsOptions& options) {
  ServerPolicy policy;
  if (options.versions.is_set) policy.versions = *options.versions;
  if (options.ciphers.is_set) policy.ciphers = *options.ciphers;
  policy.prefer_server_ciphers = *options.prefer_server_ciphers;
  policy.alpn = {"http/1.1"};
  return policy;
}

}  // namespace tls
