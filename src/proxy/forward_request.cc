#include "proxy/forwarder.h"

#include <fmt/format.h>

#include <utility>

#include "proxy/held_body.h"
#include "proxy/hold_body.h"
#include "proxy/request_body.h"

namespace proxy {

using observe::Counter;
using observe::Level;
using Kind = http::BodyFraming::Kind;

// Holds the body, or decides that it is streamed; chooses the framing toward the backend.
async::Task<std::optional<Answer>> Forwarder::take_body() {
  replaces_body_ = plan_.set_body || !*plan_.options->pass_request_body;
  if (context_.body_refused) {  // not even what another location had accepted
    context_.held.reset();
    exchange_.request_body.reset();
    co_return std::nullopt;
  }
  request_.body = exchange_.request.body;
  if (!request_.body.has_body()) co_return std::nullopt;
  if (!context_.held && context_.body.touched()) {
    context_.close_after = true;
    log(context_, Level::error,
        "the request's body went to another backend and cannot be sent again: set "
        "\"proxy_request_buffering on\" where that backend is");
    co_return Answer{.status = 500};
  }
  const bool needs_length = request_.body.kind == Kind::chunked &&
                            *plan_.options->http_version == http::Version::http_1_0;
  if (!context_.held) {
    if (!*plan_.options->request_buffering && !needs_length && !replaces_body_) {
      streams_body_ = true;
      // Calls begin with a message, so that hardly any could be moved from a backend that goes
      // away.
      if (plan_.is_grpc()) replay_.emplace(*context_.client_options().body_buffer_size);
      co_return std::nullopt;
    }
    if (auto answer = co_await hold_body(context_)) co_return answer;
  }
  const HeldBody& held = *context_.held;
  request_.body = held.size() == 0 && request_.body.kind == Kind::chunked
                      ? http::BodyFraming{}
                      : http::BodyFraming{Kind::length, held.size()};
  co_return std::nullopt;
}

// False: what the configuration makes of it can't be sent.
bool Forwarder::replace_body() {
  if (!replaces_body_) return true;
  if (plan_.set_body) {
    script::Subject subject(exchange_);
    own_body_ = plan_.set_body->evaluate(subject);
    if (subject.failed) return false;
  }
  request_.body =
      own_body_.empty() ? http::BodyFraming{} : http::BodyFraming{Kind::length, own_body_.size()};
  return true;
}

// It can be sent in one write with the head.
bool Forwarder::has_whole_body() const noexcept {
  return replaces_body_ || (!streams_body_ && (!context_.held || context_.held->in_memory()));
}

// proxy_bind and the socket's options. As nginx: an address that is none is told, and not used.
void Forwarder::choose_socket() {
  const ForwardOptions& options = *plan_.options;
  socket_.keepalive = *options.socket_keepalive;
  socket_.receive_buffer = static_cast<int>(*options.socket_rcvbuf);
  socket_.send_buffer = static_cast<int>(*options.socket_sndbuf);
  if (!plan_.bind) return;
  const std::string_view text = plan_.bind->evaluate(exchange_);
  if (text.empty()) return;
  socket_.from = parse_local_address(text);
  if (!socket_.from) {
    log(context_, Level::error, fmt::format("invalid local address \"{}\"", text));
  }
}

// How the handshake with an https backend goes. An answer when it can't.
std::optional<Answer> Forwarder::choose_tls(upstream::TlsTarget& tls) {
  tls.context = context_.site.client_context(*plan_.tls_policy);
  if (!choose_certificate()) return Answer{.status = 502};
  if (certificate_ != nullptr) tls.context = certificate_->context.get();
  tls.context_id = tls.context->id();
  std::string_view name = plan_.tls_name.evaluate(exchange_);
  if (auto answer = failed_evaluation(context_)) return answer;
  // As nginx does: the name without a port.
  if (const auto colon = name.rfind(':');
      colon != std::string_view::npos && (name.ends_with(']') || name.find(':') == colon)) {
    name = name.substr(0, name.starts_with('[') && name.ends_with(']') ? name.size() : colon);
  }
  tls.verify_name = name;
  if (plan_.send_sni) tls.server_name = name;
  return std::nullopt;
}

// The certificate that variables name. False when it can't be shown: without it the backend would
// take the request for somebody else's.
bool Forwarder::choose_certificate() {
  if (plan_.named_certificate == nullptr) return true;
  const NamedCertificate& named = *plan_.named_certificate;
  script::Subject subject(exchange_);
  const std::string_view certificate = named.certificate.evaluate(subject);
  const std::string_view key = named.key.evaluate(subject);
  if (subject.failed) {  // an empty name would mean no certificate
    context_.count(Counter::upstream_certificate_names_refused);
    tell(Level::error,
         "no file is opened: the name that the variables in \"proxy_ssl_certificate\" or its key "
         "give is too long; see where their values come from",
         upstream_url());
    return false;
  }
  auto found = context_.site.client_certificates(context_.worker, named).find(certificate, key);
  if (!found) {
    tell(Level::error, found.error(), upstream_url());
    return false;
  }
  certificate_ = *std::move(found);
  return true;
}

}  // namespace proxy
