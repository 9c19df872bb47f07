#include "upstream/cluster.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "async/scope.h"
#include "base/check.h"
#include "io/socket.h"
#include "upstream/round_robin.h"

namespace upstream {

using base::ErrorCode;
using observe::Counter;

namespace {

/// How soon a name is looked at again that is being asked for, or whose servers fail.
constexpr std::chrono::milliseconds kSoon{100};
/// Without requests for so long, and out of date for so long, names are looked up before the next.
constexpr std::chrono::seconds kIdle{1};
/// RFC 8305 §5, "Connection Attempt Delay".
constexpr std::chrono::milliseconds kAttemptDelay{250};

base::Deadline earlier(base::Deadline a, base::Deadline b) noexcept { return std::min(a, b); }

}  // namespace

std::string_view name_of(Failure::Phase phase) noexcept {
  switch (phase) {
    case Failure::Phase::resolving: return "resolving the name of upstream";
    case Failure::Phase::handshaking: return "SSL handshaking to upstream";
    case Failure::Phase::balancing:
    case Failure::Phase::connecting: return "connecting to upstream";
  }
  return {};
}

Cluster::Cluster(std::shared_ptr<const ClusterSpec> spec, Surroundings surroundings)
    : spec_(std::move(spec)),
      surroundings_(surroundings),
      balancer_(std::make_unique<RoundRobinBalancer>()),
      pool_(surroundings.loop, spec_->keep_alive, &surroundings.counters),
      shared_(surroundings.loop, spec_->keep_alive, surroundings.counters, surroundings.background,
              surroundings.http2_budget) {
  for (std::size_t i = 0; i < spec_->endpoints.size(); ++i) {
    const EndpointSpec& endpoint = spec_->endpoints.at(i);
    if (endpoint.address || endpoint.down) continue;
    const io::DnsOptions& dns = endpoint.resolve ? spec_->lookup.dns : io::DnsOptions{};
    names_.push_back({.endpoint = i, .resolver = surroundings.resolvers.find(dns)});
  }
  rebuild_peers();
}

Cluster::~Cluster() { CHECK(in_use_ == 0); }

std::size_t Cluster::max_attempts() const noexcept {
  const auto is_up = [](const std::unique_ptr<Peer>& peer) { return !peer->down; };
  const auto count =
      std::ranges::count_if(primaries_.peers, is_up) + std::ranges::count_if(backups_.peers, is_up);
  return static_cast<std::size_t>(std::max<std::ptrdiff_t>(count, 1));
}

// Peers and the names that they come from.

void Cluster::add_peer(std::vector<std::unique_ptr<Peer>>& old, std::size_t endpoint,
                       const Found& found) {
  const EndpointSpec& spec = spec_->endpoints.at(endpoint);
  PeerGroup& group = found.is_backup ? backups_ : primaries_;
  const std::int64_t weight = std::int64_t{spec.weight} * found.weight;
  const base::Address& address = found.address;
  const auto same = std::ranges::find_if(old, [&](const std::unique_ptr<Peer>& peer) {
    return peer != nullptr && peer->endpoint == endpoint && peer->address == address;
  });
  if (same != old.end()) {
    Peer& peer = **same;
    if (peer.weight != weight) peer.weight = peer.effective_weight = weight;
    peer.target = found.target;
    group.peers.push_back(std::move(*same));
    return;
  }
  auto peer = std::make_unique<Peer>();
  peer->id = next_peer_++;
  peer->endpoint = endpoint;
  peer->address = address;
  peer->name = address.text();
  peer->target = found.target;
  peer->weight = peer->effective_weight = weight;
  peer->max_fails = spec.max_fails;
  peer->fail_timeout = spec.fail_timeout;
  peer->max_conns = spec.max_conns;
  peer->down = spec.down;
  group.peers.push_back(std::move(peer));
}

void Cluster::rebuild_peers() {
  std::vector<std::unique_ptr<Peer>> old = std::exchange(primaries_.peers, {});
  std::ranges::move(std::exchange(backups_.peers, {}), std::back_inserter(old));
  auto name = names_.begin();
  for (std::size_t i = 0; i < spec_->endpoints.size(); ++i) {
    const EndpointSpec& endpoint = spec_->endpoints.at(i);
    if (name != names_.end() && name->endpoint == i) {
      for (const Found& found : name->addresses) add_peer(old, i, found);
      ++name;
    } else if (endpoint.address) {
      const bool needs_port = endpoint.address->is_ip() && !endpoint.port;
      add_peer(old, i,
               {.address = needs_port ? endpoint.address->with_port(spec_->default_port)
                                      : *endpoint.address,
                .is_backup = endpoint.backup});
    }
  }
  primaries_.alone =
      spec_->endpoints.size() == 1 && primaries_.peers.size() == 1 && backups_.peers.empty();
  std::erase(old, nullptr);
  retire(std::move(old));
}

void Cluster::retire(std::vector<std::unique_ptr<Peer>> old) {
  for (std::unique_ptr<Peer>& peer : old) {
    pool_.forget(peer->id);
    shared_.forget(peer->id);
    peer->retired = true;
    if (peer->in_use != 0) retired_.push_back(std::move(peer));
  }
}

void Cluster::ended(Peer& peer) noexcept {
  --in_use_;
  surroundings_.counters.subtract(Counter::upstream_active);
  if (--peer.in_use == 0 && peer.retired) {
    std::erase_if(retired_, [&](const auto& other) { return other.get() == &peer; });
  }
}

Cluster::News Cluster::news_of(const Name& name, const io::Resolution& resolution) const {
  News news{.found = {},
            .ttl = resolution.ttl,
            .stale = resolution.stale,
            .failing = resolution.failing,
            .overdue = resolution.overdue};
  news.found.reserve(resolution.addresses.size());
  for (const base::Address& address : resolution.addresses) {
    news.found.push_back(
        {.address = address, .is_backup = spec_->endpoints.at(name.endpoint).backup});
  }
  return news;
}

// nginx's rules: a backup server has the records of the lowest priority number alone.
Cluster::News Cluster::news_of(const Name& name, const io::ServiceResolution& resolution) const {
  News news{.found = {},
            .ttl = resolution.ttl,
            .stale = resolution.stale,
            .failing = resolution.failing,
            .overdue = resolution.overdue};
  const bool is_backup = spec_->endpoints.at(name.endpoint).backup;
  for (const io::ServiceAddress& each : resolution.addresses) {
    if (is_backup && !each.is_first) continue;
    news.found.push_back({.address = each.address,
                          .target = each.target,
                          .weight = std::max<std::uint32_t>(each.weight, 1),
                          .is_backup = is_backup || !each.is_first});
  }
  return news;
}

std::optional<Cluster::News> Cluster::known(const Name& name) const {
  const EndpointSpec& endpoint = spec_->endpoints.at(name.endpoint);
  if (endpoint.service.empty()) {
    const auto known = name.resolver->known(endpoint.host, port_of(name));
    return known ? std::optional(news_of(name, *known)) : std::nullopt;
  }
  const auto known = name.resolver->known_service(endpoint.service);
  return known ? std::optional(news_of(name, *known)) : std::nullopt;
}

async::Task<base::Result<Cluster::News>> Cluster::resolve(std::size_t name,
                                                          base::Deadline deadline) {
  const EndpointSpec& endpoint = spec_->endpoints.at(names_.at(name).endpoint);
  io::Resolver& resolver = *names_.at(name).resolver;
  if (endpoint.service.empty()) {
    const auto answer =
        co_await resolver.resolve(endpoint.host, port_of(names_.at(name)), deadline);
    if (!answer) co_return base::fail(answer.error());
    co_return news_of(names_.at(name), *answer);
  }
  const auto answer = co_await resolver.resolve_service(endpoint.service, deadline);
  if (!answer) co_return base::fail(answer.error());
  co_return news_of(names_.at(name), *answer);
}

bool Cluster::take_addresses(Name& name, const News& news) {
  const auto ttl = std::chrono::duration_cast<base::Duration>(news.ttl);
  name.refresh_at = surroundings_.loop.now() + (news.stale ? base::Duration(kSoon) : ttl);
  if (!news.stale || news.failing) name.outdated = false;
  // Name servers turn the order of addresses; that is no change.
  if (std::ranges::is_permutation(name.addresses, news.found)) return false;
  name.addresses = news.found;
  return true;
}

std::uint16_t Cluster::port_of(const Name& name) const {
  return spec_->endpoints.at(name.endpoint).port.value_or(spec_->default_port);
}

void Cluster::refresh_names() {
  const base::TimePoint now = surroundings_.loop.now();
  const bool was_idle = now - used_at_ >= kIdle;
  bool changed = false;
  refresh_at_ = base::kNoDeadline;
  for (Name& name : names_) {
    if (now >= name.refresh_at) {
      name.refresh_at = now + kSoon;
      // Nothing known: the addresses that the name once had are better than none.
      if (const auto news = known(name)) {
        if (was_idle && news->stale && !news->failing && news->overdue >= kIdle) {
          name.outdated = true;
          catch_up_until_ = now + kIdle;
        }
        changed |= take_addresses(name, *news);
      }
    }
    refresh_at_ = std::min(refresh_at_, name.refresh_at);
  }
  if (changed) rebuild_peers();
}

bool Cluster::lacks_primaries() const noexcept {
  return primaries_.peers.empty() && std::ranges::any_of(names_, [this](const Name& name) {
           return !spec_->endpoints.at(name.endpoint).backup;
         });
}

[[gnu::noinline]] async::Task<base::Result<void>> Cluster::learn_names(base::Deadline deadline) {
  base::Result<void> outcome = base::fail(ErrorCode::not_found);
  // All are being asked for since refresh_names(): the waits overlap, and the first answer will do.
  for (std::size_t i = 0; i < names_.size() && lacks_primaries(); ++i) {
    const EndpointSpec& endpoint = spec_->endpoints.at(names_.at(i).endpoint);
    if (endpoint.backup && !backups_.peers.empty()) continue;
    const auto answer = co_await resolve(i, deadline);
    if (!answer) {
      outcome = base::fail(answer.error());
      if (answer.error().is(ErrorCode::cancelled)) co_return outcome;
      continue;
    }
    outcome = {};
    if (take_addresses(names_.at(i), *answer)) rebuild_peers();
  }
  co_return outcome;
}

[[gnu::noinline]] async::Task<base::Result<void>> Cluster::catch_up(base::Deadline deadline) {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!names_.at(i).outdated) continue;
    const auto answer = co_await resolve(i, deadline);
    names_.at(i).outdated = false;
    if (answer && take_addresses(names_.at(i), *answer)) rebuild_peers();
    if (!answer && answer.error().is(ErrorCode::cancelled)) co_return base::fail(answer.error());
  }
  co_return base::Result<void>{};
}

// Choosing.

Cluster::Choice Cluster::find(std::uint32_t peer) noexcept {
  for (PeerGroup* group : {&primaries_, &backups_}) {
    for (const auto& candidate : group->peers) {
      if (candidate->id == peer) return {group, candidate.get()};
    }
  }
  return {};
}

bool Cluster::revive() {
  const base::TimePoint now = surroundings_.loop.now();
  bool any = false;
  for (PeerGroup* group : {&primaries_, &backups_}) {
    for (const auto& peer : group->peers) {
      if (!is_failed(*peer, now)) continue;
      peer->fails = 0;
      any = true;
    }
  }
  return any;
}

Cluster::Choice Cluster::pick(Attempts& attempts) {
  const base::TimePoint now = surroundings_.loop.now();
  if (!attempts.on_backups_) {
    if (Peer* peer = balancer_->pick(primaries_, attempts, now)) return {&primaries_, peer};
    attempts.on_backups_ = true;
  }
  return {&backups_, balancer_->pick(backups_, attempts, now)};
}

Cluster::Choice Cluster::choose(Attempts& attempts) {
  if (std::exchange(attempts.repeat_, false)) {
    if (const Choice same = find(attempts.last_); same.peer != nullptr) return same;
  }
  Choice choice = pick(attempts);
  if (choice.peer == nullptr && attempts.count_ == 0 && revive()) {
    attempts.on_backups_ = false;
    choice = pick(attempts);
  }
  if (choice.peer != nullptr) attempts.add(choice.peer->id);
  return choice;
}

// Attempts.

Failure Cluster::no_peer(Failure::Phase phase, const base::Error& error) const {
  if (!error.is(ErrorCode::cancelled)) surroundings_.counters.add(Counter::upstream_failures);
  return {.phase = phase,
          .error = error.from(base::ErrorSource::upstream),
          .peer = spec_->name,
          .sentence = {},
          .directive = {}};
}

Failure Cluster::failed(Lease& lease, Failure::Phase phase, const base::Error& error) {
  const bool is_ours = error.is(ErrorCode::cancelled) || error.is(ErrorCode::exhausted);
  observe::Counters& counters = surroundings_.counters;
  if (error.is(ErrorCode::timed_out)) {
    counters.add(Counter::upstream_timeouts);
    counters.add(Counter::limit_connect_time);
  }
  if (error.is(ErrorCode::untrusted)) counters.add(Counter::upstream_untrusted);
  if (!error.is(ErrorCode::cancelled)) {
    counters.add(phase == Failure::Phase::handshaking ? Counter::upstream_handshakes_failed
                                                      : Counter::upstream_connect_failures);
  }
  return {.phase = phase,
          .error = error.from(base::ErrorSource::upstream),
          .peer = lease.peer_name(),
          .sentence = {},
          .directive = {},
          .disabled_peer = lease.report(is_ours ? Outcome::unproven : Outcome::failure)};
}

// Connecting, with a rival of the other address family.

struct Cluster::Race {
  Race(async::Scope* parent, base::Deadline limit, const io::ConnectOptions* how) noexcept
      : scope(parent), deadline(limit), socket(how) {}

  using Outcome = base::Result<std::unique_ptr<io::Stream>>;
  async::Scope scope;
  base::Deadline deadline;
  const io::ConnectOptions* socket;
  Outcome first = base::fail(ErrorCode::cancelled);
  Outcome second = base::fail(ErrorCode::cancelled);
  std::optional<Lease> rival;  // once the second is under way
};

Cluster::Choice Cluster::rival_of(const Peer& peer, const Attempts& attempts,
                                  const AddressFilter* filter) noexcept {
  Choice best;
  const base::TimePoint now = surroundings_.loop.now();
  for (PeerGroup* group : {&primaries_, &backups_}) {
    for (const auto& other : group->peers) {
      if (other->endpoint != peer.endpoint || other->target != peer.target ||
          other->address.family() == peer.address.family() || attempts.has_tried(other->id) ||
          !is_available(*other, now) || (filter != nullptr && !filter->admits(other->address))) {
        continue;
      }
      if (best.peer == nullptr || other->in_use < best.peer->in_use) best = {group, other.get()};
    }
  }
  return best;
}

async::Task<void> Cluster::run_first(Race* race, base::Address address) {
  race->first = co_await connect(std::move(address), race->socket, race->deadline);
  // A failure before the rival has begun is the caller's to deal with, as any other.
  if (race->first || !race->rival) race->scope.request_stop();
}

async::Task<void> Cluster::run_second(Race* race, const Peer* first, const Attempts* attempts,
                                      const AddressFilter* filter) {
  io::EventLoop& loop = surroundings_.loop;
  if (!co_await io::sleep_until(loop, loop.now() + kAttemptDelay)) co_return;
  const Choice rival = rival_of(*first, *attempts, filter);
  if (rival.peer == nullptr) co_return;
  race->rival.emplace(Lease(*this, *rival.group, *rival.peer));
  race->second = co_await connect(rival.peer->address, race->socket, race->deadline);
  if (race->second) race->scope.request_stop();
}

/// Afterwards `lease` is the winner's.
[[gnu::noinline]] async::Task<base::Result<std::unique_ptr<io::Stream>>> Cluster::connect_in_race(
    Lease* lease, Attempts* attempts, const Target* target, base::Deadline deadline,
    std::string* sentence) {
  Race race(co_await async::current_scope(), deadline, target->socket);
  race.scope.spawn(run_first(&race, lease->address()));
  race.scope.spawn(run_second(&race, lease->peer_, attempts, target->filter));
  co_await race.scope.join();
  if (race.first || !race.rival) co_return std::move(race.first);
  if (race.second) {
    surroundings_.counters.add(Counter::upstream_family_changes);
    lease->report(Outcome::failure);
    attempts->add(race.rival->peer_->id);
    *lease = std::move(*race.rival);
    co_return std::move(race.second);
  }
  if (race.second.error().is(ErrorCode::cancelled)) co_return std::move(race.first);
  race.rival->report(Outcome::failure);
  attempts->add(race.rival->peer_->id);
  *sentence =
      "and so did " + race.rival->peer_name() + " (" + base::describe(race.second.error()) + ")";
  co_return std::move(race.first);
}

async::Task<base::Result<std::unique_ptr<io::Stream>>> Cluster::connect(
    base::Address peer, const io::ConnectOptions* socket, base::Deadline deadline) {
  if (socket == nullptr) return surroundings_.connector.connect(std::move(peer), deadline);
  return surroundings_.connector.connect_with(std::move(peer), *socket, deadline);
}

/// Connects and shakes hands. Afterwards `lease` is of the peer that it came to.
async::Task<std::expected<Transport, Failure>> Cluster::make_transport(Lease* lease,
                                                                       Attempts* attempts,
                                                                       const Target* target) {
  const auto limit = [this, target] {
    return earlier(target->deadline, surroundings_.loop.now() + target->connect_timeout);
  };
  std::string sentence;
  const bool has_rival =
      !names_.empty() && rival_of(*lease->peer_, *attempts, target->filter).peer != nullptr;
  auto plain = has_rival ? co_await connect_in_race(lease, attempts, target, limit(), &sentence)
                         : co_await connect(lease->address(), target->socket, limit());
  if (!plain) {
    Failure failure = failed(*lease, Failure::Phase::connecting, plain.error());
    failure.sentence = std::move(sentence);
    co_return std::unexpected(std::move(failure));
  }
  surroundings_.counters.add(Counter::upstream_connects);
  if (!target->preface.empty()) {
    std::array<iovec, 1> piece{io::piece_of(target->preface)};
    if (const auto sent = co_await io::write_all(**plain, piece, limit()); !sent) {
      co_return std::unexpected(failed(*lease, Failure::Phase::connecting, sent.error()));
    }
  }
  Transport transport{.stream = *std::move(plain)};
  if (target->tls != nullptr) {
    auto secured = co_await surroundings_.connector.secure(
        std::move(transport.stream), *target->tls, lease->peer_name(), limit());
    if (!secured) {
      Failure failure = failed(*lease, Failure::Phase::handshaking, secured.error().error);
      if (secured.error().counter) surroundings_.counters.add(*secured.error().counter);
      failure.sentence = std::move(secured.error().sentence);
      failure.directive = secured.error().directive;
      co_return std::unexpected(std::move(failure));
    }
    transport = *std::move(secured);
  }
  co_return transport;
}

// Not inlined: its frame, which is large, would be made part of every acquire's.
[[gnu::noinline]] async::Task<Acquired> Cluster::open(Lease lease, Attempts* attempts,
                                                      Target target) {
  auto transport = co_await make_transport(&lease, attempts, &target);
  if (!transport) co_return std::unexpected(std::move(transport.error()));
  lease.connection_ =
      std::make_unique<Connection>(*std::move(transport), identity_of(*lease.peer_, target));
  lease.connection_->single_use = !target.preface.empty();
  co_return std::move(lease);
}

Identity Cluster::identity_of(const Peer& peer, const Target& target) const noexcept {
  return {
      .peer = peer.id,
      .locality = spec_->keep_alive.local ? target.locality : 0,
      .tls = target.tls,
      .from = target.socket != nullptr && target.socket->from ? &*target.socket->from : nullptr};
}

async::Task<Acquired> Cluster::acquire(Attempts* attempts, Target target) {
  const base::TimePoint began = surroundings_.loop.now();
  if (!names_.empty()) {
    if (began >= refresh_at_) refresh_names();
    used_at_ = began;
  }
  if (began < catch_up_until_) {
    const auto caught_up = co_await catch_up(earlier(target.deadline, catch_up_until_));
    if (!caught_up) {
      co_return std::unexpected(no_peer(Failure::Phase::resolving, caught_up.error()));
    }
  }
  if (lacks_primaries()) {
    const base::Deadline limit = earlier(target.deadline, began + spec_->lookup.timeout);
    const auto learned = co_await learn_names(limit);
    const bool stopped = !learned && learned.error().is(ErrorCode::cancelled);
    if (stopped || (!learned && primaries_.peers.empty() && backups_.peers.empty())) {
      co_return std::unexpected(no_peer(Failure::Phase::resolving, learned.error()));
    }
  }
  const bool fresh = target.fresh_only || !target.preface.empty() || attempts->repeat_;
  const Choice choice = choose(*attempts);
  if (choice.peer == nullptr) {
    co_return std::unexpected(no_peer(Failure::Phase::balancing, {.code = ErrorCode::unavailable,
                                                                  .context = "no live upstreams"}));
  }
  if (target.filter != nullptr && !target.filter->admits(choice.peer->address)) {
    co_return std::unexpected(Failure{.phase = Failure::Phase::connecting,
                                      .error = {.code = ErrorCode::not_permitted},
                                      .peer = choice.peer->name,
                                      .sentence = {},
                                      .directive = {}});
  }
  Lease lease(*this, *choice.group, *choice.peer);
  if (target.http2) co_return co_await share(std::move(lease), attempts, target, fresh);
  if (!fresh) lease.connection_ = pool_.take(identity_of(*choice.peer, target));
  if (lease.connection_ != nullptr) {
    lease.reused_ = true;
    surroundings_.counters.add(Counter::upstream_reuses);
    co_return std::move(lease);
  }
  co_return co_await open(std::move(lease), attempts, target);
}

}  // namespace upstream
