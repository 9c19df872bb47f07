// ClientOptions: limits and manners toward clients, by nginx's directives of its http core.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "base/address.h"
#include "config/directive.h"
#include "http/path.h"

namespace proxy {

/// off: a connection is closed at once, though the client may lose the answer by that.
enum class LingeringClose : std::uint8_t { off, on, always };

/// Old browsers whose connections are not kept.
struct OldBrowsers {
  bool msie6 = false;  // after a POST
  bool safari = false;
};

/// Whether bodies are always written to files of their own; clean: which are removed at the end.
enum class BodyFiles : std::uint8_t { off, on, clean };

struct ClientOptions {
  using Milliseconds = std::chrono::milliseconds;

  // The request's head: the bytes of one line, the number of such buffers, the number of fields.
  config::Setting<std::uint64_t> header_buffer_size{1024};
  config::Setting<std::uint64_t> large_buffer_count{4};
  config::Setting<std::uint64_t> large_buffer_size{8 * 1024};
  config::Setting<std::uint64_t> max_headers{100};  // see max_fields
  config::Setting<Milliseconds> header_timeout{Milliseconds(60'000)};

  config::Setting<std::uint64_t> max_body_size{1024 * 1024};  // 0: no limit
  config::Setting<std::uint64_t> body_buffer_size{16 * 1024};  // of a held body, in memory
  config::Setting<BodyFiles> body_in_file_only{BodyFiles::off};
  config::Setting<std::string> body_temp_path;  // unset: the program's own directory
  config::Setting<std::uint64_t> max_discard_size{256 * 1024};  // of a body that nobody wants
  config::Setting<std::uint64_t> max_subrequests{200};  // of one request
  config::Setting<std::uint64_t> max_chunk_extensions{4 * 1024};  // bytes in one body
  config::Setting<std::uint64_t> max_trailer_fields{32};
  config::Setting<std::uint64_t> max_trailer_size{4 * 1024};
  config::Setting<Milliseconds> body_timeout{Milliseconds(60'000)};  // between two reads
  config::Setting<std::uint64_t> body_min_rate{500};  // bytes per second; compat nginx: 0
  config::Setting<Milliseconds> send_timeout{Milliseconds(60'000)};  // between two writes
  config::Setting<std::uint64_t> send_min_rate{500};  // likewise

  config::Setting<Milliseconds> keepalive_timeout{Milliseconds(75'000)};  // 0: no keep-alive
  config::Setting<Milliseconds> keepalive_header{Milliseconds(0)};  // Keep-Alive: timeout=N
  config::Setting<Milliseconds> keepalive_min_timeout{Milliseconds(0)};  // kept open in a drain
  config::Setting<Milliseconds> keepalive_time{Milliseconds(3'600'000)};  // since it was accepted
  config::Setting<std::uint64_t> keepalive_requests{1000};

  config::Setting<OldBrowsers> keepalive_disable{OldBrowsers{.msie6 = true}};

  config::Setting<LingeringClose> lingering_close{LingeringClose::on};
  config::Setting<Milliseconds> lingering_time{Milliseconds(30'000)};  // in all
  config::Setting<Milliseconds> lingering_timeout{Milliseconds(5'000)};  // between two reads
  config::Setting<bool> reset_timed_out{false};

  config::Setting<bool> server_tokens{false};  // compat nginx: on
  config::Setting<bool> tcp_nodelay{true};
  config::Setting<bool> log_not_found{true};  // files that are not there, in the error log
  config::Setting<bool> log_subrequest{false};  // in the access log
  config::Setting<bool> chunked{true};  // whether a body may be sent in chunks
  config::Setting<bool> ignore_invalid_headers{true};
  config::Setting<bool> underscores_in_headers{false};
  config::Setting<bool> merge_slashes{true};
  config::Setting<std::string> default_type{std::string("text/plain")};
  config::Setting<http::EncodedSlash> encoded_slash{http::EncodedSlash::keep};
  config::Setting<std::vector<base::Network>> trusted_proxies;

  /// Under `compat nginx` 1000, unless it is set.
  [[nodiscard]] std::uint64_t max_fields(bool compat_nginx) const {
    return max_headers.value_or(compat_nginx ? 1000 : *max_headers);
  }

  auto settings(this auto& self) {
    return std::tie(
        self.header_buffer_size, self.large_buffer_count, self.large_buffer_size, self.max_headers,
        self.header_timeout, self.max_body_size, self.body_timeout, self.body_buffer_size,
        self.body_in_file_only, self.body_temp_path, self.max_discard_size,
        self.max_chunk_extensions, self.max_trailer_fields, self.max_trailer_size,
        self.body_min_rate, self.send_timeout, self.send_min_rate, self.keepalive_timeout,
        self.keepalive_header, self.keepalive_min_timeout, self.keepalive_time,
        self.keepalive_requests, self.keepalive_disable, self.lingering_close, self.lingering_time,
        self.lingering_timeout, self.reset_timed_out, self.server_tokens, self.tcp_nodelay,
        self.log_not_found, self.log_subrequest, self.chunked, self.ignore_invalid_headers,
        self.underscores_in_headers, self.merge_slashes, self.max_subrequests, self.default_type,
        self.encoded_slash, self.trusted_proxies);
  }
};

extern const config::Feature kClientFeature;

}  // namespace proxy
