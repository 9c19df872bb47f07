// Cluster: a group of backends as one worker sees it: peers with their weights and failures, the
// balancer and the pool of idle connections. Made from a ClusterSpec; belongs to its thread.
//
//   acquire: names resolved? → pick a peer → an idle connection of it, or connect → TLS handshake
//
// One acquire is one attempt at one peer. Whether another one follows is the caller's decision, who
// knows what was sent already; Attempts remembers what was tried.
//
// Host names are resolved when they are first needed and looked up again when their TTL has passed,
// in the background: requests meanwhile use the addresses that are known. After a time without
// requests the first ones wait for the news, for a second at most: what was true then may be long
// over. A peer whose address remains keeps its state; one whose address is gone is retired and
// lives until its last lease ends.
//
// A service's SRV records give a peer for each address of each host that they name, with the
// record's weight times the server's: those of the lowest priority number are primaries, the others
// backups (as nginx has it). It is a name like any other in all else.
//
// Requests go by turns to all addresses of a name, of both families. But where the chosen one does
// not answer within 250 ms and the name has an address of the other family, that is tried beside
// it, and the first connection that stands is used (RFC 8305 §5): a family that leads nowhere costs
// a quarter of a second, not the connect timeout. Its peer has failed then, and is left out for its
// fail_timeout.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "io/event_loop.h"
#include "io/resolver.h"
#include "observe/counters.h"
#include "upstream/attempts.h"
#include "upstream/balancer.h"
#include "upstream/cluster_spec.h"
#include "upstream/connector.h"
#include "upstream/http2_terms.h"
#include "upstream/lease.h"
#include "upstream/peer.h"
#include "upstream/pool.h"
#include "upstream/shared_pool.h"

namespace upstream {

/// Which addresses a request may be connected to: asked before the first packet is sent.
class AddressFilter {
 public:
  [[nodiscard]] virtual bool admits(const base::Address& address) const noexcept = 0;

 protected:
  ~AddressFilter() = default;
};

/// How a request wants its connection. Everything that it refers to lives until acquire has ended.
struct Target {
  const TlsTarget* tls = nullptr;  // null: in the clear
  std::uint64_t locality = 0;  // of the location, for `keepalive N local`
  std::chrono::milliseconds connect_timeout{60'000};  // for the connect and again for the handshake
  base::Deadline deadline = base::kNoDeadline;  // for all of it
  const io::ConnectOptions* socket = nullptr;  // null: a socket like any other
  bool fresh_only = false;  // take no idle connection
  const AddressFilter* filter = nullptr;  // null: any address
  bool http2 = false;  // over a connection that many requests share
  const Http2Terms* http2_terms = &kDefaultHttp2Terms;
  bool single_use = false;  // HTTP/2: not this request; its connection is for it alone
  // Sent first on a new connection, before its handshake: a PROXY protocol header. It speaks of one
  // client, so such a request takes no idle connection, and its own serves no other.
  std::string_view preface{};
};

/// Why there is no connection. The peer's failure is counted already.
struct Failure {
  enum class Phase : std::uint8_t { resolving, balancing, connecting, handshaking };
  Phase phase = Phase::balancing;
  base::Error error;  // unavailable: no endpoint may be tried ("no live upstreams")
  std::string peer;  // "127.0.0.1:8080"; the cluster's name when none was chosen
  std::string sentence;  // what the resolver or TLS has to say in addition; may be empty
  std::string_view directive;  // which one would mend a failed verification; may be empty
  bool disabled_peer = false;  // this failure put the peer out of service
};
using Acquired = std::expected<Lease, Failure>;

/// What nginx writes after "while": "connecting to upstream", "SSL handshaking to upstream".
[[nodiscard]] std::string_view name_of(Failure::Phase phase) noexcept;

/// What a worker lends to its clusters; all of it outlives them.
struct Surroundings {
  io::EventLoop& loop;
  io::Resolvers& resolvers;
  Connector& connector;
  observe::Counters& counters;  // of the worker
  async::Scope* background = nullptr;  // HTTP/2 connections run in it; null: there are none
  http::h2::SharedBudget* http2_budget = nullptr;  // of their memory; null: not bounded
};

class Cluster {
 public:
  Cluster(std::shared_ptr<const ClusterSpec> spec, Surroundings surroundings);
  ~Cluster();  // CHECKs that no lease is left
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// One attempt: at a peer that `attempts` has not tried, or as attempts->repeat_fresh() says.
  [[nodiscard]] async::Task<Acquired> acquire(Attempts* attempts, Target target);

  /// How many attempts at different peers make sense: peers that are not `down` (nginx's "tries").
  /// At least 1; grows when names are resolved.
  [[nodiscard]] std::size_t max_attempts() const noexcept;

  /// Leases that are out.
  [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }
  [[nodiscard]] std::size_t idle_connections() const noexcept {
    return pool_.size() + shared_.idle();
  }
  [[nodiscard]] std::size_t idle_connections(const Peer& peer) const noexcept {
    return pool_.size_of(peer.id) + shared_.idle_of(peer.id);
  }
  /// HTTP/2 connections, whether idle or not.
  [[nodiscard]] std::size_t shared_connections() const noexcept { return shared_.size(); }
  /// The worker drains: idle connections are closed, and none is kept from now on.
  void drain() {
    pool_.close();
    shared_.close();
  }
  /// Since when its oldest idle connection has been so; kNoDeadline if there is none.
  [[nodiscard]] base::TimePoint idle_since() const noexcept {
    return std::min(pool_.oldest_since(), shared_.oldest_since());
  }
  /// Closes that one: the process runs out of descriptors or memory.
  void discard_oldest_idle() noexcept {
    if (shared_.oldest_since() < pool_.oldest_since()) return shared_.discard_oldest();
    pool_.discard_oldest();
  }

  [[nodiscard]] const ClusterSpec& spec() const noexcept { return *spec_; }
  [[nodiscard]] const PeerGroup& primaries() const noexcept { return primaries_; }
  [[nodiscard]] const PeerGroup& backups() const noexcept { return backups_; }

 private:
  friend class Lease;
  struct Choice {
    PeerGroup* group = nullptr;
    Peer* peer = nullptr;
  };
  /// An address of a name.
  struct Found {
    base::Address address;
    std::string target{};  // of a service: the host
    std::uint32_t weight = 1;
    bool is_backup = false;
    bool operator==(const Found&) const = default;
  };
  /// What a resolver says about a name now.
  struct News {
    std::vector<Found> found;
    std::chrono::seconds ttl{};
    bool stale = false;
    bool failing = false;
    base::Duration overdue{};
  };
  /// A host name of the spec, or a service's.
  struct Name {
    std::size_t endpoint;
    std::shared_ptr<io::Resolver> resolver{};
    std::vector<Found> addresses{};
    base::TimePoint refresh_at{};
    bool outdated = false;  // known from before a time without requests, and out of date
  };
  struct Race;

  [[nodiscard]] bool lacks_primaries() const noexcept;
  [[nodiscard]] async::Task<base::Result<void>> learn_names(base::Deadline deadline);
  [[nodiscard]] async::Task<base::Result<void>> catch_up(base::Deadline deadline);
  void refresh_names();
  [[nodiscard]] std::uint16_t port_of(const Name& name) const;
  [[nodiscard]] News news_of(const Name& name, const io::Resolution& resolution) const;
  [[nodiscard]] News news_of(const Name& name, const io::ServiceResolution& resolution) const;
  [[nodiscard]] std::optional<News> known(const Name& name) const;
  [[nodiscard]] async::Task<base::Result<News>> resolve(std::size_t name, base::Deadline deadline);
  [[nodiscard]] bool take_addresses(Name& name, const News& news);
  void rebuild_peers();
  void add_peer(std::vector<std::unique_ptr<Peer>>& old, std::size_t endpoint, const Found& found);
  void retire(std::vector<std::unique_ptr<Peer>> old);

  [[nodiscard]] Choice choose(Attempts& attempts);
  [[nodiscard]] Choice pick(Attempts& attempts);
  [[nodiscard]] Choice find(std::uint32_t peer) noexcept;
  [[nodiscard]] bool revive();
  [[nodiscard]] async::Task<Acquired> open(Lease lease, Attempts* attempts, Target target);
  // cluster_shared.cc
  [[nodiscard]] async::Task<Acquired> share(Lease lease, Attempts* attempts, Target target,
                                            bool fresh);
  [[nodiscard]] async::Task<Acquired> lead(Lease lease, Attempts* attempts, Target target,
                                           Line* line);
  [[nodiscard]] async::Task<std::expected<Transport, Failure>> make_transport(Lease* lease,
                                                                              Attempts* attempts,
                                                                              const Target* target);
  [[nodiscard]] Choice rival_of(const Peer& peer, const Attempts& attempts,
                                const AddressFilter* filter) noexcept;
  [[nodiscard]] async::Task<base::Result<std::unique_ptr<io::Stream>>> connect_in_race(
      Lease* lease, Attempts* attempts, const Target* target, base::Deadline deadline,
      std::string* sentence);
  [[nodiscard]] async::Task<base::Result<std::unique_ptr<io::Stream>>> connect(
      base::Address peer, const io::ConnectOptions* socket, base::Deadline deadline);
  [[nodiscard]] async::Task<void> run_first(Race* race, base::Address address);
  [[nodiscard]] async::Task<void> run_second(Race* race, const Peer* first,
                                             const Attempts* attempts, const AddressFilter* filter);
  [[nodiscard]] Identity identity_of(const Peer& peer, const Target& target) const noexcept;
  [[nodiscard]] Failure failed(Lease& lease, Failure::Phase phase, const base::Error& error);
  [[nodiscard]] Failure no_peer(Failure::Phase phase, const base::Error& error) const;
  void ended(Peer& peer) noexcept;

  std::shared_ptr<const ClusterSpec> spec_;
  Surroundings surroundings_;
  std::unique_ptr<Balancer> balancer_;
  PeerGroup primaries_;
  PeerGroup backups_;
  std::vector<std::unique_ptr<Peer>> retired_;
  std::vector<Name> names_;
  base::TimePoint refresh_at_{};  // the earliest of the names'
  base::TimePoint used_at_{};  // by the last acquire()
  base::TimePoint catch_up_until_{};  // requests wait for outdated names no longer
  std::uint32_t next_peer_ = 1;
  std::size_t in_use_ = 0;
  Pool pool_;
  SharedPool shared_;
};

}  // namespace upstream
