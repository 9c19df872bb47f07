#include "tls/tls_directives.h"

#include <algorithm>
#include <array>

#include "config/setters.h"

namespace tls {
namespace {

using config::Binding;
using config::kHttpServer;
using config::Repeat;
using O = TlsOptions;

// nginx's default, which `compat nginx` brings back.
constexpr std::string_view kNginxCiphers = "HIGH:!aNULL:!MD5";

// What nginx takes instead of a file's name, and this program does not yet.
bool refuse_what_is_no_file(const Binding& binding) {
  const std::string& name = binding.argument(0);
  if (name.find('$') != std::string::npos) {
    binding.error_at(0,
                     "variables in \"" + std::string(binding.name()) + "\" are not supported yet",
                     "name each server's file");
    return true;
  }
  for (const std::string_view prefix : {"data:", "engine:", "store:"}) {
    if (!name.starts_with(prefix)) continue;
    binding.error_at(0,
                     "\"" + std::string(prefix) + "\" in \"" + std::string(binding.name()) +
                         "\" is not supported yet",
                     "put it into a file and name that");
    return true;
  }
  return false;
}

void add_certificate(Binding& binding) {
  if (refuse_what_is_no_file(binding)) return;
  const auto pem = binding.read(0, config::Purpose::certificate);
  if (!pem) return;
  auto certificate = Certificate::parse(*pem);
  if (!certificate) {
    return binding.error_at(
        0, "cannot load certificate \"" + binding.argument(0) + "\": " + certificate.error());
  }
  binding.options<O>().certificates.append(
      TlsOptions::CertificateFile{binding.argument(0), *std::move(certificate), binding.where()},
      binding.where());
}

void add_key(Binding& binding) {
  if (refuse_what_is_no_file(binding)) return;
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
  auto& versions = binding.options<O>().versions;
  std::size_t too_old = 0;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    if (binding.argument(i) == "SSLv2" || binding.argument(i) == "SSLv3") {
      ++too_old;
      binding.warn_at(i, binding.argument(i) + " is ignored: no current library speaks it");
      continue;
    }
    const auto version = config::read_choice<Version>(binding, i, kVersions);
    if (!version) continue;
    if (versions.is_set && std::ranges::find(*versions, *version) != versions->end()) {
      binding.warn_at(i, "duplicate value \"" + binding.argument(i) + "\"");
      continue;
    }
    versions.append(*version, binding.where());
  }
  if (too_old == binding.count()) binding.invalid(0, "TLSv1.2 and TLSv1.3 are good choices");
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "ssl_certificate",
     .contexts = kHttpServer,
     .repeat = Repeat::repeatable,
     .syntax = "FILE",
     .documentation = "The server's certificate and its intermediates, PEM; one line per key type.",
     .set = add_certificate},
    {.name = "ssl_certificate_key",
     .contexts = kHttpServer,
     .repeat = Repeat::repeatable,
     .syntax = "FILE",
     .documentation = "The private key of the certificate, PEM; readable by its owner only.",
     .set = add_key},
    {.name = "ssl_protocols",
     .contexts = kHttpServer,
     .arguments = config::takes_at_least(1),
     .syntax = "[TLSv1] [TLSv1.1] [TLSv1.2] [TLSv1.3]",
     .default_text = "TLSv1.2 TLSv1.3",
     .documentation = "Versions of TLS that clients may use.",
     .set = set_versions},
    {.name = "ssl_ciphers",
     .contexts = kHttpServer,
     .syntax = "LIST",
     .default_text = "Mozilla's intermediate list",
     .documentation = "Cipher suites of TLS 1.2, in OpenSSL's syntax.",
     .set = config::set_text<&O::ciphers>},
    {.name = "ssl_prefer_server_ciphers",
     .contexts = kHttpServer,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether the server's order of ciphers decides.",
     .set = config::set_flag<&O::prefer_server_ciphers>},
};

}  // namespace

const config::Feature kFeature{"tls", kDirectives, config::inherit_options<TlsOptions>};

namespace {

// One slot per type of key: nginx lets the later certificate replace the earlier in silence.
bool check_types(const TlsOptions& options, config::Diagnostics& diagnostics) {
  bool good = true;
  const auto& certificates = *options.certificates;
  for (auto later = certificates.begin(); later != certificates.end(); ++later) {
    const auto earlier = std::find_if(certificates.begin(), later, [&](const auto& other) {
      return other.certificate->facts().key_type == later->certificate->facts().key_type;
    });
    if (earlier == later) continue;
    diagnostics.error(later->where,
                      "certificates \"" + earlier->name + "\" and \"" + later->name +
                          "\" of one server have the same type of key",
                      "several certificates are for several types of keys, such as RSA beside "
                      "ECDSA; keep one of these");
    good = false;
  }
  return good;
}

// The first key belongs to the first certificate, and so on.
bool check_pairs(const TlsOptions& options, config::Diagnostics& diagnostics) {
  const auto& certificates = *options.certificates;
  const auto& keys = *options.keys;
  bool good = true;
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    const auto& certificate = certificates[i];
    if (i >= keys.size()) {
      diagnostics.absent(
          certificate.where,
          "no \"ssl_certificate_key\" is defined for certificate \"" + certificate.name + "\"",
          "add ssl_certificate_key FILE; keys stand in the order of their certificates");
      good = false;
    } else if (mismatch(*certificate.certificate, keys[i].id)) {
      diagnostics.absent(
          keys[i].where,
          "SSL_CTX_use_PrivateKey(\"" + keys[i].name + "\") failed (SSL: key values mismatch)",
          "it is not the key of the first certificate in \"" + certificate.name + "\"");
      good = false;
    }
  }
  for (std::size_t i = certificates.size(); i < keys.size(); ++i) {
    diagnostics.absent(keys[i].where,
                       "no \"ssl_certificate\" is defined for key \"" + keys[i].name + "\"",
                       "remove it, or add the ssl_certificate FILE that belongs to it");
    good = false;
  }
  return good;
}

}  // namespace

bool check(const TlsOptions& options, config::Position where, config::Diagnostics& diagnostics,
           const config::BuildFlags& flags) {
  if (options.certificates->empty()) {
    diagnostics.absent(where,
                       "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive",
                       "add ssl_certificate FILE; and ssl_certificate_key FILE;");
    return false;
  }
  bool good = check_types(options, diagnostics);
  good = check_pairs(options, diagnostics) && good;
  if (const std::string problem = problem_of(policy_of(options, flags)); !problem.empty()) {
    diagnostics.error(options.ciphers.is_set ? options.ciphers.where : where, problem);
    good = false;
  }
  return good;
}

ServerPolicy policy_of(const TlsOptions& options, const config::BuildFlags& flags) {
  ServerPolicy policy;
  if (options.versions.is_set) policy.versions = *options.versions;
  // Policies are compared: the order in which versions are written means nothing.
  std::ranges::sort(policy.versions);
  if (flags.compat_nginx) policy.ciphers = kNginxCiphers;
  if (options.ciphers.is_set) policy.ciphers = *options.ciphers;
  policy.prefer_server_ciphers = *options.prefer_server_ciphers;
  policy.alpn = {"http/1.1"};
  return policy;
}

}  // namespace tls
