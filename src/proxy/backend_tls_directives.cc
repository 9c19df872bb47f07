// The directives of BackendTlsOptions, proxy_ssl_... and grpc_ssl_...: written once, with the
// names of proxy_pass's.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "config/setters.h"
#include "config/values.h"
#include "proxy/backend_tls_options.h"
#include "proxy/client_certificates.h"
#include "proxy/grpc_directives.h"
#include "proxy/grpc_options.h"
#include "script/value.h"
#include "tls/client_commands.h"
#include "tls/private_key.h"
#include "tls/tls_directives.h"

namespace proxy {
namespace {

using config::Binding;
using config::kHttpServerLocation;
using config::Repeat;
using config::takes;
using config::takes_at_least;

// True if the name has variables: the files are read at run time. What no request could ever name
// is reported.
bool is_named_later(const Binding& binding) {
  if (!script::has_variables(binding.argument(0))) return false;
  const std::string_view problem = problem_of_file_name(binding.argument(0));
  if (!problem.empty()) {
    binding.error_at(0, fmt::format("\"{}\" {}", binding.argument(0), problem),
                     "names with variables are refused then: write the path without it");
  }
  return true;
}

template <class O>
void set_certificate(Binding& binding) {
  BackendTlsOptions::CertificateFile file{.name = binding.argument(0), .certificate = nullptr};
  if (!file.name.empty() && tls::refuse_what_is_no_file(binding, {})) return;
  file.directory = binding.files.full_name("", config::Purpose::certificate);
  if (!file.name.empty() && !is_named_later(binding)) {
    file.certificate = tls::read_certificate(binding);
    if (file.certificate == nullptr) return;
  }
  binding.options<O>().certificate.set(std::move(file), binding.where());
}

template <class O>
void set_key(Binding& binding) {
  BackendTlsOptions::KeyFile file{.name = binding.argument(0), .pem = {}};
  if (!file.name.empty() && tls::refuse_what_is_no_file(binding, {})) return;
  if (!file.name.empty() && !is_named_later(binding)) {
    auto pem = binding.read(0, config::Purpose::key);
    if (!pem) return;
    file.pem = *std::move(pem);
  }
  binding.options<O>().key.set(std::move(file), binding.where());
}

template <class O>
void set_passwords(Binding& binding) {
  auto passwords = tls::read_passwords(binding);
  if (!passwords.empty()) binding.options<O>().passwords.set(std::move(passwords), binding.where());
}

bool read_cache_parameter(const Binding& binding, std::size_t i,
                          BackendTlsOptions::CertificateCache& cache) {
  std::string_view value = binding.argument(i);
  const std::string_view name = base::split_first(value, '=');
  const auto take = [&](std::chrono::milliseconds& into) {
    const auto time = config::parse_duration(value);
    if (time) into = *time;
    return time && time->count() > 0;
  };
  bool good = false;
  if (name == "max") {
    const auto most = base::parse_number<std::uint32_t>(value);
    good = most && *most > 0;
    if (good) cache.most = *most;
  } else if (name == "inactive") {
    good = take(cache.inactive);
  } else if (name == "valid") {
    good = take(cache.valid);
  }
  if (!good) binding.invalid(i, "off, or max=NUMBER [inactive=TIME] [valid=TIME]");
  return good;
}

template <class O>
void set_certificate_cache(Binding& binding) {
  BackendTlsOptions::CertificateCache cache{.most = 0};
  if (binding.count() > 1 || binding.argument(0) != "off") {
    for (std::size_t i = 0; i < binding.count(); ++i) {
      if (!read_cache_parameter(binding, i, cache)) return;
    }
    if (cache.most == 0) {
      return binding.error(fmt::format("\"{}\" must have the \"max\" parameter", binding.name()),
                           "max=100, for example");
    }
  }
  binding.options<O>().certificate_cache.set(cache, binding.where());
}

template <class O>
void set_trusted(Binding& binding) {
  const auto text = binding.read(0, config::Purpose::trusted_certificates);
  if (!text) return;
  auto parsed = tls::TrustedCertificates::parse(*text);
  if (!parsed) return binding.error_at(0, parsed.error());
  binding.options<O>().trusted.set(*std::move(parsed), binding.where());
}

template <class O>
void set_revocations(Binding& binding) {
  const auto text = binding.read(0, config::Purpose::trusted_certificates);
  if (!text) return;
  auto parsed = tls::RevocationLists::parse(*text);
  if (!parsed) {
    return binding.error_at(
        0, "cannot load revocation lists \"" + binding.argument(0) + "\": " + parsed.error());
  }
  for (const std::string& issuer : (*parsed)->expired(std::chrono::system_clock::now())) {
    binding.warn_at(0, "the revocation list of \"" + issuer + "\" has expired",
                    "until there is a new one, backends with its certificates are refused");
  }
  binding.options<O>().revocations.set(*std::move(parsed), binding.where());
}

template <class O>
void add_pins(Binding& binding) {
  auto& pins = binding.options<O>().pins;
  if (binding.count() == 1 && binding.argument(0) == "off") {
    if (pins.is_set) return binding.invalid(0, "there are pins at this level already");
    return pins.set({}, binding.where());
  }
  if (pins.is_set && pins->empty()) {
    return binding.error(fmt::format("\"{} off\" stands at this level already", binding.name()),
                         "remove one of them");
  }
  for (std::size_t i = 0; i < binding.count(); ++i) {
    std::string_view rest = binding.argument(i);
    do {  // as curl, which separates them by semicolons
      const auto pin = tls::parse_pin(base::split_first(rest, ';'));
      if (!pin) {
        return binding.invalid(i,
                               "a pin is sha256// and the 44 characters of a SHA-256 in Base64, as "
                               "curl's --pinnedpubkey; docs/guide/re-encryption.md makes one");
      }
      pins.append(*pin, binding.where());
    } while (!rest.empty());
  }
}

template <class O>
void set_versions(Binding& binding) {
  tls::read_versions(binding, binding.options<O>().versions);
}

template <class O>
void add_command(Binding& binding) {
  tls::ConfCommand command{.name = binding.argument(0), .value = binding.argument(1)};
  if (std::string problem = tls::problem_of(command); !problem.empty()) {
    return binding.error_at(0, std::move(problem), "SSL_CONF_cmd(3) lists the commands");
  }
  binding.options<O>().commands.append(std::move(command), binding.where());
}

template <class O>
constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "proxy_ssl_verify",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether a backend's certificate must be trusted and bear its name.",
     .set = config::set_flag<&BackendTlsOptions::verify, O>},
    {.name = "proxy_ssl_verify_depth",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "4",
     .documentation = "Intermediate certificates allowed between a backend's and a trusted one.",
     .set = config::set_number<&BackendTlsOptions::verify_depth, 0, 100, O>},
    {.name = "proxy_ssl_trusted_certificate",
     .contexts = kHttpServerLocation,
     .syntax = "FILE",
     .documentation = "Authorities that sign backends' certificates; without it, the system's.",
     .set = set_trusted<O>},
    {.name = "proxy_ssl_crl",
     .contexts = kHttpServerLocation,
     .syntax = "FILE",
     .documentation = "Revocation lists, PEM: a valid one of every authority in a backend's chain.",
     .set = set_revocations<O>},
    {.name = "proxy_ssl_pin",
     .contexts = kHttpServerLocation,
     .arguments = takes_at_least(1),
     .repeat = Repeat::repeatable,
     .syntax = "off | sha256//BASE64 ...",
     .default_text = "off",
     .documentation = "The public keys that backends may have; checked with and without "
                      "proxy_ssl_verify.",
     .set = add_pins<O>},
    {.name = "proxy_ssl_name",
     .contexts = kHttpServerLocation,
     .syntax = "NAME",
     .default_text = "$proxy_host",
     .documentation = "The name that a backend's certificate must bear, and that SNI asks for.",
     .set = config::set_word<&BackendTlsOptions::name, O>},
    {.name = "proxy_ssl_server_name",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether backends are told the name by SNI.",
     .set = config::set_flag<&BackendTlsOptions::server_name, O>},
    {.name = "proxy_ssl_protocols",
     .contexts = kHttpServerLocation,
     .arguments = takes_at_least(1),
     .syntax = "[TLSv1] [TLSv1.1] [TLSv1.2] [TLSv1.3]",
     .default_text = "TLSv1.2 TLSv1.3",
     .documentation = "Versions of TLS to speak with backends.",
     .set = set_versions<O>},
    {.name = "proxy_ssl_ciphers",
     .contexts = kHttpServerLocation,
     .syntax = "LIST",
     .default_text = "DEFAULT",
     .documentation = "Cipher suites of TLS 1.2 to offer backends, in OpenSSL's syntax.",
     .set = config::set_text<&BackendTlsOptions::ciphers, O>},
    {.name = "proxy_ssl_conf_command",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .repeat = Repeat::repeatable,
     .syntax = "NAME VALUE",
     .documentation = "A command of OpenSSL's SSL_CONF_cmd, such as Groups or SignatureAlgorithms.",
     .set = add_command<O>},
    {.name = "proxy_ssl_session_reuse",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether sessions with backends are resumed.",
     .set = config::set_flag<&BackendTlsOptions::session_reuse, O>},
    {.name = "proxy_ssl_certificate",
     .contexts = kHttpServerLocation,
     .syntax = "FILE",
     .documentation = "The certificate for backends that ask for one, and its intermediates, PEM; "
                      "\"\" for none. With variables: read at run time.",
     .set = set_certificate<O>},
    {.name = "proxy_ssl_certificate_key",
     .contexts = kHttpServerLocation,
     .syntax = "FILE",
     .documentation = "The private key of proxy_ssl_certificate, PEM; readable by its owner only.",
     .set = set_key<O>},
    {.name = "proxy_ssl_certificate_cache",
     .contexts = kHttpServerLocation,
     .arguments = takes(1, 3),
     .syntax = "off | max=NUMBER [inactive=TIME] [valid=TIME]",
     .default_text = "max=100 inactive=10s valid=1m",
     .documentation = "How many certificates and keys whose names have variables are kept, and how "
                      "long.",
     .set = set_certificate_cache<O>},
    {.name = "proxy_ssl_password_file",
     .contexts = kHttpServerLocation,
     .syntax = "FILE",
     .documentation = "Passwords to try on an encrypted key, one a line; readable by its owner "
                      "only.",
     .set = set_passwords<O>},
};

}  // namespace

const config::Feature kBackendTlsFeature{"backend TLS", kDirectives<BackendTlsOptions>,
                                         config::inherit_options<BackendTlsOptions>};

const config::Feature kGrpcTlsFeature{"gRPC backend TLS",
                                      grpc_directives(kDirectives<GrpcTlsOptions>, AlsoPass::no),
                                      config::inherit_options<GrpcTlsOptions>};

}  // namespace proxy
