// The ssl_* directives of servers: certificates with their keys, and the policy.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "tls/certificate.h"
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
    std::string pem;
    KeyId id{};
    config::Position where;
  };
  config::Setting<std::vector<CertificateFile>> certificates;
  config::Setting<std::vector<KeyFile>> keys;
  config::Setting<std::vector<Version>> versions;
  config::Setting<std::string> ciphers;
  config::Setting<bool> prefer_server_ciphers{false};

  auto settings(this auto& self) {
    return std::tie(self.certificates, self.keys, self.versions, self.ciphers,
                    self.prefer_server_ciphers);
  }
};

extern const config::Feature kFeature;

/// After inheritance, for servers that speak TLS: every certificate has its key, in the order of
/// the file, and there is one per type of key. Reports what is missing, what does not match and
/// what OpenSSL does not take, at `where` if nowhere better.
[[nodiscard]] bool check(const TlsOptions& options, config::Position where,
                         config::Diagnostics& diagnostics, const config::BuildFlags& flags = {});

/// `compat nginx` brings nginx's default ciphers back.
[[nodiscard]] ServerPolicy policy_of(const TlsOptions& options,
                                     const config::BuildFlags& flags = {});

}  // namespace tls
