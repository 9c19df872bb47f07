#include "proxy/extended_connect.h"
#include "proxy/forwarder.h"

#include <algorithm>

#include "proxy/accel.h"
#include "proxy/relay.h"
#include "proxy/request_body.h"
#include "proxy/reroute.h"
#include "proxy/response.h"

namespace proxy {

using http::End;
using observe::Counter;

// Answers that the client does not get as they are: X-Accel-Redirect, proxy_intercept_errors.
std::optional<Forwarder::Verdict> Forwarder::take_over() {
  const http::ResponseHead& head = exchange_.upstream_response;
  const std::string_view target = head.fields.value(http::FieldName::x_accel_redirect);
  if (!target.empty() && !plan_.options->ignores(http::FieldName::x_accel_redirect)) {
    return follow_redirect(target);
  }
  if (!*plan_.options->intercept_errors || head.status < 300) return std::nullopt;
  if (!has_error_page(context_, head.status)) return std::nullopt;
  // The rest of the body has nobody to go to.
  if (streams_body_ && !context_.body.ended()) context_.close_after = true;
  answer_ = {.status = head.status};
  if (head.status == 401) keep_fields({http::FieldName::www_authenticate});
  return Verdict::failed;
}

// What the client gets of the backend's head although its response comes from elsewhere.
void Forwarder::keep_fields(std::initializer_list<http::FieldName> names) {
  const http::Fields& fields = exchange_.upstream_response.fields;
  const auto is_kept = [&](const http::Field& field) {
    return std::ranges::find(names, field.id) != names.end();
  };
  const auto count = static_cast<std::size_t>(std::ranges::count_if(fields, is_kept));
  const auto kept = exchange_.arena.make_array<http::Field>(count);
  auto into = kept.begin();
  for (const http::Field& field : fields) {
    if (!is_kept(field)) continue;
    *into++ = {field.id, exchange_.arena.copy(field.name), exchange_.arena.copy(field.value)};
  }
  context_.kept_fields = kept;
}

// nginx's list of what a backend may say of the file that it sends the request to.
Forwarder::Verdict Forwarder::follow_redirect(std::string_view target) {
  take_instructions(context_, plan_);
  using enum http::FieldName;
  context_.kept_type = exchange_.arena.copy(exchange_.upstream_response.fields.value(content_type));
  keep_fields({content_disposition, set_cookie, cache_control, expires});
  if (exchange_.request.method != http::Method::head && !target.starts_with('@')) {
    exchange_.request.method = http::Method::get;
    exchange_.request.method_text = "GET";
  }
  auto refused = go_to_uri(context_, target);
  if (!refused) return Verdict::done;
  answer_ = *refused;
  return Verdict::failed;
}

async::Task<Forwarder::Verdict> Forwarder::pass_response(upstream::Lease& lease,
                                                         http::ClientExchange& backend) {
  // A 2xx would tell an HTTP/2 client that its tunnel is there (RFC 8441 §5).
  if (!exchange_.request.protocol.empty() && exchange_.upstream_response.status < 300) {
    co_return refuse_response("upstream did not switch protocols, but answered with a success");
  }
  lease.report(upstream::Outcome::success);
  context_.take_time();
  // What the client sent behind a failed upgrade was meant for the other protocol.
  if (upgrade_ || (streams_body_ && !context_.body.ended())) context_.close_after = true;
  if (!make_response(context_, plan_)) {
    if (auto failed = failed_evaluation(context_)) {
      answer_ = *failed;
      context_.close_after = true;
      co_return Verdict::failed;
    }
    co_return refuse_response("upstream sent too many header fields");
  }
  if (exchange_.response.status == 416 && exchange_.upstream_response.status == 200) {
    answer_ = {.status = 416,
               .content_range = exchange_.arena.copy(
                   exchange_.response.fields.value(http::FieldName::content_range))};
    co_return Verdict::failed;  // the connection is not kept: its body is not wanted
  }
  http::ReceivedBody& body = backend.open_body(exchange_.upstream_response);
  const auto relayed = co_await relay_response(context_, plan_, body);
  current().response_time = context_.now() - attempt_began_;
  current().response_length = body.delivered();
  for (const http::Field& trailer : body.trailers()) {
    if (!exchange_.upstream_trailers.add(trailer)) break;
  }
  if (relayed) {
    exchange_.completed = true;
    co_return Verdict::done;
  }
  co_return relay_failed(relayed.error(), body.refusal());
}

async::Task<Forwarder::Verdict> Forwarder::switch_protocols(upstream::Lease& lease,
                                                            http::ClientExchange& backend) {
  context_.close_after = true;
  http::ResponseHead& head = exchange_.upstream_response;
  if (!request_.protocol.empty() && !read_as_switch(exchange_.request, request_.protocol, head)) {
    co_return refuse_response("upstream sent too many header fields");
  }
  if (!upgrade_ || !head.upgrade) {
    co_return refuse_response("upstream switched protocols without being asked");
  }
  const bool is_extended_connect = !exchange_.request.protocol.empty();
  if (is_extended_connect && !accepts_websocket(exchange_.request, head)) {
    co_return refuse_response("upstream's Sec-WebSocket-Accept does not answer the request's key");
  }
  lease.report(upstream::Outcome::success);
  http::ResponseHead& response = exchange_.response;
  context_.take_time();
  bool made = make_response(context_, plan_);
  if (is_extended_connect) {
    answer_extended_connect(response);
  } else {
    made =
        made && response.fields.add(http::FieldName::connection, "upgrade") &&
        response.fields.add(http::FieldName::upgrade, head.fields.value(http::FieldName::upgrade));
  }
  if (!made) co_return refuse_response("upstream sent too many header fields");
  context_.count(Counter::tunnels);
  // From now on a client that ends its side has only ended its side.
  watch_.reset();
  const auto sent = co_await context_.responder().send_head(
      response, {}, is_extended_connect ? End::no : End::yes,
      Pace(context_.send_pace()).patience(context_.now()));
  if (sent) {
    const std::string_view early = backend.after_head();
    const TunnelLimits limits{.silence = *plan_.options->read_timeout,
                              .to_backend = *plan_.options->send_timeout,
                              .to_client = *context_.client_options().send_timeout};
    const TunnelBytes bytes = co_await tunnel(context_, limits, backend.stream(), early);
    current().response_length += bytes.down;
    if (!lease.is_shared()) {  // whose streams count for themselves
      const std::uint64_t received = bytes.down - std::min<std::uint64_t>(early.size(), bytes.down);
      current().bytes_sent += bytes.up;
      current().bytes_received += received;
      context_.count(Counter::upstream_bytes_in, received);
      context_.count(Counter::upstream_bytes_out, bytes.up);
    }
    exchange_.completed = true;
  }
  current().response_time = context_.now() - attempt_began_;
  co_return Verdict::done;
}

}  // namespace proxy
