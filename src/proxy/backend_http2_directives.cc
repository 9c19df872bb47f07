// The directives of BackendHttp2Options.
#include "proxy/backend_http2_options.h"

#include "config/setters.h"
#include "proxy/http2_rate.h"

namespace proxy {
namespace {

using config::kHttpServerLocation;
using config::takes;
using O = BackendHttp2Options;

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "proxy_http2_max_connections",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "16",
     .documentation = "Most HTTP/2 connections of a worker to one server of a backend; requests "
                      "beyond what these take wait for proxy_connect_timeout.",
     .set = config::set_number<&O::max_connections, 1, 10'000>},
    {.name = "proxy_http2_max_streams",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "128",
     .documentation = "Most requests at a time on one HTTP/2 connection to a backend, even where "
                      "it allows more.",
     .set = config::set_number<&O::max_streams, 1, 10'000>},
    {.name = "proxy_http2_max_continuations",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "16",
     .documentation = "Most CONTINUATION frames behind one HEADERS of a backend.",
     .set = config::set_number<&O::max_continuations, 0, 1000>},
    {.name = "proxy_http2_max_resets",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "1000r/s burst=10000",
     .documentation = "RST_STREAM frames that a backend sends, or makes us send by its errors, on "
                      "one connection to a backend; beyond it the connection ends.",
     .set = set_http2_rate<&O::resets>},
    {.name = "proxy_http2_max_settings",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "2r/s burst=20",
     .documentation =
         "SETTINGS frames, on one connection to a backend; beyond it the connection ends.",
     .set = set_http2_rate<&O::settings_frames>},
    {.name = "proxy_http2_max_pings",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "50r/s burst=200",
     .documentation = "PING frames, on one connection to a backend; beyond it the connection ends.",
     .set = set_http2_rate<&O::pings>},
    {.name = "proxy_http2_max_priorities",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "20r/s burst=300",
     .documentation = "PRIORITY and PRIORITY_UPDATE frames, on one connection to a backend; beyond "
                      "it the connection ends.",
     .set = set_http2_rate<&O::priorities>},
    {.name = "proxy_http2_max_window_updates",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "50000r/s burst=200000",
     .documentation =
         "WINDOW_UPDATE frames, on one connection to a backend; beyond it the connection ends.",
     .set = set_http2_rate<&O::window_updates>},
    {.name = "proxy_http2_max_empty_frames",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "5r/s burst=50",
     .documentation = "Frames without content that end nothing, on one connection to a backend; "
                      "beyond it the connection ends.",
     .set = set_http2_rate<&O::empty_frames>},
    {.name = "proxy_http2_max_tiny_data",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "50000r/s burst=200000",
     .documentation = "DATA frames of less than 64 bytes that end nothing, on one connection to a "
                      "backend; beyond it the connection ends.",
     .set = set_http2_rate<&O::tiny_data>},
    {.name = "proxy_http2_max_unknown_frames",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .syntax = "RATE burst=NUMBER",
     .default_text = "10r/s burst=100",
     .documentation =
         "Frames of unknown types, on one connection to a backend; beyond it the connection ends.",
     .set = set_http2_rate<&O::unknown_frames>},
};

}  // namespace

upstream::Http2Terms BackendHttp2Options::terms() const {
  upstream::Http2Terms terms;
  terms.max_connections = *max_connections;
  terms.limits.max_streams = static_cast<std::uint32_t>(*max_streams);
  terms.limits.max_continuations = static_cast<std::uint32_t>(*max_continuations);
  terms.limits.resets = *resets;
  terms.limits.settings = *settings_frames;
  terms.limits.pings = *pings;
  terms.limits.priorities = *priorities;
  terms.limits.window_updates = *window_updates;
  terms.limits.empty_frames = *empty_frames;
  terms.limits.tiny_data = *tiny_data;
  terms.limits.unknown_frames = *unknown_frames;
  return terms;
}

const config::Feature kBackendHttp2Feature{"http2 to backends", kDirectives,
                                           config::inherit_options<BackendHttp2Options>};

}  // namespace proxy
