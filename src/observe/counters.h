// Counters: what a worker counts. Plain integers of one writer; the status thread reads them at any
// time and adds the workers' up.
//
// Each is an atomic that is only ever loaded and stored, relaxed: on x86 and ARM the same
// instructions as for a plain integer, and no data race in the language's eyes. fetch_add, which
// locks the bus, was rejected: nobody else writes. Names and help stand in the table, so that
// `status` can list them all.
//
// Families count things that this floor can't name (a codec's refusals): they are registered at
// start in a CounterLayout that all workers share.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace observe {

// clang-format off
// name, kind (counter: only grows; gauge: goes up and down), help
#define SALLYPORT_COUNTERS(X)                                                                        \
  X(connections_accepted, counter, "connections taken from listeners")                               \
  X(connections_closed, counter, "accepted connections that ended")                                  \
  X(connections_active, gauge, "accepted connections that are open")                                 \
  X(connections_idle, gauge, "open connections that wait for a request")                             \
  X(accept_failures, counter, "accept() calls that failed")                                          \
  X(handshakes_full, counter, "TLS handshakes with clients, without resumption")                     \
  X(handshakes_resumed, counter, "TLS handshakes with clients that resumed a session")               \
  X(handshakes_failed, counter, "TLS handshakes with clients that failed")                           \
  X(certificates_parsed, counter, "certificates and chains made ready: worker_certificates keeps them") \
  X(handshakes_rejected, counter, "TLS handshakes refused: ssl_reject_handshake, or no such server") \
  X(sessions_stored, counter, "TLS sessions put into a cache: ssl_session_cache")                    \
  X(sessions_found, counter, "TLS sessions that clients asked for and a cache had")                  \
  X(sessions_missed, counter, "TLS sessions that clients asked for and no cache had")                \
  X(early_data_taken, counter, "TLS connections whose early data was taken")                         \
  X(early_data_replayed, counter, "TLS handshakes whose early data had been seen before")            \
  X(early_data_refused, counter, "requests in early data answered 425")                              \
  X(plain_on_tls_port, counter, "plain HTTP requests that came to a TLS port")                       \
  X(proxy_headers_refused, counter, "connections closed: no sound PROXY protocol header came")        \
  X(requests, counter, "requests whose head was accepted")                                           \
  X(requests_active, gauge, "requests that are being served")                                        \
  X(responses_1xx, counter, "responses with a status of 1xx, upgrades included")                     \
  X(responses_2xx, counter, "responses with a status of 2xx")                                        \
  X(responses_3xx, counter, "responses with a status of 3xx")                                        \
  X(responses_4xx, counter, "responses with a status of 4xx")                                        \
  X(responses_5xx, counter, "responses with a status of 5xx")                                        \
  X(requests_aborted, counter, "requests whose client went away before the response ended")          \
  X(filters_failed, counter, "responses cut off: a body filter could not go on")                     \
  X(requests_refused, counter, "requests that broke the protocol's rules")                           \
  X(requests_misdirected, counter, "requests answered 421: HTTP/2 for a host that the certificate does not name") \
  X(access_denied, counter, "requests refused: allow and deny")                                       \
  X(passwords_refused, counter, "requests refused: no such user, or a wrong password")               \
  X(passwords_computed, counter, "passwords that were hashed to be compared")                        \
  X(passwords_found, counter, "passwords that had been verified before")                             \
  X(requests_delayed, counter, "requests delayed: limit_req")                                        \
  X(tunnels, counter, "connections that were upgraded")                                              \
  X(bytes_in, counter, "bytes received from clients")                                                \
  X(bytes_out, counter, "bytes sent to clients")                                                     \
  X(upstream_connects, counter, "connections made to backends")                                      \
  X(upstream_reuses, counter, "requests sent on a kept connection")                                  \
  X(upstream_connect_failures, counter, "connections to backends that could not be made")            \
  X(upstream_handshakes_failed, counter, "TLS handshakes with backends that failed")                 \
  X(upstream_untrusted, counter, "backends whose certificate was not verified")                      \
  X(upstream_revoked, counter, "backends whose certificate was revoked: proxy_ssl_crl")              \
  X(upstream_revocation_unknown, counter, "backends without a valid revocation list: proxy_ssl_crl") \
  X(upstream_pin_mismatches, counter, "backends whose key is none of proxy_ssl_pin")                 \
  X(upstream_certificates_found, counter, "certificates named by variables that were kept: proxy_ssl_certificate_cache") \
  X(upstream_certificates_read, counter, "certificates named by variables that were read from files") \
  X(upstream_certificates_failed, counter, "requests whose certificate, named by variables, could not be used") \
  X(upstream_certificate_names_refused, counter, "requests whose variables name no file that may be a certificate") \
  X(upstream_failures, counter, "attempts that failed")                                              \
  X(upstream_retries, counter, "attempts after the first one of a request")                          \
  X(upstream_timeouts, counter, "attempts that ended by a time limit")                               \
  X(upstream_refused, counter, "responses of backends that broke the protocol's rules")              \
  X(upstream_active, gauge, "connections to backends in use")                                        \
  X(upstream_family_changes, counter, "connections to names made to the other address family")       \
  X(upstream_idle, gauge, "connections to backends that are kept for reuse")                         \
  X(upstream_h2_connections, gauge, "HTTP/2 connections to backends")                                \
  X(upstream_h2_waits, counter, "requests that waited for a place on an HTTP/2 connection to a backend") \
  X(upstream_moved, counter, "requests sent again: the backend had not processed them")              \
  X(upstream_bytes_in, counter, "bytes received from backends")                                      \
  X(upstream_bytes_out, counter, "bytes sent to backends")                                           \
  X(dns_lookups, counter, "names that name servers were asked for")                                  \
  X(dns_failures, counter, "lookups of names that gave no address")                                  \
  X(dns_timeouts, counter, "lookups of names that no name server answered in time")                  \
  X(dns_stale, counter, "failed lookups after which the old addresses stayed in use")                \
  X(dns_gone, counter, "empty answers to lookups that were not believed yet")                        \
  X(limit_password_queue, counter, "requests refused: too many passwords wait to be hashed")         \
  X(limit_req, counter, "requests refused: limit_req")                                               \
  X(limit_conn, counter, "requests refused: limit_conn")                                             \
  X(limit_zone_states, counter, "states of limit_req dropped before their time: the zone is full")   \
  X(limit_worker_connections, counter, "connections refused: worker_connections")                    \
  X(limit_open_files, counter, "pauses of accepting: file descriptors ran short")                    \
  X(limit_memory, counter, "pauses of accepting: memory_limit")                                      \
  X(relief_clients, counter, "idle connections of clients closed to make room")                      \
  X(relief_backends, counter, "idle connections to backends closed to make room")                    \
  X(limit_handshake_time, counter, "connections closed: the handshake took too long")                \
  X(limit_session_cache, counter, "TLS sessions dropped before their time: the cache is full")       \
  X(limit_early_data, counter, "TLS handshakes without their early data: too many at a time")        \
  X(limit_records_without_data, counter, "connections closed: TLS records without data")          \
  X(limit_header_time, counter, "requests ended: client_header_timeout")                             \
  X(limit_body_time, counter, "requests ended: client_body_timeout")                                 \
  X(limit_body_rate, counter, "requests ended: client_body_min_rate")                                \
  X(limit_send_time, counter, "requests ended: send_timeout")                                        \
  X(limit_send_rate, counter, "requests ended: send_min_rate")                                       \
  X(limit_keepalive_time, counter, "idle connections closed: keepalive_timeout")                     \
  X(limit_keepalive_requests, counter, "connections closed: keepalive_requests")                     \
  X(limit_keepalive_age, counter, "connections closed: keepalive_time")                              \
  X(limit_lingering_time, counter, "connections closed while the client was sending: lingering_time") \
  X(limit_discard_size, counter, "connections closed: client_max_discard_size")                      \
  X(h2_connections, counter, "HTTP/2 connections of clients")                                        \
  X(h2_streams, counter, "requests that came over HTTP/2")                                           \
  X(h2_malformed, counter, "HTTP/2 messages that broke the protocol: their streams were reset")      \
  X(h2_resets_received, counter, "HTTP/2 streams that peers reset")                                  \
  X(h2_resets_sent, counter, "HTTP/2 streams that were reset toward their peers")                    \
  X(h2_connections_calmed, counter, "HTTP/2 connections closed: the peer passed a limit (ENHANCE_YOUR_CALM)") \
  X(limit_h2_streams, counter, "HTTP/2 streams refused: http2_max_concurrent_streams")               \
  X(limit_h2_memory, counter, "HTTP/2 streams refused: the connection's memory, or all connections'") \
  X(limit_h2_stalled, counter, "HTTP/2 streams reset: the client opened no window in send_timeout")  \
  X(limit_h2_resets, counter, "HTTP/2 connections closed: too many resets")                          \
  X(limit_h2_continuations, counter, "HTTP/2 connections closed: a header block without end")        \
  X(limit_h2_settings, counter, "HTTP/2 connections closed: too many SETTINGS")                      \
  X(limit_h2_pings, counter, "HTTP/2 connections closed: too many PINGs")                            \
  X(limit_h2_priorities, counter, "HTTP/2 connections closed: too many PRIORITY or PRIORITY_UPDATE") \
  X(limit_h2_window_updates, counter, "HTTP/2 connections closed: too many WINDOW_UPDATEs")          \
  X(limit_h2_empty_frames, counter, "HTTP/2 connections closed: too many empty frames")              \
  X(limit_h2_tiny_data, counter, "HTTP/2 connections closed: too many tiny DATA frames")             \
  X(limit_h2_unknown_frames, counter, "HTTP/2 connections closed: too many frames of unknown types") \
  X(limit_h2_decoded, counter, "HTTP/2 connections closed: a header that is huge once it is decoded") \
  X(limit_h2_queue, counter, "HTTP/2 connections closed: too many frames were owed to the peer")     \
  X(limit_subrequests, counter, "subrequests that were not made: max_subrequests")                   \
  X(limit_ssi_size, counter, "SSI variables and blocks that were not kept: 1 MB for a page")        \
  X(limit_uri_size, counter, "requests refused: the request line is too long")                       \
  X(limit_header_size, counter, "requests refused: the header is too large")                         \
  X(limit_header_count, counter, "requests refused: too many header fields")                         \
  X(limit_body_size, counter, "requests refused: client_max_body_size")                              \
  X(limit_chunk_extensions, counter, "messages refused: max_chunk_extensions")                       \
  X(limit_trailers, counter, "messages refused: max_trailers")                                       \
  X(limit_body_buffer_size, counter, "request bodies that went to a file: client_body_buffer_size")  \
  X(limit_ranges, counter, "requests answered with a whole file: max_ranges")                        \
  X(limit_directory_entries, counter, "directories that were not listed: autoindex_max_entries")     \
  X(limit_open_file_cache, counter, "files dropped before their time: open_file_cache max")           \
  X(open_file_hits, counter, "files and errors that open_file_cache had")                            \
  X(open_file_misses, counter, "files that open_file_cache asked the disk for")                      \
  X(limit_request_memory, counter, "requests ended: their memory reached its ceiling")               \
  X(limit_uri_changes, counter, "requests ended: the URI changed too often")                         \
  X(limit_regex_steps, counter, "regular expressions that reached the step limit")                   \
  X(limit_upstream_header_size, counter, "responses of backends refused: the header is too large")   \
  X(limit_upstream_header_count, counter, "responses of backends refused: proxy_max_headers")        \
  X(limit_connect_time, counter, "attempts ended: proxy_connect_timeout")                            \
  X(limit_upstream_read_time, counter, "attempts ended: proxy_read_timeout")                         \
  X(limit_upstream_send_time, counter, "attempts ended: proxy_send_timeout")                         \
  X(limit_upstream_tries, counter, "requests ended: no further attempt was allowed")                 \
  X(limit_upstream_certificates, counter, "certificates dropped before their time: proxy_ssl_certificate_cache") \
  X(limit_dns_addresses, counter, "addresses left out: the name has too many")                       \
  X(limit_dns_names, counter, "names dropped from the cache, or not looked up: too many")            \
  X(log_lines_dropped, counter, "lines of access logs that could not be written")                    \
  X(error_lines_dropped, counter, "lines of error logs that could not be written")                   \
  X(log_reopenings, counter, "times that the logs were opened anew")                                 \
  X(loop_turns, counter, "turns of the event loop")                                                  \
  X(loop_stalls, counter, "turns of the event loop that took longer than 10 ms")                     \
  X(snapshots, counter, "configurations that this worker has taken up")
// clang-format on

enum class Counter : std::uint16_t {
#define SALLYPORT_COUNTER(name, kind, help) name,
  SALLYPORT_COUNTERS(SALLYPORT_COUNTER)
#undef SALLYPORT_COUNTER
};

#define SALLYPORT_COUNTER(name, kind, help) +1
inline constexpr std::size_t kCounterCount = 0 SALLYPORT_COUNTERS(SALLYPORT_COUNTER);
#undef SALLYPORT_COUNTER

enum class CounterKind : std::uint8_t { counter, gauge };

[[nodiscard]] std::string_view name_of(Counter counter) noexcept;
[[nodiscard]] std::string_view help_of(Counter counter) noexcept;
[[nodiscard]] CounterKind kind_of(Counter counter) noexcept;

/// responses_1xx ... responses_5xx; anything else counts as 5xx.
[[nodiscard]] Counter response_counter(unsigned status) noexcept;

/// One counter for each of `size` labels: {"requests_refused_by_rule", "...", "rule",
/// kRefusalCount,
/// [](std::size_t i) { return name_of(static_cast<Refusal>(i)); }}. The texts are static.
struct CounterFamily {
  std::string_view name;
  std::string_view help;
  std::string_view label;  // what is told apart: "rule"
  std::size_t size = 0;
  std::string_view (*label_of)(std::size_t index) = nullptr;
};

/// A registered family's place.
class FamilyId {
 private:
  friend class CounterLayout;
  friend class Counters;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

/// Filled at start by one thread, then only read.
class CounterLayout {
 public:
  FamilyId add(const CounterFamily& family);
  [[nodiscard]] std::span<const CounterFamily> families() const noexcept { return families_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  std::vector<CounterFamily> families_;
  std::size_t size_ = 0;
};

class alignas(64) Counters {
 public:
  /// `layout` outlives it and has all its families.
  explicit Counters(const CounterLayout& layout);

  // For the thread that owns them.
  void add(Counter counter, std::uint64_t n = 1) noexcept { change(fixed(counter), n); }
  /// For gauges; never below what was added.
  void subtract(Counter counter, std::uint64_t n = 1) noexcept { change(fixed(counter), 0 - n); }
  void set(Counter counter, std::uint64_t value) noexcept {
    fixed(counter).store(value, std::memory_order_relaxed);
  }
  /// An index beyond the family is not counted.
  void add(FamilyId family, std::size_t index, std::uint64_t n = 1) noexcept {
    if (index < family.size_ && family.first_ + index < family_size_) {
      change(families_[family.first_ + index], n);
    }
  }

  // From any thread.
  [[nodiscard]] std::uint64_t get(Counter counter) const noexcept {
    return fixed_[static_cast<std::size_t>(counter)].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get(FamilyId family, std::size_t index) const noexcept;

 private:
  friend std::vector<struct Reading> read_all(const CounterLayout&,
                                              std::span<const Counters* const>);
  using Cell = std::atomic<std::uint64_t>;
  [[nodiscard]] Cell& fixed(Counter counter) noexcept {
    return fixed_[static_cast<std::size_t>(counter)];
  }
  static void change(Cell& cell, std::uint64_t n) noexcept {
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  std::array<Cell, kCounterCount> fixed_{};
  std::unique_ptr<Cell[]> families_;
  std::size_t family_size_;
};

/// One value as `status` shows it.
struct Reading {
  std::string_view name;
  std::string_view help;
  CounterKind kind = CounterKind::counter;
  std::string_view label{};  // of families: "rule"
  std::string_view label_value{};  // "bare_lf"
  std::uint64_t value = 0;
};
/// Everything, summed over the workers, in the order of the tables.
[[nodiscard]] std::vector<Reading> read_all(const CounterLayout& layout,
                                            std::span<const Counters* const> workers);

}  // namespace observe
