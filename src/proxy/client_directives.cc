// The directives of ClientOptions.
#include <array>

#include "config/setters.h"
#include "proxy/client_options.h"

namespace proxy {
namespace {

using config::Arity;
using config::Binding;
using config::kHttpServer;
using config::kHttpServerLocation;
using config::takes;
using O = ClientOptions;

void set_large_buffers(Binding& binding) {
  const auto count = config::read_number(binding, 0, 1, 1024);
  const auto size = config::read_size(binding, 1);
  if (!count || !size) return;
  if (*size == 0 || *size > 1024 * 1024) {
    return binding.invalid(1, "a buffer has between 1 byte and 1 MB");
  }
  binding.options<O>().large_buffer_count.set(*count, binding.where());
  binding.options<O>().large_buffer_size.set(*size, binding.where());
}

void set_keepalive_timeout(Binding& binding) {
  const auto timeout = config::read_duration(binding, 0);
  if (!timeout) return;
  binding.options<O>().keepalive_timeout.set(*timeout, binding.where());
  if (binding.count() < 2) return;
  const auto header = config::read_duration(binding, 1);
  if (header) binding.options<O>().keepalive_header.set(*header, binding.where());
}

void set_server_tokens(Binding& binding) {
  constexpr std::array<config::Choice<bool>, 3> kChoices{
      {{"on", true}, {"off", false}, {"build", true}}};
  if (const auto value = config::read_choice<bool>(binding, 0, kChoices)) {
    binding.options<O>().server_tokens.set(*value, binding.where());
  }
}

void add_trusted_proxies(Binding& binding) {
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const auto network = base::Network::parse(binding.argument(i));
    if (!network) {
      binding.invalid(i, "an address, a block such as 10.0.0.0/8, or \"unix:\"");
      continue;
    }
    binding.options<O>().trusted_proxies.append(*network, binding.where());
  }
}

constexpr config::Choice<http::EncodedSlash> kEncodedSlash[] = {
    {"keep", http::EncodedSlash::keep},
    {"refuse", http::EncodedSlash::refuse},
    {"decode", http::EncodedSlash::decode}};

void set_max_trailers(Binding& binding) {
  const auto count = config::read_number(binding, 0, 0, 10'000);
  const auto size = config::read_size(binding, 1);
  if (!count || !size) return;
  if (*size > 64 * 1024) return binding.invalid(1, "at most 64 KB");
  binding.options<O>().max_trailer_fields.set(*count, binding.where());
  binding.options<O>().max_trailer_size.set(*size, binding.where());
}

constexpr config::Choice<BodyFiles> kBodyFiles[] = {
    {"off", BodyFiles::off}, {"on", BodyFiles::on}, {"clean", BodyFiles::clean}};

void set_body_temp_path(Binding& binding) {
  for (std::size_t i = 1; i < binding.count(); ++i) {
    if (!config::read_number(binding, i, 1, 3)) return;
  }
  binding.options<O>().body_temp_path.set(
      binding.files.full_name(binding.argument(0), config::Purpose::place), binding.where());
}

constexpr config::Choice<LingeringClose> kLingeringClose[] = {
    {"off", LingeringClose::off}, {"on", LingeringClose::on}, {"always", LingeringClose::always}};

// nginx's words for browsers; with "none" the others do not count.
void set_keepalive_disable(Binding& binding) {
  constexpr std::array<std::string_view, 3> kWords{"none", "msie6", "safari"};
  OldBrowsers browsers;
  bool none = false;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const auto word = config::read_choice(binding, i, kWords);
    if (!word) return;
    none = none || *word == 0;
    browsers.msie6 = browsers.msie6 || *word == 1;
    browsers.safari = browsers.safari || *word == 2;
  }
  if (none) browsers = {};
  binding.options<O>().keepalive_disable.set(browsers, binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "client_header_buffer_size",
     .contexts = kHttpServer,
     .syntax = "SIZE",
     .default_text = "1k",
     .documentation = "Size of the buffer that a request's head begins in.",
     .set = config::set_size<&O::header_buffer_size>},
    {.name = "large_client_header_buffers",
     .contexts = kHttpServer,
     .arguments = takes(2),
     .syntax = "NUMBER SIZE",
     .default_text = "4 8k",
     .documentation =
         "Longest request line or header line (SIZE), and largest head (NUMBER x SIZE).",
     .set = set_large_buffers},
    {.name = "max_headers",
     .contexts = kHttpServer,
     .syntax = "NUMBER",
     .default_text = "100",
     .documentation = "Most header fields that a request may have.",
     .set = config::set_number<&O::max_headers, 1, 100'000>},
    {.name = "client_header_timeout",
     .contexts = kHttpServer,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "Time for a TLS handshake, and for a whole request head to arrive.",
     .set = config::set_duration<&O::header_timeout>},
    {.name = "client_max_body_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "1m",
     .documentation = "Largest request body; 0 for no limit. Beyond it: 413.",
     .set = config::set_size<&O::max_body_size>},
    {.name = "client_body_buffer_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "16k",
     .documentation =
         "How much of a request's body is held in memory; a longer one goes to a file.",
     .set = config::set_size<&O::body_buffer_size>},
    {.name = "client_body_in_file_only",
     .contexts = kHttpServerLocation,
     .syntax = "on | clean | off",
     .default_text = "off",
     .documentation = "Whether each held body is written to a file of its own, which stays (on) or "
                      "goes with the request (clean).",
     .set = config::set_enum<&O::body_in_file_only, kBodyFiles>},
    {.name = "client_body_temp_path",
     .contexts = kHttpServerLocation,
     .arguments = takes(1, 4),
     .syntax = "PATH [LEVEL [LEVEL [LEVEL]]]",
     .documentation = "The directory of files that hold requests' bodies; "
                      "there are no folders in it, whatever LEVELs say.",
     .set = set_body_temp_path},
    {.name = "client_max_discard_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "256k",
     .documentation = "How much of a body that nobody wants is dropped for the connection to serve "
                      "on; beyond it the connection ends.",
     .set = config::set_size<&O::max_discard_size>},
    {.name = "max_subrequests",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "200",
     .documentation = "Most subrequests that one request may lead to: auth_request, mirror, SSI.",
     .set = config::set_number<&O::max_subrequests, 0, 100'000>},
    {.name = "max_chunk_extensions",
     .contexts = kHttpServer,
     .syntax = "SIZE",
     .default_text = "4k",
     .documentation = "Bytes of chunk extensions in one body, of a client or of a backend.",
     .set = config::set_size<&O::max_chunk_extensions>},
    {.name = "max_trailers",
     .contexts = kHttpServer,
     .arguments = takes(2),
     .syntax = "NUMBER SIZE",
     .default_text = "32 4k",
     .documentation = "Trailer fields of one body, of a client or of a backend, and their bytes.",
     .set = set_max_trailers},
    {.name = "client_body_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "Longest pause between two pieces of a request's body.",
     .set = config::set_duration<&O::body_timeout>},
    {.name = "client_body_min_rate",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "500",
     .documentation = "Bytes per second that a request's body must have, on average over about "
                      "client_body_timeout; 0 for no limit.",
     .set = config::set_size<&O::body_min_rate>},
    {.name = "send_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "Longest time that a client may take nothing of a response.",
     .set = config::set_duration<&O::send_timeout>},
    {.name = "send_min_rate",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "500",
     .documentation = "Bytes per second that a client must take of a response that is ready, on "
                      "average over about send_timeout; 0 for no limit.",
     .set = config::set_size<&O::send_min_rate>},
    {.name = "keepalive_timeout",
     .contexts = kHttpServerLocation,
     .arguments = takes(1, 2),
     .syntax = "TIME [HEADER_TIME]",
     .default_text = "75s",
     .documentation = "How long an idle connection stays open; 0 closes after each response.",
     .set = set_keepalive_timeout},
    {.name = "keepalive_min_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "0",
     .documentation = "How long an idle connection is not closed for a graceful shutdown.",
     .set = config::set_duration<&O::keepalive_min_timeout>},
    {.name = "keepalive_time",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "1h",
     .documentation = "How long one connection may serve requests.",
     .set = config::set_duration<&O::keepalive_time>},
    {.name = "keepalive_requests",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "1000",
     .documentation = "Requests that one connection may serve.",
     .set = config::set_number<&O::keepalive_requests>},
    {.name = "keepalive_disable",
     .contexts = kHttpServerLocation,
     .arguments = takes(1, 2),
     .syntax = "none | msie6 | safari ...",
     .default_text = "msie6",
     .documentation = "Old browsers whose connections are closed after a response: Internet "
                      "Explorer up to 6 after a POST, Safari on macOS after each.",
     .set = set_keepalive_disable},
    {.name = "chunked_transfer_encoding",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether a body of unknown length is sent in chunks; off: the connection's "
                      "end is its end.",
     .set = config::set_flag<&O::chunked>},
    {.name = "lingering_close",
     .contexts = kHttpServerLocation,
     .syntax = "off | on | always",
     .default_text = "on",
     .documentation = "Whether what a client still sends is read before its connection is closed.",
     .set = config::set_enum<&O::lingering_close, kLingeringClose>},
    {.name = "lingering_time",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "30s",
     .documentation =
         "How long what a client still sends is read at most, before its connection is closed.",
     .set = config::set_duration<&O::lingering_time>},
    {.name = "lingering_timeout",
     .contexts = kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "5s",
     .documentation = "How long a client may send nothing while its connection lingers.",
     .set = config::set_duration<&O::lingering_timeout>},
    {.name = "reset_timedout_connection",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether connections that timed out, and those of `return 444`, are reset: "
                      "nothing of them stays in the kernel.",
     .set = config::set_flag<&O::reset_timed_out>},
    {.name = "log_not_found",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether the error log tells of files that are not there.",
     .set = config::set_flag<&O::log_not_found>},
    {.name = "log_subrequest",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether subrequests have lines of their own in the access log.",
     .set = config::set_flag<&O::log_subrequest>},
    {.name = "server_tokens",
     .contexts = kHttpServerLocation,
     .syntax = "on | off | build",
     .default_text = "off",
     .documentation = "Whether the version stands in the Server header and on error pages.",
     .set = set_server_tokens},
    {.name = "tcp_nodelay",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "TCP_NODELAY on the clients' connections.",
     .set = config::set_flag<&O::tcp_nodelay>},
    {.name = "default_type",
     .contexts = kHttpServerLocation,
     .syntax = "MIME_TYPE",
     .default_text = "text/plain",
     .documentation = "Content-Type of what has none of its own.",
     .set = config::set_text<&O::default_type>},
    {.name = "ignore_invalid_headers",
     .contexts = kHttpServer,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether header fields are dropped whose names have other characters than "
                      "letters, digits and \"-\".",
     .set = config::set_flag<&O::ignore_invalid_headers>},
    {.name = "underscores_in_headers",
     .contexts = kHttpServer,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether \"_\" is a valid character in names of header fields.",
     .set = config::set_flag<&O::underscores_in_headers>},
    {.name = "merge_slashes",
     .contexts = kHttpServer,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether several slashes in a row are one.",
     .set = config::set_flag<&O::merge_slashes>},
    {.name = "encoded_slash",
     .contexts = kHttpServer,
     .syntax = "keep | refuse | decode",
     .default_text = "keep",
     .documentation = "What %2F in a path means: itself, a 400, or a slash (nginx's way).",
     .set = config::set_enum<&O::encoded_slash, kEncodedSlash>},
    {.name = "trusted_proxies",
     .contexts = kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .repeat = config::Repeat::repeatable,
     .syntax = "ADDRESS | CIDR | unix: ...",
     .documentation = "Peers whose X-Forwarded-*, Forwarded and X-Real-IP headers are believed.",
     .set = add_trusted_proxies},
};

}  // namespace

const config::Feature kClientFeature{"client", kDirectives, config::inherit_options<ClientOptions>};

}  // namespace proxy
