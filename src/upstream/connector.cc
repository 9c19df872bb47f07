#include "upstream/connector.h"

#include <utility>

#include "base/check.h"
#include "io/socket.h"
#include "tls/client_context.h"
#include "tls/stream.h"

namespace upstream {

namespace {

std::string_view directive_for(tls::VerifyFailure::Check check) noexcept {
  using enum tls::VerifyFailure::Check;
  switch (check) {
    case name: return "proxy_ssl_name";
    case chain:
    case self_signed:
    case unknown_issuer: return "proxy_ssl_trusted_certificate";
    case too_long: return "proxy_ssl_verify_depth";
    case revoked:
    case revocation_list: return "proxy_ssl_crl";
    case pin: return "proxy_ssl_pin";
    case expired:
    case not_yet_valid: return "proxy_ssl_verify";
  }
  return {};
}

std::optional<observe::Counter> counter_for(tls::VerifyFailure::Check check) noexcept {
  using enum tls::VerifyFailure::Check;
  switch (check) {
    case revoked: return observe::Counter::upstream_revoked;
    case revocation_list: return observe::Counter::upstream_revocation_unknown;
    case pin: return observe::Counter::upstream_pin_mismatches;
    default: return std::nullopt;
  }
}

HandshakeFailure explain(const base::Error& error, const tls::TlsStream& stream) {
  HandshakeFailure failure{.error = error.from(base::ErrorSource::upstream),
                           .sentence = {},
                           .directive = {},
                           .counter = {}};
  if (const tls::VerifyFailure* why = stream.verify_failure(); why != nullptr) {
    failure.sentence = why->sentence();
    failure.directive = directive_for(why->check);
    failure.counter = counter_for(why->check);
  } else {
    failure.sentence = stream.failure();
  }
  return failure;
}

}  // namespace

async::Task<base::Result<std::unique_ptr<io::Stream>>> Connector::connect_with(
    base::Address peer, io::ConnectOptions /*options*/, base::Deadline deadline) {
  return connect(std::move(peer), deadline);
}

async::Task<base::Result<std::unique_ptr<io::Stream>>> NetworkConnector::connect_with(
    base::Address peer, io::ConnectOptions options, base::Deadline deadline) {
  CO_TRY(std::unique_ptr<io::Stream> stream,
         co_await io::connect(loop_, peer, deadline, std::move(options)));
  co_return stream;
}

async::Task<base::Result<std::unique_ptr<io::Stream>>> NetworkConnector::connect(
    base::Address peer, base::Deadline deadline) {
  CO_TRY(std::unique_ptr<io::Stream> stream, co_await io::connect(loop_, peer, deadline));
  co_return stream;
}

async::Task<std::expected<Transport, HandshakeFailure>> NetworkConnector::secure(
    std::unique_ptr<io::Stream> plain, TlsTarget target, std::string session_key,
    base::Deadline deadline) {
  CHECK(target.context != nullptr);
  auto stream = tls::TlsStream::client(std::move(plain), *target.context,
                                       {.sni = std::string(target.server_name),
                                        .verify_name = std::string(target.verify_name),
                                        .session_key = std::move(session_key)});
  if (const auto done = co_await stream->handshake(deadline); !done) {
    co_return std::unexpected(explain(done.error(), *stream));
  }
  const tls::TlsStream* facts = stream.get();
  co_return Transport{.stream = std::move(stream), .tls = facts};
}

}  // namespace upstream
