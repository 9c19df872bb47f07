// The ssl_* directives of servers: certificates with their keys, and the policy.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "tls/certificate.h"
#include "tls/private_key.h"
#include "tls/server_context.h"

namespace tls {

struct TlsOptions {
  struct CertificateFile {
    std::string name;
    CertificatePtr certificate;
    config::Position where{};
  };
  struct KeyFile {
    std::string name;
    PrivateKeyPtr key{};     // null: it is encrypted
    std::string encrypted{};  // PEM
    config::Position where{};
  };
  struct PasswordFile {
    std::string name;
    std::vector<std::string> passwords;
  };
  config::Setting<std::vector<CertificateFile>> certificates;
  config::Setting<std::vector<KeyFile>> keys;
  config::Setting<std::vector<Version>> versions;
  config::Setting<std::string> ciphers;
  config::Setting<bool> prefer_server_ciphers{false};
  config::Setting<PasswordFile> passwords;
  config::Setting<std::string> groups;  // empty: chosen by the program
  config::Setting<std::string> dh_parameters;
  config::Setting<std::vector<ConfCommand>> commands;
  config::Setting<bool> reject_handshake{false};
  config::Setting<bool> tickets{true};
  config::Setting<bool> early_data{false};
  config::Setting<std::uint32_t> early_data_size{kMostEarlyData};
  config::Setting<std::uint8_t> max_dataless_records{32};
  config::Setting<std::chrono::seconds> session_timeout{std::chrono::seconds(300)};
  config::Setting<std::vector<TicketKey>> ticket_keys;
  config::Setting<SessionStore> sessions;
  config::Setting<std::size_t> buffer_size{kLargestRecord};
  config::Setting<std::shared_ptr<const TrustedCertificates>> trusted;
  config::Setting<KeyLogPtr> key_log;

  auto settings(this auto& self) {
    return std::tie(self.certificates, self.keys, self.versions, self.ciphers,
                    self.prefer_server_ciphers, self.passwords, self.groups, self.dh_parameters,
                    self.commands, self.reject_handshake, self.tickets, self.early_data,
                    self.early_data_size, self.max_dataless_records, self.session_timeout,
                    self.ticket_keys, self.sessions, self.buffer_size, self.trusted, self.key_log);
  }
};

extern const config::Feature kFeature;

// What directives toward backends read in the same way.

/// True, and reported, if the first argument is what nginx takes instead of a file's name and this
/// program does not: variables, "data:", "engine:", "store:". `instead`: what to do about
/// variables; empty where they are taken.
[[nodiscard]] bool refuse_what_is_no_file(const config::Binding& binding, std::string_view instead);
/// The certificate in the file that the first argument names; null, and reported, if there is none.
[[nodiscard]] CertificatePtr read_certificate(config::Binding& binding);
/// The passwords in that file, which is as secret as the keys that they open; none: reported.
[[nodiscard]] std::vector<std::string> read_passwords(config::Binding& binding);
/// The versions of TLS that the arguments of a directive name, added to `versions`.
void read_versions(config::Binding& binding, config::Setting<std::vector<Version>>& versions);

/// After inheritance, for servers that speak TLS: every certificate has its key, in the order of
/// the file, and there is one per type of key. Reports what is missing, what does not match, what
/// no password opens and what OpenSSL does not take, at `where` if nowhere better. A server that
/// rejects handshakes needs no certificate.
[[nodiscard]] bool check(const TlsOptions& options, config::Position where,
                         config::Diagnostics& diagnostics, const config::BuildFlags& flags = {});

/// The keys of a server that passed check(), opened by its passwords.
[[nodiscard]] std::vector<PrivateKeyPtr> open_keys(const TlsOptions& options);

/// `compat nginx` brings nginx's default ciphers and groups back, and records of one size.
[[nodiscard]] ServerPolicy policy_of(const TlsOptions& options,
                                     const config::BuildFlags& flags = {});

}  // namespace tls
