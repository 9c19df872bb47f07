// Context: what the steps of one exchange share. Made by the connection, gone with the exchange.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "async/scope.h"
#include "config/level.h"
#include "content/byte_ranges.h"
#include "exchange/exchange.h"
#include "guard/connection_slots.h"
#include "http/h1/chunked_decoder.h"
#include "http/responder.h"
#include "io/buffer.h"
#include "io/stream.h"
#include "observe/counters.h"
#include "observe/error_log.h"
#include "proxy/client_options.h"
#include "proxy/client_watch.h"
#include "proxy/pace.h"
#include "proxy/recorder.h"
#include "proxy/site.h"
#include "proxy/worker.h"
#include "route/route_table.h"

namespace proxy {

class HeldBody;
class Mirrors;
class PartQueue;
class RequestBody;
struct SsiState;

/// Where the steps go on, in nginx's order of phases, when a request is moved elsewhere.
enum class Reroute : std::uint8_t {
  none,
  rewritten,  // another location by the path, which `rewrite` changed
  redirect,   // an internal redirect: the server's rewrite directives, too
  named,      // context.location has been chosen: "@name"
};

/// nginx's limit on how often a request may be moved, which ends cycles.
inline constexpr int kMaxUriChanges = 10;

struct Context {
  Worker& worker;
  Site& site;                      // the connection holds it
  const ListenGroup& listener;
  exchange::Exchange& exchange;
  RequestBody& body;
  http::Responder& direct;         // to the client; how to respond: responder()
  io::Stream& client;              // for tunnels, and to see the client leave
  ClientWatches own_watches{client};  // watches() are for all
  Recorder* recorder = nullptr;    // whom steps are told; null where requests are served
  std::string_view pipelined{};    // what the client sent behind a request without a body
  io::Buffer upstream_head{};      // what exchange.upstream_response has views of
  Context* parent = nullptr;       // of a subrequest: for whom it is made
  std::shared_ptr<const HeldBody> held{};  // the request's body, once it was received whole
  std::optional<content::ByteRange> only{};  // what the client is sent of a backend's body
  std::optional<bool> buffering{};  // what the backend said: X-Accel-Buffering
  const VirtualServer* server = nullptr;
  const VirtualServer* shown = nullptr;  // whose certificate the client of HTTP/2 was shown
  const route::Location* location = nullptr;
  const config::Level*& level = exchange.level;
  Reroute reroute = Reroute::none;  // what a step that gave no answer leaves to be done
  int changes_left = kMaxUriChanges;  // -1: there were too many
  bool body_refused = false;        // what is shown for the error is fetched without it
  bool in_error_page = false;       // what an error_page shows is being made
  std::span<const http::Field> kept_fields{};  // of a backend's answer that led elsewhere
  std::string_view kept_type{};     // its Content-Type
  std::optional<unsigned> forced_status{};  // error_page's: the response has it, whatever makes it
  bool close_after = false;  // the client's connection must not serve another request
  bool closed_silently = false;  // return 444
  bool timed_out = false;  // the client was too slow: see reset_timedout_connection
  bool is_cut_off = false;  // of a subrequest: what was given of its response is not whole
  std::uint64_t subrequests = 0;  // made for this request, also by its subrequests
  std::shared_ptr<Mirrors> mirrors{};  // null: none
  std::shared_ptr<SsiState> ssi{};  // of a page that has commands
  std::vector<std::shared_ptr<PartQueue>> parts{};  // of its responses: what runs beside it
  unsigned parts_running = 0;  // of the client's request, those of its parts counted, too
  async::Scope* scope = nullptr;  // that serve() runs in
  bool head_only = false;  // of a subrequest: nobody wants the body
  bool of_page = false;  // of a subrequest: it gives a part of what the client is sent
  bool leaves_error_pages = false;  // of a subrequest: its parent has something better to show
  guard::ConnectionSlots slots{};  // in limit_conn's zones
  std::unique_ptr<http::Responder> limited{};  // in front of `direct`, if there is a limit_rate
  std::unique_ptr<http::Responder> filtered{};  // in front of both, if body filters take part

  /// The response's way to the client.
  [[nodiscard]] http::Responder& responder() const noexcept {
    if (filtered != nullptr) return *filtered;
    return limited != nullptr ? *limited : direct;
  }
  /// One for the client's request and all that is done for it.
  [[nodiscard]] ClientWatches& watches() noexcept {
    return parent != nullptr ? parent->watches() : own_watches;
  }
  [[nodiscard]] const ClientOptions& client_options() const { return level->get<ClientOptions>(); }
  /// The server's, since the path is made canonical before there is a location.
  [[nodiscard]] http::EncodedSlash encoded_slash() const {
    return server->level->get<ClientOptions>().encoded_slash.value_or(
        site.listing().compat_nginx ? http::EncodedSlash::decode : http::EncodedSlash::keep);
  }
  /// Likewise.
  [[nodiscard]] http::MergeSlashes merge_slashes() const {
    return *server->level->get<ClientOptions>().merge_slashes ? http::MergeSlashes::yes
                                                              : http::MergeSlashes::no;
  }
  /// Under `compat nginx` on by default.
  [[nodiscard]] bool shows_version() const {
    return client_options().server_tokens.value_or(site.listing().compat_nginx);
  }
  /// How slowly the client may send its body, or take what it is sent.
  [[nodiscard]] Pace::Limits body_pace() const {
    const ClientOptions& options = client_options();
    return {*options.body_timeout, rate_of(options.body_min_rate)};
  }
  [[nodiscard]] Pace::Limits send_pace() const {
    const ClientOptions& options = client_options();
    if (limited != nullptr) return {*options.send_timeout, 0};  // it waits, and measures by itself
    return {*options.send_timeout, rate_of(options.send_min_rate)};
  }
  [[nodiscard]] base::TimePoint now() const noexcept { return worker.loop.now(); }
  void count(observe::Counter counter, std::uint64_t n = 1) const {
    worker.counters.add(counter, n);
  }
  /// The response has begun and won't be whole. Its receiver must see that.
  void cut_off() noexcept {
    if (parent == nullptr) return client.abort();
    is_cut_off = true;
  }
  void tell(Recorder::Step step, std::string_view detail = {}) const {
    if (recorder != nullptr) recorder->tell(step, *this, detail);
  }
  /// Before the buffer of a backend's head goes: variables and captures that are views of it become
  /// the arena's.
  void leave_upstream_head() noexcept {
    const auto keep = [this](std::string_view& view) {
      if (upstream_head.contains(view)) view = exchange.arena.copy(view);
    };
    if (upstream_head.capacity() == 0) return;
    for (auto& value : exchange.named_captures) {
      if (value) keep(*value);
    }
    for (std::string_view& group : exchange.captures.groups) keep(group);
  }
  /// Times for variables, as of now.
  void take_time() noexcept {
    exchange.now = worker.loop.now();
    exchange.now_wall = worker.loop.wall();
  }

 private:
  [[nodiscard]] std::uint64_t rate_of(const config::Setting<std::uint64_t>& rate) const {
    return rate.value_or(site.listing().compat_nginx ? 0 : *rate);
  }
};

/// For the chunks of both sides.
[[nodiscard]] inline http::h1::ChunkedLimits chunked_limits(const ClientOptions& options) {
  return {.max_extension_bytes = *options.max_chunk_extensions,
          .max_trailer_bytes = *options.max_trailer_size,
          .max_trailer_fields = *options.max_trailer_fields};
}

/// A response that the proxy makes itself. Views live as long as the exchange.
struct Answer {
  unsigned status = 500;
  std::string_view text{};  // empty: the status's page
  bool has_text = false;
  std::string_view type{};  // of the text; empty: default_type
  std::string_view location{};  // of a redirect
  bool has_location = false;  // although it may be empty
  std::string_view content_range{};  // of a 416
  std::string_view last_modified{};
  std::string_view authenticate{};  // of a 401: WWW-Authenticate
  bool close_silently = false;  // no response at all
  bool deadline_passed = false;  // the one that the client has set: grpc-timeout
};

/// Statuses of the configuration that nginx ends a connection for, without an answer, an error page
/// or a redirect: the log alone has them. A text that is written for one is sent.
[[nodiscard]] constexpr bool closes_silently(unsigned status) noexcept {
  return status == 408 || status == 444 || status == 499;
}

/// If values with variables could not be evaluated since this was asked last: says so in the error
/// log, counts it, and gives what the request must end with; nothing for what nginx lets pass.
[[nodiscard]] std::optional<Answer> failed_evaluation(Context& context);

/// Before a final head is sent: whether the connection may serve another request, said to the
/// responder.
void decide_keep_alive(Context& context);

/// Writes to the error log of the context's level, with both peers.
void log(const Context& context, observe::Level level, std::string_view message,
         std::string_view upstream = {});

}  // namespace proxy
