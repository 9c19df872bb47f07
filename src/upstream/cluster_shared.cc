// Cluster, HTTP/2: many leases on one connection.
#include <algorithm>
#include <utility>

#include "tls/stream.h"
#include "upstream/cluster.h"

namespace upstream {

using base::ErrorCode;
using observe::Counter;

namespace {

// The backend was asked by ALPN, and what it chose is not what was asked for.
bool speaks_http2(const Transport& transport) noexcept {
  return transport.tls == nullptr || transport.tls->alpn() == "h2";
}

}  // namespace

// Connects for all who wait in `line`; null: for this request alone.
async::Task<Acquired> Cluster::lead(Lease lease, Attempts* attempts, Target target, Line* line) {
  std::optional<Line::Connecting> connecting;
  if (line != nullptr) connecting.emplace(*line);
  const std::uint32_t asked = lease.peer_->id;
  auto transport = co_await make_transport(&lease, attempts, &target);
  if (transport && !speaks_http2(*transport)) {
    Failure failure = failed(lease, Failure::Phase::handshaking,
                             {.code = ErrorCode::protocol, .context = "no HTTP/2"});
    failure.sentence =
        "the backend does not choose HTTP/2 by ALPN; let it speak HTTP/2, or set "
        "proxy_http_version 1.1";
    failure.directive = "proxy_http_version";
    transport = std::unexpected(std::move(failure));
  }
  if (!transport) {
    const bool is_ours = transport.error().error.is(ErrorCode::cancelled);
    if (connecting && !is_ours) connecting->fail(transport.error());
    co_return std::unexpected(std::move(transport.error()));
  }
  if (lease.peer_->id == asked) {
    lease.shared_ = shared_.start(*std::move(transport), line, target.http2_terms->limits);
    co_return std::move(lease);
  }
  // The other address family was faster: its line has the connection, and whoever waits here turns
  // to that peer, too.
  if (connecting) {
    connecting->fail({.phase = Failure::Phase::connecting,
                      .error = {.code = ErrorCode::timed_out},
                      .peer = lease.peer_name(),
                      .sentence = {},
                      .directive = {}});
  }
  const SharedPool::Use winner = shared_.line_of(identity_of(*lease.peer_, target));
  lease.shared_ = shared_.start(*std::move(transport), line != nullptr ? &*winner : nullptr,
                                target.http2_terms->limits);
  co_return std::move(lease);
}

async::Task<Acquired> Cluster::share(Lease lease, Attempts* attempts, Target target, bool fresh) {
  if (const auto* budget = surroundings_.http2_budget;
      budget != nullptr && budget->used > budget->limit) {
    surroundings_.counters.add(Counter::limit_h2_memory);
    lease.report(Outcome::unproven);  // it is not to blame
    Failure failure =
        failed(lease, Failure::Phase::connecting, base::Error{.code = ErrorCode::exhausted});
    failure.sentence = "HTTP/2 connections hold as much as they may (http2_max_total_memory)";
    co_return std::unexpected(std::move(failure));
  }
  if (target.single_use || !target.preface.empty()) {
    co_return co_await lead(std::move(lease), attempts, target, nullptr);
  }
  io::EventLoop& loop = surroundings_.loop;
  const base::Deadline deadline =
      std::min(target.deadline, loop.now() + base::Duration(target.connect_timeout));
  const SharedPool::Use line = shared_.line_of(identity_of(*lease.peer_, target));
  const std::uint64_t newer_than = fresh ? shared_.newest() : 0;
  const std::size_t most = target.http2_terms->max_connections;
  while (true) {
    // When no further connection is allowed, an older one must do.
    lease.shared_ = line->enter(line->is_full(most) ? 0 : newer_than);
    if (lease.shared_ != nullptr) {
      lease.reused_ = lease.shared_->requests() > 1;
      surroundings_.counters.add(Counter::upstream_reuses);
      co_return std::move(lease);
    }
    if (line->may_connect(most))
      co_return co_await lead(std::move(lease), attempts, target, &*line);
    surroundings_.counters.add(Counter::upstream_h2_waits);
    const Line::Wait::Outcome outcome = co_await Line::Wait(*line, loop, deadline, most);
    if (outcome.failure != nullptr) {
      lease.report(Outcome::unproven);  // who connected has told
      co_return std::unexpected(*outcome.failure);
    }
    if (!outcome.result) {
      if (outcome.result.error().is(ErrorCode::timed_out)) {
        lease.report(Outcome::unproven);  // it works, as hard as it can
      }
      Failure failure = failed(lease, Failure::Phase::connecting, outcome.result.error());
      failure.sentence = "every HTTP/2 connection to it has as many requests as it takes";
      co_return std::unexpected(std::move(failure));
    }
  }
}

}  // namespace upstream
