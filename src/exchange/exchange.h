// Exchange: the record of one request and its response. Plain data, no behaviour: each step of
// proxy/serve.cc reads and writes it, variables show it, the access log prints it.
//
// All views live in the arena, in the connection's buffer (which stays in place until the exchange
// ends) or in the snapshot, which the exchange's owner holds.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/regex.h"
#include "http/head.h"
#include "http/path.h"

namespace config {
class Level;
}
namespace observe {
class Totals;
}

namespace exchange {

/// The client's connection, as far as exchanges care. Owned by the connection, outlives them.
struct Connection {
  std::uint64_t number = 0;    // $connection
  base::Address peer;          // whoever connected: $realip_remote_addr
  base::Address local;         // where: $server_addr, $server_port
  base::TimePoint accepted_at{};
  std::uint64_t requests = 0;  // this one included: $connection_requests
  int socket = -1;  // open as long as exchanges run; -1, as in tests: no socket. $tcpinfo_*
  const observe::Totals* totals = nullptr;  // of the program: $connections_*; null, as in tests

  bool plain_on_tls_port = false;
  bool http2 = false;
  bool tls = false;
  std::string_view tls_protocol;  // "TLSv1.3"; the TLS library's own text, as the next
  std::string_view tls_cipher;    // OpenSSL's name
  std::string tls_server_name;
  std::string_view tls_alpn;       // the stream's, as the next two
  std::string_view tls_signature;  // "ecdsa_secp256r1_sha256": what the server signed with
  std::span<const std::uint8_t> tls_session_id;
  std::string tls_curve;  // "X25519"
  bool tls_resumed = false;

  /// What the client offered; null unless a variable of the configuration shows it.
  struct TlsOffer {
    std::string ciphers;
    std::string curves;
    std::string signatures;
    std::string ja4;
  };
  std::unique_ptr<TlsOffer> tls_offer;

  struct ProxyProtocol {
    base::Address source;
    base::Address destination;
    std::string tlvs;  // as received, behind the addresses: $proxy_protocol_tlv_*
  };
  std::unique_ptr<ProxyProtocol> proxy_protocol;  // null: the connection began without one
};

/// One try at one endpoint: an element of $upstream_addr and its siblings. An element without an
/// endpoint stands where an internal redirect began anew: " : " in those variables.
struct Attempt {
  std::string_view endpoint{};  // "10.0.0.1:80", "unix:/run/app.sock", or the group's name if no
                              // endpoint could be tried
  unsigned status = 0;        // of its answer; 502 or 504 if it gave none; 0: still unknown
  std::optional<base::Duration> connect_time{};   // TLS handshake included
  std::optional<base::Duration> header_time{};    // until the last byte of the head
  std::optional<base::Duration> response_time{};  // until the last byte of the body
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t response_length = 0;  // body bytes, without framing
};

/// Why a value with variables in it could not be evaluated (script/subject.h). Kept until whoever
/// serves the exchange tells of it.
struct EvaluationFailure {
  enum class Kind : std::uint8_t {
    none,
    cycle,  // a variable needs itself: an empty value, as in nginx
    too_long,  // this and what follows must end the exchange with an error
    regex,
    regex_steps,
  };
  Kind kind = Kind::none;
  std::string_view what{};  // for the error log; in the arena or the snapshot
};

/// What limit_req or limit_conn did with the request: $limit_req_status, $limit_conn_status.
enum class LimitStatus : std::uint8_t {
  none,  // no limit counted it
  passed,
  delayed,
  rejected,
  delayed_dry_run,
  rejected_dry_run,
};

/// Bytes of a body before and after it was compressed: $gzip_ratio. `out` is 0 until it has ended.
struct GzipRatio {
  std::uint64_t in = 0;
  std::uint64_t out = 0;
};

struct Exchange {
  static constexpr std::size_t kMaxAttempts = 16;

  Exchange(const Connection& client, base::Arena& memory) noexcept
      : arena(memory),
        connection(client),
        request(memory),
        remote(client.peer),
        response(memory),
        response_trailers(memory),
        upstream_response(memory),
        upstream_trailers(memory) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  base::Arena& arena;
  const Connection& connection;
  const Exchange* main = nullptr;  // of a subrequest: the client's

  // The request, as received and as it stands now.
  http::RequestHead request;
  std::string_view uri;    // canonical, decoded: $uri; rewrites change it
  std::string_view args;   // $args; rewrites change them
  bool uri_changed = false;          // neither is the request's own any more
  bool path_is_routed = true;        // the location was found by `uri` as it stands
  bool internal = false;  // the configuration made `uri`: `internal` locations are open
  bool early = false;  // in TLS's early data, before the handshake ended
  bool pipelined = false;  // came before its predecessor's response was sent: $pipe
  base::Address remote;  // realip may move it away from connection.peer
  bool trusted_peer = false;  // in trusted_proxies: its forwarding headers are believed
  std::string_view server_name;  // the virtual server's first name
  LimitStatus limit_req_status = LimitStatus::none;
  LimitStatus limit_conn_status = LimitStatus::none;
  const config::Level* level = nullptr;  // whose settings hold: the location's, else the server's
  http::EncodedSlash encoded_slash = http::EncodedSlash::keep;  // what made `uri`
  std::size_t request_length = 0;  // request line, headers and body: $request_length
  std::optional<std::string_view> request_body;  // read, and whole in memory: $request_body
  std::string_view request_body_file;  // where it was written: $request_body_file
  base::TimePoint started{};
  base::WallTime started_wall{};

  // The response to the client.
  http::ResponseHead response;
  http::Fields response_trailers;
  std::uint64_t bytes_sent = 0;  // all
  std::uint64_t body_bytes_sent = 0;  // without the head
  bool head_sent = false;
  bool completed = false;  // $request_completion
  GzipRatio gzip_ratio;
  bool gzip_vary = false;  // for another client it could be compressed, or not
  std::string_view override_charset;  // what the backend wants it to have: X-Accel-Charset
  // $limit_rate, where the backend or a rewrite has set it: bytes per second, 0: no limit.
  std::optional<std::uint64_t> limit_rate;

  // The backend's side.
  std::string_view proxy_host;  // as in proxy_pass: $proxy_host
  std::uint16_t proxy_port = 0;
  http::ResponseHead upstream_response;
  http::Fields upstream_trailers;
  std::span<Attempt> attempts;  // attempt_count <= attempts.size() <= kMaxAttempts
  std::size_t attempt_count = 0;

  // Captures of the last regular expression that matched, and named ones by slot.
  base::Captures captures;
  std::span<std::optional<std::string_view>> named_captures;
  EvaluationFailure failure;
  std::array<char, 32> request_id{};  // $request_id, made on first use
  bool has_request_id = false;

  base::TimePoint now{};  // of the event loop, set before variables are evaluated
  base::WallTime now_wall{};

  [[nodiscard]] std::span<const Attempt> all_attempts() const noexcept {
    return attempts.first(attempt_count);
  }
  /// One more, empty; kMaxAttempts at most. References to earlier ones end. Room for the first
  /// alone is made at first: most exchanges need no other.
  Attempt& add_attempt() {
    CHECK(attempt_count < kMaxAttempts);
    if (attempt_count == attempts.size()) {
      const auto wider = arena.make_array<Attempt>(attempts.empty() ? 1 : kMaxAttempts);
      std::ranges::copy(attempts, wider.begin());
      attempts = wider;
    }
    return attempts[attempt_count++] = {};
  }
  /// $host: the request's, or the server's name when it gave none.
  [[nodiscard]] std::string_view host() const noexcept {
    return request.host.empty() ? server_name : request.host;
  }
};

}  // namespace exchange
