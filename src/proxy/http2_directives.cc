// The directives of Http2Options.
#include <algorithm>
#include <string>

#include "base/text.h"
#include "config/setters.h"
#include "proxy/client_options.h"
#include "proxy/http2_options.h"
#include "proxy/http2_rate.h"

namespace proxy {
namespace {

using config::Binding;
using config::Context;
using config::kHttpServer;
using config::kHttpServerLocation;
using config::takes;
using O = Http2Options;

// A window has 31 bits (RFC 9113 §6.9.1).
void set_preread_size(Binding& binding) {
  const auto size = config::read_size(binding);
  if (!size) return;
  if (*size > 16 * 1024 * 1024) return binding.invalid(0, "at most 16 MB");
  binding.options<O>().body_preread_size.set(*size, binding.where());
}

// A frame that carries less than its own header is nobody's wish; 16 KB is what every peer takes.
void set_chunk_size(Binding& binding) {
  const auto size = config::read_size(binding);
  if (!size) return;
  if (*size < 64 || *size > 16 * 1024) return binding.invalid(0, "between 64 bytes and 16 KB");
  binding.options<O>().chunk_size.set(*size, binding.where());
}

constexpr char kKeepaliveTimeout[] = "keepalive_timeout";
constexpr char kKeepaliveRequests[] = "keepalive_requests";
constexpr char kHeaderTimeout[] = "client_header_timeout";
constexpr char kHeaderBuffers[] = "large_client_header_buffers";

template <const auto& Instead>
void warn_of_obsolete(Binding& binding) {
  binding.warn("the \"" + std::string(binding.name()) + "\" directive is obsolete and ignored",
               "use \"" + std::string(Instead) + "\", which holds for HTTP/2, too");
}

void warn_of_push(Binding& binding) {
  binding.warn(
      "\"" + std::string(binding.name()) + "\" is ignored: clients do not take pushes any more",
      "let early_hints name what a page needs");
}

void warn_of_size(Binding& binding) {
  binding.warn(
      "\"" + std::string(binding.name()) + "\" is ignored: there is nothing of that kind here",
      "remove it");
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "http2",
     .contexts = kHttpServer,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether clients may speak HTTP/2: chosen by ALPN over TLS, known beforehand "
                      "in the clear.",
     .set = config::set_flag<&O::on>},
    {.name = "http2_max_concurrent_streams",
     .contexts = kHttpServer,
     .syntax = "NUMBER",
     .default_text = "128",
     .documentation = "Most requests at a time on one connection.",
     .set = config::set_number<&O::max_streams, 1, 10'000>},
    {.name = "http2_body_preread_size",
     .contexts = kHttpServer,
     .syntax = "SIZE",
     .default_text = "128k",
     .documentation =
         "How much of a body a client may send before it is asked for: the window of a "
         "stream.",
     .set = set_preread_size},
    {.name = "http2_chunk_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "16k",
     .documentation = "Most bytes of a response in one frame, so that others have their turn.",
     .set = set_chunk_size},
    {.name = "http2_recv_buffer_size",
     .contexts = Context::http,
     .syntax = "SIZE",
     .documentation = "Loaded without effect: buffers belong to connections that have something to "
                      "read.",
     .set = warn_of_size},
    {.name = "http2_max_continuations",
     .contexts = kHttpServer,
     .syntax = "NUMBER",
     .default_text = "16",
     .documentation = "Most CONTINUATION frames behind one HEADERS.",
     .set = config::set_number<&O::max_continuations, 0, 1000>},
    {.name = "http2_max_memory",
     .contexts = kHttpServer,
     .syntax = "SIZE",
     .default_text = "1m",
     .documentation = "What one connection may make the server hold: heads, bodies that wait to be "
                      "read, frames that wait to be sent.",
     .set = config::set_size<&O::memory>},
    {.name = "http2_max_total_memory",
     .contexts = Context::http,
     .syntax = "SIZE",
     .default_text = "256m",
     .documentation = "The same for all connections of one worker together.",
     .set = config::set_size<&Http2Memory::total>},
    {.name = "http2_max_resets",
     .contexts = kHttpServer,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "10r/s burst=150",
     .documentation =
         "RST_STREAM frames that a client sends, or makes us send by its errors, on one "
         "connection; beyond it the connection ends.",
     .set = set_http2_rate<&O::resets>},
    {.name = "http2_max_settings",
     .contexts = kHttpServer,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "2r/s burst=20",
     .documentation = "SETTINGS frames, on one "
                      "connection; beyond it the connection ends.",
     .set = set_http2_rate<&O::settings_frames>},
    {.name = "http2_max_pings",
     .contexts = kHttpServer,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "50r/s burst=200",
     .documentation = "PING frames, on one "
                      "connection; beyond it the connection ends.",
     .set = set_http2_rate<&O::pings>},
    {.name = "http2_max_priorities",
     .contexts = kHttpServer,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "20r/s burst=300",
     .documentation = "PRIORITY and PRIORITY_UPDATE frames, on one "
                      "connection; beyond it the connection ends.",
     .set = set_http2_rate<&O::priorities>},
    {.name = "http2_max_window_updates",
     .contexts = kHttpServer,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "500r/s burst=10000",
     .documentation = "WINDOW_UPDATE frames, on one "
                      "connection; beyond it the connection ends. Where a server of the address "
                      "has a grpc_pass, the default is 50000r/s burst=200000.",
     .set = set_http2_rate<&O::window_updates>},
    {.name = "http2_max_empty_frames",
     .contexts = kHttpServer,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "5r/s burst=50",
     .documentation = "Frames without content that end nothing, on one "
                      "connection; beyond it the connection ends.",
     .set = set_http2_rate<&O::empty_frames>},
    {.name = "http2_max_tiny_data",
     .contexts = kHttpServer,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "5000r/s burst=20000",
     .documentation = "DATA frames of less than 64 bytes that end nothing, on one "
                      "connection; beyond it the connection ends. Where a server of the address "
                      "has a grpc_pass, the default is 50000r/s burst=200000.",
     .set = set_http2_rate<&O::tiny_data>},
    {.name = "http2_max_unknown_frames",
     .contexts = kHttpServer,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "10r/s burst=100",
     .documentation = "Frames of unknown types, on one "
                      "connection; beyond it the connection ends.",
     .set = set_http2_rate<&O::unknown_frames>},
    {.name = "http2_idle_timeout",
     .contexts = kHttpServer,
     .syntax = "VALUE",
     .documentation = "Obsolete, as in nginx: keepalive_timeout holds for HTTP/2, too.",
     .set = warn_of_obsolete<kKeepaliveTimeout>},
    {.name = "http2_max_field_size",
     .contexts = kHttpServer,
     .syntax = "VALUE",
     .documentation = "Obsolete, as in nginx: large_client_header_buffers holds for HTTP/2, too.",
     .set = warn_of_obsolete<kHeaderBuffers>},
    {.name = "http2_max_header_size",
     .contexts = kHttpServer,
     .syntax = "VALUE",
     .documentation = "Obsolete, as in nginx: large_client_header_buffers holds for HTTP/2, too.",
     .set = warn_of_obsolete<kHeaderBuffers>},
    {.name = "http2_max_requests",
     .contexts = kHttpServer,
     .syntax = "VALUE",
     .documentation = "Obsolete, as in nginx: keepalive_requests holds for HTTP/2, too.",
     .set = warn_of_obsolete<kKeepaliveRequests>},
    {.name = "http2_recv_timeout",
     .contexts = kHttpServer,
     .syntax = "VALUE",
     .documentation = "Obsolete, as in nginx: client_header_timeout holds for HTTP/2, too.",
     .set = warn_of_obsolete<kHeaderTimeout>},
    {.name = "http2_max_concurrent_pushes",
     .contexts = kHttpServer,
     .syntax = "VALUE",
     .documentation =
         "Server push is gone from HTTP/2's clients; early_hints is what is left of it.",
     .set = warn_of_push},
    {.name = "http2_push",
     .contexts = kHttpServerLocation,
     .syntax = "VALUE",
     .documentation =
         "Server push is gone from HTTP/2's clients; early_hints is what is left of it.",
     .set = warn_of_push},
    {.name = "http2_push_preload",
     .contexts = kHttpServerLocation,
     .syntax = "VALUE",
     .documentation =
         "Server push is gone from HTTP/2's clients; early_hints is what is left of it.",
     .set = warn_of_push},
    {.name = "http2_pool_size",
     .contexts = kHttpServer,
     .syntax = "VALUE",
     .documentation = "Loaded without effect: there is nothing of that kind to be sized.",
     .set = warn_of_size},
    {.name = "http2_streams_index_size",
     .contexts = kHttpServer,
     .syntax = "VALUE",
     .documentation = "Loaded without effect: there is nothing of that kind to be sized.",
     .set = warn_of_size},
};

}  // namespace

std::optional<http::h2::Rate> read_http2_rate(config::Binding& binding) {
  std::string_view rate = binding.argument(0);
  std::string_view burst = binding.argument(1);
  const bool is_rate = rate.ends_with("r/s");
  rate = rate.substr(0, rate.size() - (is_rate ? 3 : 0));
  const auto per_second = base::parse_number<std::uint32_t>(rate);
  if (!is_rate || !per_second) {
    binding.invalid(0, "frames per second, such as 10r/s");
    return std::nullopt;
  }
  const bool is_burst = burst.starts_with("burst=");
  const auto at_once = base::parse_number<std::uint32_t>(burst.substr(is_burst ? 6 : 0));
  if (!is_burst || !at_once) {
    binding.invalid(1, "burst=NUMBER");
    return std::nullopt;
  }
  return http::h2::Rate{.burst = *at_once, .per_second = *per_second};
}

http::h2::Limits http2_limits(const Http2Options& options, const ClientOptions& client,
                              bool compat_nginx, bool serves_calls) {
  http::h2::Limits limits;
  limits.max_streams = static_cast<std::uint32_t>(*options.max_streams);
  limits.stream_window = static_cast<std::uint32_t>(*options.body_preread_size);
  limits.connection_window = std::max(limits.connection_window, limits.stream_window);
  limits.max_line = *client.large_buffer_size;
  limits.max_total = *client.large_buffer_count * *client.large_buffer_size;
  limits.max_decoded = std::max(limits.max_decoded, 2 * limits.max_total);
  limits.max_fields = client.max_fields(compat_nginx);
  limits.max_trailer_bytes = *client.max_trailer_size;
  limits.max_trailer_fields = *client.max_trailer_fields;
  limits.max_continuations = static_cast<std::uint32_t>(*options.max_continuations);
  limits.memory = *options.memory;
  limits.resets = *options.resets;
  limits.settings = *options.settings_frames;
  limits.pings = *options.pings;
  limits.priorities = *options.priorities;
  limits.window_updates = *options.window_updates;
  limits.empty_frames = *options.empty_frames;
  limits.tiny_data = *options.tiny_data;
  // Messages are often tiny, and clients send those of a stream as fast as the windows allow.
  // Each message that they take is worth two WINDOW_UPDATEs to them.
  constexpr http::h2::Rate kOfCalls{.burst = 200'000, .per_second = 50'000};
  if (serves_calls && !options.tiny_data.is_set) limits.tiny_data = kOfCalls;
  if (serves_calls && !options.window_updates.is_set) limits.window_updates = kOfCalls;
  limits.unknown_frames = *options.unknown_frames;
  return limits;
}

const config::Feature kHttp2Feature{"http2", kDirectives,
                                    config::inherit_options<Http2Options, Http2Memory>};

}  // namespace proxy
