// ServerContext: how servers speak TLS. One per policy and worker; certificates are not part of it,
// a CertificateSource gives them for each connection when the ClientHello has been read.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tls/certificate.h"
#include "tls/conf_command.h"
#include "tls/key_log.h"
#include "tls/library.h"
#include "tls/session_cache.h"
#include "tls/ticket_keys.h"

namespace tls {

enum class Version : std::uint8_t { tls1_0, tls1_1, tls1_2, tls1_3 };

/// The defaults are Mozilla's guideline 5.7, "intermediate".
inline constexpr std::string_view kIntermediateCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";

/// Where sessions are kept on our side, beside the tickets that clients keep.
struct SessionStore {
  /// off: TLS 1.2 clients are told so (no session id). none: they get an id that is good for
  /// nothing; some clients cannot do without. shared: a cache of all workers.
  enum class Mode : std::uint8_t { off, none, shared };
  Mode mode = Mode::none;
  std::string name{};  // shared: servers that give the same name share it
  std::size_t capacity = 0;  // shared: bytes
  [[nodiscard]] bool operator==(const SessionStore&) const = default;
};

/// What a client may send before its handshake has ended, in bytes.
inline constexpr std::uint32_t kMostEarlyData = 16384;

/// What one record may have at most (RFC 8446 §5.1), in bytes.
inline constexpr std::size_t kLargestRecord = 16384;

struct ServerPolicy {
  /// Every version between the lowest and the highest of the set that is not in it is disabled.
  std::vector<Version> versions{Version::tls1_2, Version::tls1_3};
  std::string ciphers{kIntermediateCiphers};  // TLS 1.2 and older, OpenSSL's list syntax
  std::string suites{};  // TLS 1.3; empty: all three
  /// "X25519:P-256"; empty: X25519:P-256:P-384, before them X25519MLKEM768 where OpenSSL has it.
  std::string groups{};
  bool wide_groups = false;  // where `groups` is empty: as nginx, X448 and P-521, too
  std::string dh_parameters{};  // PEM; empty: no finite-field groups in TLS 1.2
  bool prefer_server_ciphers = false;
  std::vector<std::string> alpn{};  // in our order of preference; empty: ALPN is not answered
  bool tickets = true;
  std::chrono::seconds session_timeout{300};
  /// The first makes tickets, all of them open them. Empty: keys that rotate themselves.
  std::vector<TicketKey> ticket_keys{};
  SessionStore sessions{};
  /// TLS 1.3's early data (0-RTT), once per ClientHello: TlsStream::is_early().
  bool early_data = false;
  std::uint32_t early_data_size = kMostEarlyData;  // at most; 1 to kMostEarlyData bytes
  /// TLS 1.3: records in a row that bring no data, KeyUpdates among them; older versions have
  /// OpenSSL's 32.
  std::uint8_t max_dataless_records = 32;
  std::vector<ConfCommand> commands{};  // of OpenSSL's own; over all of the above
  std::size_t record_size = kLargestRecord;  // contents of a record that we send, at most
  bool adaptive_records = true;  // small ones first (record_size.h)
  KeyLogPtr key_log{};  // null, unless somebody debugs
  bool client_hello = false;  // variables show it: TlsStream::take_client_hello()
  /// What a session is bound to beside the rest of this policy: sessions made under one policy are
  /// not resumed under another (RFC 8446 §4.6.1 leaves that to us; threats.md #15). Put there what
  /// makes servers differ in whom they let in, e.g. the client certificates that they ask for.
  std::string session_scope{};

  [[nodiscard]] bool operator==(const ServerPolicy&) const = default;
};

class ServerContext {
 public:
  /// The error is a sentence that names what OpenSSL did not accept. `keys` may be null (no
  /// tickets).
  /// `caches`: where the policy's session cache is; null: one of its own.
  [[nodiscard]] static std::expected<std::unique_ptr<ServerContext>, std::string> make(
      Library& library, const ServerPolicy& policy, std::shared_ptr<TicketKeys> keys,
      SessionCaches* caches = nullptr);
  ~ServerContext();
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  struct State;
  /// Connections hold it: a ServerContext may go while they live.
  [[nodiscard]] const std::shared_ptr<State>& state() const noexcept { return state_; }

 private:
  explicit ServerContext(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

/// Checks a policy without a worker, when the configuration is read. A sentence, or empty.
[[nodiscard]] std::string problem_of(const ServerPolicy& policy);

/// What of it concerns ssl_dhparam's file alone, without its name.
[[nodiscard]] std::string problem_of_dh_parameters(const std::string& pem);
/// How many bits the group of such a file has; 0 if it has none.
[[nodiscard]] unsigned bits_of_dh_parameters(const std::string& pem);

/// What a server name means on the listener where a connection came in.
struct Selection {
  /// nullptr: the handshake is refused with the alert unrecognized_name (RFC 6066 §3).
  ServerContext* context = nullptr;
  /// At most one per key type; must live until the handshake ends.
  std::span<const CertificatePtr> certificates{};
};

/// Declared here, implemented above (route knows names, listeners and defaults).
class CertificateSource {
 public:
  /// `sni` is lower-cased, without a trailing dot, and empty when the client sent none. Called once
  /// per handshake, on the normal stack: regular expressions are allowed.
  [[nodiscard]] virtual Selection select(std::string_view sni) = 0;

 protected:
  ~CertificateSource() = default;
};

}  // namespace tls
