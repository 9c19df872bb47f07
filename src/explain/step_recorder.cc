#include "explain/step_recorder.h"

#include <fmt/format.h>

#include "guard/limit_directives.h"
#include "proxy/backend_tls_options.h"
#include "proxy/context.h"
#include "proxy/outgoing.h"
#include "proxy/plan.h"

namespace explain {
namespace {

using route::Location;

std::string written(const Location& location) {
  switch (location.kind) {
    case Location::Kind::exact: return "= " + location.name;
    case Location::Kind::prefix_final: return "^~ " + location.name;
    case Location::Kind::regex: return "~ " + location.name;
    case Location::Kind::prefix:
    case Location::Kind::named: break;
  }
  return location.name;
}

std::string_view why(Location::Kind kind) {
  switch (kind) {
    case Location::Kind::exact: return "the path is exactly this";
    case Location::Kind::prefix: return "the longest prefix; no regular expression matches";
    case Location::Kind::prefix_final:
      return "the longest prefix; ^~ lets no regular expression be looked at";
    case Location::Kind::regex: return "the first regular expression that matches";
    case Location::Kind::named: return "by its name";
  }
  return {};
}

std::string described(const upstream::EndpointSpec& endpoint) {
  std::string text = endpoint.name;
  if (endpoint.weight != 1) text += fmt::format(" weight={}", endpoint.weight);
  if (endpoint.backup) text += " backup";
  if (endpoint.down) text += " down";
  return text;
}

std::string head_of(const http::OutgoingRequest& request) {
  std::string head =
      fmt::format("{} {} {}\n", request.method, request.target, http::text_of(request.version));
  for (const http::Field& field : request.fields) {
    head += fmt::format("{}: {}\n", field.name, field.value);
  }
  if (request.body.kind == http::BodyFraming::Kind::length) {
    head += fmt::format("Content-Length: {}\n", request.body.length);
  } else if (request.body.kind == http::BodyFraming::Kind::chunked) {
    head += "Transfer-Encoding: chunked\n";
  }
  return head;
}

}  // namespace

void StepRecorder::add(std::string_view name, std::string text, config::Position at) {
  explanation_.steps.push_back({.name = std::string(name),
                                .text = config::printable(text),
                                .place = at.line == 0 ? "" : diagnostics_.place(at)});
}

void StepRecorder::tell(Step step, const proxy::Context& context, std::string_view detail) {
  switch (step) {
    case Step::server: return tell_server(context);
    case Step::client: return tell_client(context);
    case Step::path:
      return add("path", context.exchange.args.empty()
                             ? std::string(context.exchange.uri)
                             : fmt::format("{} with the query {}", context.exchange.uri,
                                           context.exchange.args));
    case Step::location: return tell_location(context);
    case Step::limits: return tell_limits(context, detail);
    case Step::method:
      return add("limit_except", "its rules hold for this method", context.level->where());
    case Step::rewrite: return add("rewrite", std::string(detail));
    case Step::access: return add("allow, deny", std::string(detail), context.level->where());
    case Step::password:
      return add("auth_basic", fmt::format("{}{}", detail, request_.password ? " (assumed)" : ""),
                 context.level->where());
    case Step::subrequest:
      return add("auth_request", fmt::format("{} (assumed)", detail), context.level->where());
    case Step::mirror: return add("mirror", fmt::format("a copy goes to {}", detail));
    case Step::file: return add("file", std::string(detail), context.level->where());
    case Step::redirect: return add("redirect", fmt::format("internally to {}", detail));
    case Step::error_page: return add("error_page", std::string(detail), context.level->where());
    case Step::answer: return add("answer", std::string(detail));
  }
}

void StepRecorder::logged(observe::Level level, std::string_view message) {
  add("error log", fmt::format("[{}] {}", observe::name_of(level), message));
}

void StepRecorder::tell_server(const proxy::Context& context) {
  base::Captures captures;
  const std::string_view host = context.exchange.request.host;
  const auto match = context.listener.names.find(host, captures, context.exchange.named_captures);
  const std::string_view reason = !match           ? "the default server of"
                                  : match->pattern ? "a regular expression names it on"
                                                   : "its server_name fits on";
  const std::string& name = context.server->name;
  add("server",
      fmt::format("{}: {} {}", name.empty() ? "without a name" : name, reason,
                  context.listener.address.text()),
      context.server->level->where());
}

void StepRecorder::tell_client(const proxy::Context& context) {
  const exchange::Exchange& exchange = context.exchange;
  std::string text = exchange.remote.ip_text();
  if (exchange.remote != exchange.connection.peer) {
    text += fmt::format(", as {} says", exchange.connection.peer.ip_text());
  }
  if (exchange.trusted_peer) text += "; its forwarding headers are believed";
  if (text == client_) return;
  client_ = text;
  add("client", std::move(text));
}

void StepRecorder::tell_location(const proxy::Context& context) {
  if (context.location == nullptr) return add("location", "none fits: the server's settings hold");
  add("location", fmt::format("{}: {}", written(*context.location), why(context.location->kind)),
      context.location->level->where());
}

void StepRecorder::tell_limits(const proxy::Context& context, std::string_view detail) {
  std::string zones;
  if (const auto* plan = context.level->find<guard::LimitReqPlan>()) {
    for (const auto& entry : plan->entries) zones += " limit_req " + entry.limit.zone + ";";
  }
  if (const auto* plan = context.level->find<guard::LimitConnPlan>()) {
    for (const auto& entry : plan->entries) zones += " limit_conn " + entry.limit.zone + ";";
  }
  explanation_.assumptions.emplace_back("the zones of limits are empty");
  add("limits", fmt::format("{}:{}", detail, zones), context.level->where());
}

void StepRecorder::forwarded(const proxy::Context& context, const proxy::ForwardPlan& plan,
                             const proxy::Destination& destination,
                             const http::OutgoingRequest& request, std::string_view tls_name) {
  Forwarded out;
  out.url = fmt::format("{}{}://{}{}", plan.is_grpc() ? "grpc" : "http",
                        destination.https ? "s" : "", destination.authority, request.target);
  out.upstream = destination.authority;
  const upstream::ClusterSpec* spec = plan.cluster.get();
  if (destination.group != nullptr) spec = &destination.group->spec();
  if (spec != nullptr) {
    for (const upstream::EndpointSpec& endpoint : spec->endpoints) {
      out.servers.push_back(described(endpoint));
      if (!endpoint.address) {
        explanation_.assumptions.push_back(
            fmt::format("{} has an address", config::printable(endpoint.name)));
      }
    }
  } else {
    explanation_.assumptions.push_back(
        fmt::format("{} has an address", config::printable(destination.authority)));
  }
  out.tls = destination.https;
  out.tls_name = tls_name;
  out.sends_sni = destination.https && plan.send_sni;
  out.verified = destination.https && plan.tls_policy != nullptr && plan.tls_policy->verify;
  out.head = head_of(request);
  add(plan.is_grpc() ? "grpc_pass" : "proxy_pass", fmt::format("to {}", out.url),
      context.level->where());
  explanation_.forwarded = std::move(out);
}

void StepRecorder::finished(const proxy::Context& context) {
  explanation_.closed = context.closed_silently && !explanation_.forwarded;
  over_ = true;
}

}  // namespace explain
