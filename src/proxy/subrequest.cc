#include "proxy/subrequest.h"

#include <algorithm>

#include "accesslog/access_log.h"
#include "base/check.h"
#include "http/status.h"
#include "proxy/reroute.h"
#include "proxy/serve.h"
#include "script/request_id.h"

namespace proxy {

using http::End;
using http::Then;

bool take_subrequest(Context& parent, std::string_view path) {
  Context* root = &parent;
  unsigned depth = 1;
  for (; root->parent != nullptr; root = root->parent) ++depth;
  if (depth <= kMaxSubrequestDepth && root->subrequests < *root->client_options().max_subrequests) {
    ++root->subrequests;
    return true;
  }
  parent.count(observe::Counter::limit_subrequests);
  const bool deep = depth > kMaxSubrequestDepth;
  log(parent, observe::Level::error,
      parent.exchange.arena.join(deep ? "subrequests cycle while processing \""
                                      : "too many subrequests (max_subrequests) at \"",
                                 path, "\""));
  return false;
}

async::Task<base::Result<std::string_view>> NoBody::read(base::Deadline /*deadline*/) {
  co_return std::string_view{};
}
std::optional<base::Result<std::string_view>> NoBody::try_read() { return std::string_view{}; }

async::Task<base::Result<void>> PartResponder::send_interim(const http::ResponseHead& /*head*/,
                                                            io::Patience /*patience*/) {
  co_return base::Result<void>{};
}

async::Task<base::Result<void>> PartResponder::send_head(const http::ResponseHead& /*head*/,
                                                         std::string_view first, End end,
                                                         io::Patience patience) {
  head_sent_ = true;
  return send_body(first, end, patience);
}

async::Task<base::Result<void>> PartResponder::send_body(std::string_view piece, End end,
                                                         io::Patience patience) {
  bytes_sent_ += piece.size();
  if (sink_ != nullptr && !piece.empty()) {
    const auto taken = co_await sink_->write(piece, Then::more, patience);
    if (!taken) {
      failure_ = taken.error();
      co_return taken;
    }
  }
  if (end == End::yes) ended_ = true;
  co_return base::Result<void>{};
}

async::Task<base::Result<void>> PartResponder::send_file(io::FileBytes /*bytes*/,
                                                         io::Patience /*patience*/) {
  CHECK(false);  // sends_files() says no
  co_return base::Result<void>{};
}

async::Task<base::Result<void>> PartResponder::finish(const http::Fields& /*trailers*/,
                                                      io::Patience /*patience*/) {
  ended_ = true;
  co_return base::Result<void>{};
}

namespace {

bool is_of_the_page(http::FieldName name) {
  using enum http::FieldName;
  return name == if_match || name == if_none_match || name == if_modified_since ||
         name == if_unmodified_since || name == if_range || name == range;
}

// The client's head, as it stands in the parent's exchange.
void copy_head(const http::RequestHead& from, http::RequestHead& to) {
  to.version = from.version;
  to.has_query = from.has_query;
  to.keep_alive = from.keep_alive;
  to.port = from.port;
  to.target = from.target;
  to.scheme = from.scheme;
  to.authority = from.authority;
  to.raw_path = from.raw_path;
  to.query = from.query;
  to.host = from.host;
  to.method = http::Method::get;
  to.method_text = "GET";
  CHECK(to.fields.copy_from(from.fields));  // there was room for them already
}

}  // namespace

Subrequest::Subrequest(Context& parent, What what, http::BodySink* sink)
    : exchange_(parent.exchange.connection, parent.exchange.arena),
      nothing_(parent.exchange.arena),
      responder_(sink),
      body_(nothing_, responder_, parent.worker.loop, false),
      context_{.worker = parent.worker,
               .site = parent.site,
               .listener = parent.listener,
               .exchange = exchange_,
               .body = body_,
               .direct = responder_,
               .client = parent.client,
               .recorder = parent.recorder,
               .parent = &parent} {
  exchange::Exchange& of = parent.exchange;
  copy_head(of.request, exchange_.request);
  if (!what.is_copy && !parent.site.listing().compat_nginx) {
    exchange_.request.fields.remove_if(
        [](const http::Field& field) { return is_of_the_page(field.id); });
  }
  script::make_request_id(of);  // one for both
  exchange_.main = of.main != nullptr ? of.main : &of;
  exchange_.uri = what.path;
  exchange_.args = what.args;
  exchange_.uri_changed = true;
  exchange_.internal = true;
  exchange_.early = of.early;
  exchange_.pipelined = of.pipelined;
  exchange_.remote = of.remote;
  exchange_.trusted_peer = of.trusted_peer;
  exchange_.server_name = of.server_name;
  exchange_.limit_req_status = of.limit_req_status;  // what was counted is not counted again
  exchange_.limit_conn_status = of.limit_conn_status;
  exchange_.encoded_slash = of.encoded_slash;
  exchange_.request_length = of.request_length;
  exchange_.limit_rate = 0;  // the client's pace is its parent's affair
  exchange_.started = parent.worker.loop.now();
  exchange_.started_wall = parent.worker.loop.wall();
  exchange_.request_id = of.request_id;
  exchange_.has_request_id = of.has_request_id;
  exchange_.named_captures = of.named_captures;
  context_.head_only = what.head_only;
  context_.of_page = what.of_page;
  context_.leaves_error_pages = what.leaves_error_pages;
  context_.server = parent.server;
  context_.level = parent.server->level;
  if (what.tells_of_parent) tell_of(parent);
  if (what.path.starts_with('@')) {
    exchange_.uri = of.uri;
    exchange_.args = of.args;
    named_ = what.path;
  }
  if (!what.is_copy) return;
  exchange_.request.method = of.request.method;
  exchange_.request.method_text = of.request.method_text;
  const auto own = of.arena.make_array<std::optional<std::string_view>>(of.named_captures.size());
  std::ranges::copy(of.named_captures, own.begin());
  exchange_.named_captures = own;
  if (parent.held == nullptr || parent.body_refused) return;
  context_.held = parent.held;
  exchange_.request.body = of.request.body;
  exchange_.request_body = of.request_body;
  exchange_.request_body_file = of.request_body_file;
}

base::Result<void> Subrequest::outcome() const {
  if (responder_.failure()) return base::fail(*responder_.failure());
  if (context_.is_cut_off && !context_.site.listing().compat_nginx) {
    return base::fail(base::ErrorCode::end_of_stream, "a part of the page is not whole");
  }
  return {};
}

void Subrequest::tell_of(const Context& parent) {
  const exchange::Exchange& of = parent.exchange;
  exchange_.response.status = of.response.status;
  exchange_.bytes_sent = of.bytes_sent + parent.direct.bytes_sent();
  exchange_.body_bytes_sent =
      of.body_bytes_sent + parent.direct.bytes_sent() - parent.direct.head_bytes_sent();
  exchange_.head_sent = parent.direct.head_sent();
  exchange_.completed = of.completed || parent.direct.ended();
}

// What the limits of a part have counted is not counted again, whoever is next.
void Subrequest::tell_parent() noexcept {
  exchange::Exchange& parent = context_.parent->exchange;
  using exchange::LimitStatus;
  if (parent.limit_req_status == LimitStatus::none) {
    parent.limit_req_status = exchange_.limit_req_status;
  }
  if (parent.limit_conn_status == LimitStatus::none) {
    parent.limit_conn_status = exchange_.limit_conn_status;
  }
  context_.leave_upstream_head();  // the parent has the variables, and not the buffer
}

async::Task<void> Subrequest::run() {
  if (!named_.empty() && go_to(context_, named_)) co_return;  // there is none, the log says
  co_await serve(context_);
  context_.take_time();
  exchange_.bytes_sent += responder_.bytes_sent();
  exchange_.body_bytes_sent += responder_.bytes_sent();
  exchange_.head_sent = responder_.head_sent();
  exchange_.completed = exchange_.completed || responder_.ended();
  if (*context_.client_options().log_subrequest) {
    const auto& logs = context_.level->get<accesslog::Logs>();
    if (!logs->empty()) context_.site.access_log().write(*logs, exchange_);
  }
  static_cast<void>(failed_evaluation(context_));  // it is too late for an answer
  tell_parent();
}

}  // namespace proxy
