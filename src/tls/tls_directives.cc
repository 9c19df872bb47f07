#include "tls/tls_directives.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/result.h"
#include "config/setters.h"
#include "config/values.h"
#include "tls/server_commands.h"
#include "tls/ticket_key_file.h"

namespace tls {
namespace {

using config::Binding;
using config::kHttpServer;
using config::Repeat;
using O = TlsOptions;

// nginx's default, which `compat nginx` brings back.
constexpr std::string_view kNginxCiphers = "HIGH:!aNULL:!MD5";

void add_certificate(Binding& binding) {
  if (refuse_what_is_no_file(binding, "name each server's file")) return;
  CertificatePtr certificate = read_certificate(binding);
  if (certificate == nullptr) return;
  binding.options<O>().certificates.append(
      TlsOptions::CertificateFile{binding.argument(0), std::move(certificate), binding.where()},
      binding.where());
}

std::string cannot_load(const TlsOptions::KeyFile& key, std::string_view reason) {
  return "cannot load certificate key \"" + key.name + "\": " + std::string(reason);
}

void add_key(Binding& binding) {
  if (refuse_what_is_no_file(binding, "name each server's file")) return;
  auto pem = binding.read(0, config::Purpose::key);
  if (!pem) return;
  TlsOptions::KeyFile key{.name = binding.argument(0), .where = binding.where()};
  if (is_encrypted(*pem)) {
    key.encrypted = *std::move(pem);
  } else {
    auto read = PrivateKey::parse(*pem);
    wipe(*pem);
    if (!read) return binding.error_at(0, cannot_load(key, read.error()));
    key.key = *std::move(read);
  }
  binding.options<O>().keys.append(std::move(key), binding.where());
}

// ssl_password_file may stand behind the key that it opens, and above it: see open_key().
void set_passwords(Binding& binding) {
  auto passwords = read_passwords(binding);
  if (passwords.empty()) return;
  TlsOptions::PasswordFile file{.name = binding.argument(0), .passwords = std::move(passwords)};
  binding.options<O>().passwords.set(std::move(file), binding.where());
}

void set_groups(Binding& binding) {
  const std::string& list = binding.argument(0);
  const bool automatic = list == "auto";
  if (!automatic) {
    if (const auto problem = problem_of(ServerPolicy{.groups = list}); !problem.empty()) {
      return binding.error_at(0, problem,
                              "this OpenSSL may not have it; \"auto\" takes the best that it has");
    }
  }
  binding.options<O>().groups.set(automatic ? std::string() : list, binding.where());
}

constexpr unsigned kSoundDhBits = 2048;

void set_dh_parameters(Binding& binding) {
  auto pem = binding.read(0, config::Purpose::list);
  if (!pem) return;
  if (const auto problem = problem_of_dh_parameters(*pem); !problem.empty()) {
    return binding.error_at(0,
                            "cannot load DH parameters \"" + binding.argument(0) + "\": " + problem,
                            "openssl dhparam -out FILE 2048");
  }
  if (const unsigned bits = bits_of_dh_parameters(*pem); bits < kSoundDhBits) {
    binding.warn_at(0, "DH parameters of " + std::to_string(bits) + " bits are weak",
                    "openssl dhparam -out FILE 2048");
  }
  binding.options<O>().dh_parameters.set(*std::move(pem), binding.where());
}

void add_command(Binding& binding) {
  ConfCommand command{.name = binding.argument(0), .value = binding.argument(1)};
  const CommandReview found = review(command);
  if (!found.problem.empty()) return binding.error_at(0, found.problem);
  if (!found.warning.empty()) binding.warn_at(1, found.warning);
  binding.options<O>().commands.append(std::move(command), binding.where());
}

void set_session_timeout(Binding& binding) {
  config::set_duration<&O::session_timeout>(binding);
  if (*binding.options<O>().session_timeout > TicketSecret::kLongestLifetime) {
    binding.warn_at(0, "tickets are taken for 24 hours at most",
                    "unless their keys come from \"ssl_session_ticket_key\"");
  }
}

void add_ticket_key(Binding& binding) {
  const auto bytes = binding.read(0, config::Purpose::key);
  if (!bytes) return;
  const auto key = read_ticket_key(*bytes);
  if (!key) {
    return binding.error_at(
        0, "cannot load ticket key \"" + binding.argument(0) + "\": " + key.error(),
        "openssl rand -out FILE 80");
  }
  binding.options<O>().ticket_keys.append(*key, binding.where());
}

// nginx's own limit: eight pages.
constexpr std::uint64_t kSmallestCache = 32768;

// "shared:NAME:SIZE"; nothing, and reported, if it is something else.
std::optional<SessionStore> read_shared(const Binding& binding, std::size_t i) {
  const std::string_view rest = std::string_view(binding.argument(i)).substr(7);
  const std::size_t colon = rest.find(':');
  const auto size =
      colon == std::string_view::npos ? std::nullopt : config::parse_size(rest.substr(colon + 1));
  if (!size || colon == 0) {
    binding.invalid(i, "shared:NAME:SIZE, for example shared:SSL:10m");
    return std::nullopt;
  }
  if (*size < kSmallestCache) {
    binding.error_at(i, "session cache \"" + binding.argument(i) + "\" is too small",
                     "32k is the least; a megabyte keeps about 2,500 sessions");
    return std::nullopt;
  }
  return SessionStore{.mode = SessionStore::Mode::shared,
                      .name = std::string(rest.substr(0, colon)),
                      .capacity = *size};
}

void set_session_cache(Binding& binding) {
  SessionStore store;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const std::string& word = binding.argument(i);
    if ((word == "off" || word == "none") && binding.count() == 1) {
      store.mode = word == "off" ? SessionStore::Mode::off : SessionStore::Mode::none;
    } else if (word == "builtin" || word.starts_with("builtin:")) {
      binding.warn_at(i,
                      "a cache of each worker's own is not kept: sessions are resumed by tickets",
                      "for clients without tickets add shared:NAME:SIZE, which all workers share");
    } else if (word.starts_with("shared:")) {
      const auto shared = read_shared(binding, i);
      if (!shared) return;
      store = *shared;
    } else {
      return binding.invalid(i, "off, none, or [builtin[:SIZE]] [shared:NAME:SIZE]");
    }
  }
  binding.options<O>().sessions.set(std::move(store), binding.where());
}

void set_early_data_size(Binding& binding) {
  const auto size = config::read_size(binding);
  if (!size) return;
  if (*size == 0 || *size > kMostEarlyData) {
    return binding.invalid(0, "a size of 1 to 16k; \"ssl_early_data off\" takes none");
  }
  binding.options<O>().early_data_size.set(static_cast<std::uint32_t>(*size), binding.where());
}

void set_buffer_size(Binding& binding) {
  constexpr std::uint64_t kSmallest = 512;
  const auto size = config::read_size(binding);
  if (!size) return;
  if (*size < kSmallest) return binding.invalid(0, "at least 512 bytes: each record costs 22");
  if (*size > kLargestRecord) binding.warn_at(0, "a record has 16k at most; that is taken");
  binding.options<O>().buffer_size.set(
      static_cast<std::size_t>(std::min<std::uint64_t>(*size, kLargestRecord)), binding.where());
}

void set_trusted(Binding& binding) {
  const auto pem = binding.read(0, config::Purpose::trusted_certificates);
  if (!pem) return;
  auto trusted = TrustedCertificates::parse(*pem);
  if (!trusted) {
    return binding.error_at(
        0, "cannot load trusted certificates \"" + binding.argument(0) + "\": " + trusted.error());
  }
  binding.options<O>().trusted.set(*std::move(trusted), binding.where());
}

void set_key_log(Binding& binding) {
  auto file = binding.open(0, config::Purpose::log_append);
  if (!file) return;
  // Just made, with the mode of a log: these are secrets.
  struct stat status{};
  if (::fstat(file->get(), &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0) {
    static_cast<void>(::fchmod(file->get(), S_IRUSR | S_IWUSR));
  }
  binding.warn_at(0,
                  "the secrets of TLS connections are written to \"" + binding.argument(0) +
                      "\": whoever reads it can decrypt them",
                  "remove \"ssl_key_log\" when you have finished debugging");
  binding.options<O>().key_log.set(std::make_shared<const KeyLog>(*std::move(file)),
                                   binding.where());
}

void set_versions(Binding& binding) { read_versions(binding, binding.options<O>().versions); }

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
    {.name = "ssl_buffer_size",
     .contexts = kHttpServer,
     .syntax = "SIZE",
     .default_text = "16k",
     .documentation = "The most that one record to a client has; the first 40k are in small ones.",
     .set = set_buffer_size},
    {.name = "ssl_conf_command",
     .contexts = kHttpServer,
     .arguments = config::takes(2),
     .repeat = Repeat::repeatable,
     .syntax = "NAME VALUE",
     .documentation = "A configuration command of OpenSSL's own, after all other settings.",
     .set = add_command},
    {.name = "ssl_dhparam",
     .contexts = kHttpServer,
     .syntax = "FILE",
     .documentation = "Diffie-Hellman parameters for DHE suites of TLS 1.2, PEM; without it none.",
     .set = set_dh_parameters},
    {.name = "ssl_early_data",
     .contexts = kHttpServer,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether safe requests are taken before the handshake ends (0-RTT).",
     .set = config::set_flag<&O::early_data>},
    {.name = "ssl_early_data_size",
     .contexts = kHttpServer,
     .syntax = "SIZE",
     .default_text = "16k",
     .documentation = "Most bytes of early data; a client that sends more is turned away.",
     .set = set_early_data_size},
    {.name = "ssl_max_dataless_records",
     .contexts = kHttpServer,
     .syntax = "NUMBER",
     .default_text = "32",
     .documentation = "Most records in a row that bring no data (empty ones, KeyUpdates) before a "
                      "client is turned away.",
     .set = config::set_number<&O::max_dataless_records, 1, 255>},
    {.name = "ssl_ecdh_curve",
     .contexts = kHttpServer,
     .syntax = "LIST | auto",
     .default_text = "auto",
     .documentation = "Groups of the key exchange, in order of preference: X25519:P-256.",
     .set = set_groups},
    {.name = "ssl_key_log",
     .contexts = kHttpServer,
     .syntax = "FILE",
     .documentation =
         "Where the secrets of connections are written, for Wireshark. Debugging only.",
     .set = set_key_log},
    {.name = "ssl_password_file",
     .contexts = kHttpServer,
     .syntax = "FILE",
     .documentation = "Passwords of encrypted keys, one a line, tried in turn.",
     .set = set_passwords},
    {.name = "ssl_reject_handshake",
     .contexts = kHttpServer,
     .syntax = "on | off",
     .default_text = "off",
     .documentation =
         "Whether handshakes for the server's names are refused; needs no certificate.",
     .set = config::set_flag<&O::reject_handshake>},
    {.name = "ssl_session_cache",
     .contexts = kHttpServer,
     .arguments = config::takes(1, 2),
     .syntax = "off | none | [builtin[:SIZE]] [shared:NAME:SIZE]",
     .default_text = "none",
     .documentation = "Where sessions of clients without tickets are kept: a cache of all workers.",
     .set = set_session_cache},
    {.name = "ssl_session_ticket_key",
     .contexts = kHttpServer,
     .repeat = Repeat::repeatable,
     .syntax = "FILE",
     .documentation = "A key of tickets, 48 or 80 bytes; the first makes them, all open them.",
     .set = add_ticket_key},
    {.name = "ssl_session_tickets",
     .contexts = kHttpServer,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether clients keep their sessions themselves, in tickets.",
     .set = config::set_flag<&O::tickets>},
    {.name = "ssl_session_timeout",
     .contexts = kHttpServer,
     .syntax = "TIME",
     .default_text = "5m",
     .documentation = "How long a session can be resumed.",
     .set = set_session_timeout},
    {.name = "ssl_trusted_certificate",
     .contexts = kHttpServer,
     .syntax = "FILE",
     .documentation = "Authorities for OCSP responses and clients; not sent, not used yet.",
     .set = set_trusted},
};

}  // namespace

bool refuse_what_is_no_file(const Binding& binding, std::string_view instead) {
  const std::string& name = binding.argument(0);
  if (name.contains('$') && !instead.empty()) {
    binding.error_at(0,
                     "variables in \"" + std::string(binding.name()) + "\" are not supported yet",
                     std::string(instead));
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

CertificatePtr read_certificate(Binding& binding) {
  const auto pem = binding.read(0, config::Purpose::certificate);
  if (!pem) return nullptr;
  auto certificate = Certificate::parse(*pem);
  if (certificate) return *std::move(certificate);
  binding.error_at(
      0, "cannot load certificate \"" + binding.argument(0) + "\": " + certificate.error());
  return nullptr;
}

std::vector<std::string> read_passwords(Binding& binding) {
  auto text = binding.read(0, config::Purpose::key);
  if (!text) return {};
  auto passwords = parse_passwords(*text);
  wipe(*text);
  if (passwords.empty()) {
    binding.error_at(0, "there is no password in \"" + binding.argument(0) + "\"",
                     "write one on each line");
  }
  return passwords;
}

void read_versions(config::Binding& binding, config::Setting<std::vector<Version>>& versions) {
  constexpr std::array<config::Choice<Version>, 4> kVersions{{{"TLSv1", Version::tls1_0},
                                                              {"TLSv1.1", Version::tls1_1},
                                                              {"TLSv1.2", Version::tls1_2},
                                                              {"TLSv1.3", Version::tls1_3}}};
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

// The key as it is used. The error is a sentence without the file's name.
std::expected<PrivateKeyPtr, std::string> open_key(const TlsOptions& options,
                                                   const TlsOptions::KeyFile& key) {
  if (key.key != nullptr) return key.key;
  return PrivateKey::parse(key.encrypted, options.passwords->passwords);
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
      continue;
    }
    const auto key = open_key(options, keys[i]);
    if (!key) {
      diagnostics.error(keys[i].where, cannot_load(keys[i], key.error()),
                        "name a file with its password by \"ssl_password_file\"");
      good = false;
    } else if (mismatch(*certificate.certificate, (*key)->id())) {
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
  if (options.certificates->empty() && !*options.reject_handshake) {
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

std::vector<PrivateKeyPtr> open_keys(const TlsOptions& options) {
  std::vector<PrivateKeyPtr> keys;
  for (const auto& key : *options.keys) {
    if (auto opened = open_key(options, key)) keys.push_back(*std::move(opened));
  }
  return keys;
}

ServerPolicy policy_of(const TlsOptions& options, const config::BuildFlags& flags) {
  ServerPolicy policy;
  if (options.versions.is_set) policy.versions = *options.versions;
  // Policies are compared: the order in which versions are written means nothing.
  std::ranges::sort(policy.versions);
  if (flags.compat_nginx) policy.ciphers = kNginxCiphers;
  if (options.ciphers.is_set) policy.ciphers = *options.ciphers;
  policy.prefer_server_ciphers = *options.prefer_server_ciphers;
  policy.groups = *options.groups;
  policy.wide_groups = flags.compat_nginx;
  policy.dh_parameters = *options.dh_parameters;
  policy.tickets = *options.tickets;
  policy.early_data = *options.early_data;
  policy.early_data_size = *options.early_data_size;
  policy.max_dataless_records = *options.max_dataless_records;
  policy.session_timeout = *options.session_timeout;
  policy.ticket_keys = *options.ticket_keys;
  policy.sessions = *options.sessions;
  policy.record_size = *options.buffer_size;
  policy.adaptive_records = !flags.compat_nginx;
  policy.key_log = *options.key_log;
  policy.alpn = {"http/1.1"};
  apply(*options.commands, policy);
  return policy;
}

}  // namespace tls
