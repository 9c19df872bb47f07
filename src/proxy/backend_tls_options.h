// BackendTlsOptions: what the proxy_ssl_* directives of one level say, as written. PlanMaker makes
// a tls::ClientPolicy of them (backend_tls_plan.cc).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "tls/certificate.h"
#include "tls/client_context.h"
#include "tls/conf_command.h"
#include "tls/revocation_lists.h"
#include "tls/server_context.h"

namespace proxy {

struct BackendTlsOptions {
  struct CertificateFile {
    std::string name;
    // Null: none is shown, or the name has variables and is read at run time
    // (client_certificates.h).
    tls::CertificatePtr certificate;
    std::string directory{};  // relative names begin here; ends with "/"
  };
  struct KeyFile {
    std::string name;
    std::string pem;  // perhaps encrypted: the passwords may stand at another level
  };
  /// proxy_ssl_certificate_cache: of files whose names have variables.
  struct CertificateCache {
    std::size_t most = 100;  // pairs of files; 0: none is kept. compat nginx: 0
    std::chrono::milliseconds inactive{std::chrono::seconds(10)};  // forgotten if not used so long
    std::chrono::milliseconds valid{std::chrono::minutes(1)};  // then the files are read again
    bool operator==(const CertificateCache&) const = default;
  };

  std::string_view prefix{"proxy_"};  // of the directives that set them
  config::Setting<config::Word> name;
  config::Setting<bool> server_name{true};  // compat nginx: off
  config::Setting<bool> verify{true};  // compat nginx: off
  config::Setting<std::uint64_t> verify_depth{4};  // compat nginx: 1
  config::Setting<std::shared_ptr<const tls::TrustedCertificates>> trusted;
  config::Setting<std::shared_ptr<const tls::RevocationLists>> revocations;
  config::Setting<std::vector<tls::KeyId>> pins;
  config::Setting<std::vector<tls::Version>> versions;
  config::Setting<std::string> ciphers{"DEFAULT"};
  config::Setting<std::vector<tls::ConfCommand>> commands;
  config::Setting<bool> session_reuse{true};
  config::Setting<CertificateFile> certificate;
  config::Setting<KeyFile> key;
  config::Setting<std::vector<std::string>> passwords;
  config::Setting<CertificateCache> certificate_cache;

  auto settings(this auto& self) {
    return std::tie(self.name, self.server_name, self.verify, self.verify_depth, self.trusted,
                    self.revocations, self.pins, self.versions, self.ciphers, self.commands,
                    self.session_reuse, self.certificate, self.key, self.passwords,
                    self.certificate_cache);
  }
};

extern const config::Feature kBackendTlsFeature;

}  // namespace proxy
