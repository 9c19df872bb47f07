#include "upstream/lease.h"

#include <utility>

#include "upstream/cluster.h"
#include "upstream/shared_connection.h"

namespace upstream {

using observe::Counter;

Lease::Lease(Cluster& cluster, PeerGroup& group, Peer& peer) noexcept
    : cluster_(&cluster), group_(&group), peer_(&peer) {
  ++peer.in_use;
  ++peer.attempts;
  ++cluster.in_use_;
  cluster.surroundings_.counters.add(Counter::upstream_active);
}

Lease::Lease(Lease&& other) noexcept
    : cluster_(std::exchange(other.cluster_, nullptr)),
      group_(other.group_),
      peer_(other.peer_),
      connection_(std::move(other.connection_)),
      shared_(std::move(other.shared_)),
      reused_(other.reused_),
      reported_(other.reported_) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  close();
  cluster_ = std::exchange(other.cluster_, nullptr);
  group_ = other.group_;
  peer_ = other.peer_;
  connection_ = std::move(other.connection_);
  shared_ = std::move(other.shared_);
  reused_ = other.reused_;
  reported_ = other.reported_;
  return *this;
}

Lease::~Lease() { close(); }

bool Lease::report(Outcome outcome) noexcept {
  if (cluster_ == nullptr || std::exchange(reported_, true)) return false;
  if (outcome == Outcome::failure) {
    cluster_->surroundings_.counters.add(Counter::upstream_failures);
    ++peer_->failures;
  }
  return upstream::report(*group_, *peer_, outcome, cluster_->surroundings_.loop.now());
}

const tls::TlsStream* Lease::tls() const noexcept {
  return shared_ != nullptr ? shared_->tls() : connection_->tls();
}

std::uint64_t Lease::requests() const noexcept {
  return shared_ != nullptr ? shared_->requests() - 1 : connection_->requests;
}

std::unique_ptr<http::ClientExchange> Lease::open(http::Method method, base::Arena& arena,
                                                  const http::h2::ResponseLimits& limits) {
  return shared_->h2().open(method, arena, limits);
}

void Lease::release_for_reuse() {
  if (cluster_ == nullptr || shared_ != nullptr) return close();
  ++connection_->requests;
  // The addresses of a name have changed: the old one is used to its end, not again.
  if (!peer_->retired) cluster_->pool_.put(std::move(connection_));
  close();
}

void Lease::close() noexcept {
  if (cluster_ == nullptr) return;
  report(Outcome::unproven);
  connection_.reset();
  if (const auto shared = std::exchange(shared_, nullptr)) shared->leave();
  std::exchange(cluster_, nullptr)->ended(*peer_);
}

}  // namespace upstream
