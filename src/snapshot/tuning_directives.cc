// nginx's directives that tune machinery which this program does not have, or has always on. They
// are checked as nginx checks them, so that a mistake in them is not hidden; whoever asked for
// something that will not happen is told so in one sentence.
#include "snapshot/tuning_directives.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/text.h"
#include "config/setters.h"

namespace snapshot {
namespace {

using config::Binding;
using config::Context;

void tell(const Binding& binding, std::string_view why) {
  binding.warn(fmt::format("\"{}\" has no effect: {}", binding.name(), why));
}

/// A flag whose value `kDone` is what happens anyway.
template <bool kDone, const auto& kWhy>
void flag(Binding& binding) {
  const auto value = config::read_flag(binding);
  if (value && *value != kDone) tell(binding, kWhy);
}

template <const auto& kWhy>
void duration(Binding& binding) {
  if (config::read_duration(binding)) tell(binding, kWhy);
}

template <const auto& kWhy>
void number(Binding& binding) {
  if (config::read_number(binding, 0, 1)) tell(binding, kWhy);
}

template <const auto& kWhy>
void text(Binding& binding) {
  tell(binding, kWhy);
}

/// Of nginx's hash tables, which are in every file: ours grow by themselves. Nothing is told, since
/// nothing is lost.
void hash_size(Binding& binding) { static_cast<void>(config::read_number(binding, 0, 1)); }

constexpr std::string_view kNoMutex =
    "the kernel wakes one worker for each new connection, no mutex is needed";
constexpr std::string_view kTakesAll = "a worker always takes all connections that wait";
constexpr std::string_view kEvents = "a worker always takes up to 512 events at once";
constexpr std::string_view kNoAio = "files are not read by AIO";
constexpr std::string_view kNoLockFile = "no lock is shared between processes";
constexpr std::string_view kClock =
    "the time is taken once for each turn of the event loop, without a system call";
constexpr std::string_view kAlwaysJit = "regular expressions are always compiled by PCRE2's JIT";
constexpr std::string_view kNoPool =
    "a worker reads files itself, a piece at a time between other requests";
constexpr std::string_view kNoDebugLog =
    "there is no debug log of single connections; \"error_log FILE info\" tells why a request or a "
    "connection was refused";

// nginx's event methods; those of other systems are as unknown here as in nginx on Linux.
void set_use(Binding& binding) {
  const std::string& method = binding.argument(0);
  if (method == "epoll") return;
  if (method == "select" || method == "poll") return tell(binding, "it is always epoll");
  binding.error_at(0, fmt::format("invalid event type \"{}\"", method), "it must be epoll");
}

void set_debug_points(Binding& binding) {
  constexpr std::array<std::string_view, 2> kWords{"stop", "abort"};
  const auto word = config::read_choice(binding, 0, kWords);
  if (word && kWords[*word] == "stop") {
    tell(binding, "an internal error always aborts, with a backtrace in the error log");
  }
}

void set_thread_pool(Binding& binding) {
  bool has_threads = false;
  for (std::size_t i = 1; i < binding.count(); ++i) {
    std::string_view value = binding.argument(i);
    const bool threads = value.starts_with("threads=");
    if (!threads && !value.starts_with("max_queue=")) {
      return binding.error_at(i, fmt::format("invalid parameter \"{}\"", value),
                              "thread_pool NAME threads=NUMBER [max_queue=NUMBER];");
    }
    value.remove_prefix(value.find('=') + 1);
    const auto count = base::parse_number<std::uint32_t>(value);
    if (!count || (threads && *count == 0)) {
      return binding.invalid(i, threads ? "it needs a thread at least" : "it must be a number");
    }
    has_threads = has_threads || threads;
  }
  if (!has_threads) {
    return binding.error(
        fmt::format("missing \"threads\" parameter in thread pool \"{}\"", binding.argument(0)),
        "thread_pool NAME threads=NUMBER [max_queue=NUMBER];");
  }
  tell(binding, kNoPool);
}

// --- load_module

struct Module {
  std::string_view name;  // of the file, without the directory and ".so"
  std::string_view built_in;  // what it brings is here: why the line may go
  std::string_view missing;  // else what to do without it
};

constexpr std::string_view kNoModules = "nginx's modules are made for nginx, and cannot be loaded";

constexpr Module kModules[] = {
    {"ngx_http_realip_module", "real_ip_header and its kind are built in", {}},
    {"ngx_http_ssl_module", "TLS is built in", {}},
    {"ngx_http_stub_status_module", "stub_status is built in", {}},
    {"ngx_http_headers_more_filter_module",
     {},
     "add_header, proxy_hide_header and proxy_set_header change headers"},
    {"ngx_http_brotli_filter_module", {}, "responses are not compressed yet"},
    {"ngx_http_brotli_static_module", {}, "responses are not compressed yet"},
    {"ndk_http_module", {}, "programs inside the proxy are not supported: use a backend"},
    {"ngx_stream_module", {}, "L4 proxying is not part of the program yet"},
    {"ngx_stream_ssl_preread_module", {}, "L4 proxying is not part of the program yet"},
    {"ngx_mail_module", {}, "mail proxying is not part of the program"},
    {"ngx_http_perl_module", {}, "programs inside the proxy are not supported: use a backend"},
    {"ngx_http_js_module", {}, "programs inside the proxy are not supported: use a backend"},
    {"ngx_stream_js_module", {}, "programs inside the proxy are not supported: use a backend"},
    {"ngx_http_lua_module", {}, "programs inside the proxy are not supported: use a backend"},
    {"ngx_http_image_filter_module", {}, "images are transformed by a backend"},
    {"ngx_http_xslt_filter_module", {}, "XML is transformed by a backend"},
    {"ngx_http_geoip_module", {}, "databases of places are not read yet"},
    {"ngx_http_geoip2_module", {}, "databases of places are not read yet"},
    {"ngx_http_modsecurity_module", {}, "request inspection is not part of the program yet"},
};

void load_module(Binding& binding) {
  std::string_view name = binding.argument(0);
  name.remove_prefix(std::min(name.size(), name.rfind('/') + 1));
  if (name.ends_with(".so")) name.remove_suffix(3);
  const auto* known = std::ranges::find(kModules, name, &Module::name);
  if (known == std::end(kModules)) {
    return binding.error_at(0, fmt::format("the module \"{}\" cannot be loaded", name),
                            fmt::format("{}: remove the line, and what needs it", kNoModules));
  }
  if (!known->built_in.empty()) {
    return binding.diagnostics.notice(
        binding.where(), fmt::format("\"load_module\" is not needed: {}", known->built_in));
  }
  binding.error_at(0, fmt::format("the module \"{}\" cannot be loaded: {}", name, known->missing),
                   fmt::format("{}: remove the line, and what needs it", kNoModules));
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "accept_mutex",
     .contexts = Context::events,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "For nginx's files, without effect: the kernel wakes one worker.",
     .set = flag<false, kNoMutex>},
    {.name = "accept_mutex_delay",
     .contexts = Context::events,
     .syntax = "TIME",
     .documentation = "For nginx's files, without effect: there is no mutex.",
     .set = duration<kNoMutex>},
    {.name = "multi_accept",
     .contexts = Context::events,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "For nginx's files, without effect: always on.",
     .set = flag<true, kTakesAll>},
    {.name = "use",
     .contexts = Context::events,
     .syntax = "epoll",
     .default_text = "epoll",
     .documentation = "For nginx's files: how events are waited for, which is always epoll.",
     .set = set_use},
    {.name = "epoll_events",
     .contexts = Context::events,
     .syntax = "NUMBER",
     .default_text = "512",
     .documentation = "For nginx's files, without effect: 512 events at once.",
     .set = number<kEvents>},
    {.name = "worker_aio_requests",
     .contexts = Context::events,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: no file is read by AIO.",
     .set = number<kNoAio>},
    {.name = "debug_connection",
     .contexts = Context::events,
     .repeat = config::Repeat::repeatable,
     .syntax = "ADDRESS | CIDR | unix:",
     .documentation = "For nginx's files, without effect: there is no debug log.",
     .set = text<kNoDebugLog>},
    {.name = "debug_points",
     .contexts = Context::main,
     .syntax = "abort | stop",
     .default_text = "abort",
     .documentation = "For nginx's files: an internal error always aborts.",
     .set = set_debug_points},
    {.name = "load_module",
     .contexts = Context::main,
     .repeat = config::Repeat::repeatable,
     .syntax = "FILE",
     .documentation = "For nginx's files: accepted for what is built in, else an error.",
     .set = load_module},
    {.name = "lock_file",
     .contexts = Context::main,
     .syntax = "FILE",
     .documentation = "For nginx's files, without effect: no lock is needed.",
     .set = text<kNoLockFile>},
    {.name = "timer_resolution",
     .contexts = Context::main,
     .syntax = "TIME",
     .documentation = "For nginx's files, without effect: time costs no system call.",
     .set = duration<kClock>},
    {.name = "pcre_jit",
     .contexts = Context::main,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "For nginx's files, without effect: always on.",
     .set = flag<true, kAlwaysJit>},
    {.name = "thread_pool",
     .contexts = Context::main,
     .arguments = config::takes(2, 3),
     .repeat = config::Repeat::repeatable,
     .syntax = "NAME threads=NUMBER [max_queue=NUMBER]",
     .documentation = "For nginx's files, without effect: no thread waits for a disk.",
     .set = set_thread_pool},
    {.name = "map_hash_bucket_size",
     .contexts = Context::http,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
    {.name = "map_hash_max_size",
     .contexts = Context::http,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
    {.name = "proxy_headers_hash_bucket_size",
     .contexts = config::kHttpServerLocation,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
    {.name = "proxy_headers_hash_max_size",
     .contexts = config::kHttpServerLocation,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
    {.name = "referer_hash_bucket_size",
     .contexts = Context::server | Context::location,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
    {.name = "referer_hash_max_size",
     .contexts = Context::server | Context::location,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
    {.name = "server_names_hash_bucket_size",
     .contexts = Context::http,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
    {.name = "server_names_hash_max_size",
     .contexts = Context::http,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
    {.name = "types_hash_bucket_size",
     .contexts = config::kHttpServerLocation,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
    {.name = "types_hash_max_size",
     .contexts = config::kHttpServerLocation,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
    {.name = "variables_hash_bucket_size",
     .contexts = Context::http,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
    {.name = "variables_hash_max_size",
     .contexts = Context::http,
     .syntax = "NUMBER",
     .documentation = "For nginx's files, without effect: tables grow by themselves.",
     .set = hash_size},
};

}  // namespace

const config::Feature kTuningFeature{"tuning", kDirectives, nullptr};

}  // namespace snapshot
