// ClientCertificateCache: the certificates that backends are shown where proxy_ssl_certificate or
// its key has variables. Such files can't be read when the configuration is loaded; the server
// process reads them as `user` when a request needs a connection.
//
// Each pair of files has a tls::ClientContext of its own. Connections are pooled by their context,
// and sessions are kept in it, so neither ever passes from one certificate to another. A file that
// still says the same when it is read again keeps its context.
//
// Values may come from clients. So a name is looked at before the disk is; failures are remembered
// for a second in a place of their own, where they push no good entry out; all is bounded.
//
// Reading blocks the worker for as long as a small file takes, as nginx's does. A thread for it was
// rejected: it is local, once per `valid` and name, and the page cache has it after that.
//
// The signer has a key for as long as its entry, or a request that makes a connection with it,
// lives; then it is wiped. A connection that stands needs it no more: there is no renegotiation and
// no authentication after the handshake.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/lru_cache.h"
#include "io/event_loop.h"
#include "io/timers.h"
#include "observe/counters.h"
#include "proxy/backend_tls_options.h"
#include "script/value.h"
#include "tls/in_process_signer.h"

namespace proxy {

/// proxy_ssl_certificate and what belongs to it, where a name has variables.
struct NamedCertificate {
  script::Value certificate;
  script::Value key;
  std::vector<std::string> passwords;
  std::string directory;  // relative names begin here; ends with "/"
  std::shared_ptr<const tls::ClientPolicy> policy;  // everything else
  BackendTlsOptions::CertificateCache cache;
  bool take_exposed_keys = false;  // compat nginx: also keys that everyone may read
};

/// Why no file is opened by such a name, or empty: "has a \"..\" in its path".
[[nodiscard]] std::string_view problem_of_file_name(std::string_view name) noexcept;

struct ShownCertificate {
  tls::InProcessSigner::Hold key;
  std::unique_ptr<tls::ClientContext> context;
  tls::KeyId fingerprint{};  // of the chain
  tls::KeyId key_id{};
};

class ClientCertificateCache final : private io::Timer {
 public:
  /// All outlive it.
  struct Surroundings {
    io::EventLoop& loop;
    tls::Library& library;
    tls::InProcessSigner& signer;
    observe::Counters& counters;
  };
  ClientCertificateCache(Surroundings surroundings, const NamedCertificate& named);

  using Shown = std::shared_ptr<const ShownCertificate>;
  /// By the values of both names; null if the first is empty: no certificate. Hold it until the
  /// connection is made. The error is a line for the error log. Blocks if files are to be read.
  [[nodiscard]] std::expected<Shown, std::string> find(std::string_view certificate,
                                                       std::string_view key);

  [[nodiscard]] std::size_t size() const noexcept { return good_.size(); }

  static constexpr std::size_t kLongestName = 1024;
  static constexpr std::size_t kLargestFile = std::size_t{1} << 20;
  static constexpr std::size_t kMostFailures = 100;
  static constexpr std::chrono::seconds kFailureLasts{1};

 private:
  struct Good {
    Shown shown;
    base::TimePoint read{};
    base::TimePoint used{};
  };
  struct Failed {
    std::string sentence;
    base::TimePoint read{};
  };
  using Found = std::expected<Shown, std::string>;
  [[nodiscard]] const std::string* known_failure(const std::string& names);
  [[nodiscard]] Found load(const std::string& certificate, const std::string& key,
                           const Shown& before);
  [[nodiscard]] std::expected<std::string, std::string> read(const std::string& name,
                                                             config::Purpose purpose) const;
  [[nodiscard]] std::expected<tls::PrivateKeyPtr, std::string> read_key(
      const std::string& name) const;
  [[nodiscard]] std::string full_name(std::string_view name) const;
  void keep(std::string names, Shown shown);
  void sweep_later();
  void on_timer() noexcept override;

  Surroundings around_;
  const NamedCertificate& named_;
  base::LruCache<std::string, Good> good_;  // by both names
  base::LruCache<std::string, Failed> failed_{kMostFailures};
};

}  // namespace proxy
