#include "io/resolver.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "async/intrusive_list.h"
#include "async/scope.h"
#include "base/check.h"
#include "base/text.h"

namespace io {

using base::ErrorCode;
using observe::Counter;
using observe::Level;
using std::chrono::seconds;
using Kind = DnsAnswer::Kind;

namespace {

constexpr std::size_t kMaxNameLength = 255;  // RFC 1035 §2.3.4
constexpr std::size_t kMaxCandidates = 8;  // of the search list
constexpr std::chrono::milliseconds kLookForServersEvery{50};

/// The best first, but the families by turns, beginning with the best one's (RFC 8305 §4). Where
/// there is another, an address without a route is left out: it must not be tried in vain.
std::vector<base::Address> in_order(
    const std::vector<base::Address>& addresses,
    std::optional<base::Address> (*source_for)(const base::Address&) noexcept) {
  std::vector<Destination> destinations;
  for (const base::Address& address : addresses) {
    if (std::ranges::find(destinations, address, &Destination::address) == destinations.end()) {
      destinations.push_back({.address = address, .source = {}});
    }
  }
  if (destinations.size() > 1) {
    for (Destination& each : destinations) each.source = source_for(each.address);
    sort_destinations(destinations);
    if (destinations.front().source) {
      std::erase_if(destinations, [](const Destination& each) { return !each.source; });
    }
  }
  std::array<std::vector<base::Address>, 2> families;
  for (const Destination& each : destinations) {
    const bool is_best = each.address.family() == destinations.front().address.family();
    families.at(is_best ? 0 : 1).push_back(each.address);
  }
  std::vector<base::Address> mixed;
  mixed.reserve(destinations.size());
  for (std::size_t i = 0; i < std::max(families[0].size(), families[1].size()); ++i) {
    for (const auto& family : families) {
      if (i < family.size()) mixed.push_back(family.at(i));
    }
  }
  return mixed;
}

/// "localhost" never leaves the machine (RFC 6761 §6.3).
bool is_localhost(std::string_view name) noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name == "localhost" || name.ends_with(".localhost");
}

seconds pause_after(unsigned failures) noexcept {
  return std::min(DnsResolver::kMaxPause, seconds(1U << std::min(failures - 1, 8U)));
}

}  // namespace

class DnsResolver::State final : private Timer {
 public:
  State(EventLoop& loop, DnsOptions options, DnsSurroundings around);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  struct Entry;
  class Half;
  class Queued : public async::Link {};
  class Wait;

  /// The entry for a name, with a lookup under way unless what it knows will do; null when the
  /// cache is full of names that are being asked for.
  enum class Type : bool { addresses, service };
  Entry* ask(std::string_view name, Type type);
  [[nodiscard]] const DnsOptions& options() const noexcept { return options_; }
  void count(Counter counter, std::uint64_t n = 1) {
    if (around_.counters != nullptr) around_.counters->add(counter, n);
  }
  EventLoop& loop() noexcept { return loop_; }

 private:
  void on_timer() noexcept override;  // named servers: are their addresses known by now?
  void begin(Entry& entry);
  [[nodiscard]] std::vector<base::Address> local_addresses(const Entry& entry);
  [[nodiscard]] bool find_servers();
  void list_candidates(Entry& entry);
  void ask_candidate(Entry& entry);
  void half_answered(Entry& entry);
  void take_half(Entry& entry);
  void take_addresses(Entry& entry);
  void take_services(Entry& entry);
  void renew(Entry& entry, seconds ttl);
  void set_addresses(Entry& entry, std::vector<base::Address> addresses, seconds ttl);
  void fail(Entry& entry, const base::Error& error);
  void miss(Entry& entry, const base::Error& error);
  void finish(Entry& entry);
  bool make_room();
  void say(Level level, const std::string& words) {
    if (around_.say) around_.say(level, words);
  }

  EventLoop& loop_;
  DnsOptions options_;
  DnsSurroundings around_;
  HostsFile hosts_;
  std::unique_ptr<DnsChannel> channel_;
  std::vector<base::Address> servers_;  // the channel's, where some are named
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_;
};

/// The part of a lookup that is about one family, or all of it for a service.
class DnsResolver::State::Half final : public DnsChannel::Question {
 public:
  static constexpr int kService = AF_UNSPEC;

  Half(Entry& entry, int of_family) noexcept : family(of_family), entry_(entry) {}
  void on_answer(DnsAnswer given) noexcept override;

  int family;
  bool asking = false;
  DnsAnswer answer;

 private:
  Entry& entry_;
};

/// What is known about a name, and who waits to know.
struct DnsResolver::State::Entry final : private Timer {
  Entry(State& owner, std::string of, Type what)
      : state(owner), name(std::move(of)), is_service(what == Type::service) {
    if (is_service) {
      halves.push_back(std::make_unique<Half>(*this, Half::kService));
      return;
    }
    if (owner.options_.ipv6) halves.push_back(std::make_unique<Half>(*this, AF_INET6));
    if (owner.options_.ipv4) halves.push_back(std::make_unique<Half>(*this, AF_INET));
  }

  State& state;
  std::string name;
  bool is_service;
  // Both empty: nothing is known.
  std::vector<base::Address> addresses;  // port 0
  std::vector<ServiceRecord> services;  // by priority
  base::TimePoint fresh_until{};
  base::TimePoint usable_until{};
  base::TimePoint ask_at{};  // no lookup before: the TTL, or the pause after a failure
  base::TimePoint used{};
  base::Error error;  // of the last lookup, if it failed
  unsigned failures = 0;  // in a row
  std::optional<base::TimePoint> gone_until;  // it has no address, but is believed to until then
  bool told = false;  // of the episode under way

  // A lookup. asking: from begin() to finish(). parked: waits for the name servers' own addresses.
  bool asking = false;
  bool parked = false;
  bool half_known = false;  // one family's addresses are there, the other is still being asked
  base::TimePoint began{};
  std::vector<std::string> candidates;
  std::size_t candidate = 0;
  std::vector<std::unique_ptr<Half>> halves;

  std::size_t users = 0;  // resolve() calls that hold a reference
  async::List<Queued> waits;

  [[nodiscard]] bool is_known() const noexcept { return !addresses.empty() || !services.empty(); }
  [[nodiscard]] bool is_usable(base::TimePoint now) const noexcept {
    return is_known() && now < usable_until;
  }
  [[nodiscard]] Resolution resolution(std::uint16_t port, base::TimePoint now) const {
    Resolution resolution;
    resolution.addresses.reserve(addresses.size());
    for (const base::Address& address : addresses) {
      resolution.addresses.push_back(address.with_port(port));
    }
    tell_age(resolution, now);
    return resolution;
  }
  void tell_age(auto& resolution, base::TimePoint now) const {
    resolution.stale = now >= fresh_until;
    resolution.failing = failures != 0;
    if (resolution.stale) resolution.overdue = now - fresh_until;
    resolution.ttl = resolution.stale
                         ? kMinTtl
                         : std::max(kMinTtl, std::chrono::ceil<seconds>(fresh_until - now));
  }
  void wait_for_other_family() {
    state.loop_.timers().set(*this, state.loop_.now() + kOtherFamilyDelay);
  }
  void stop_waiting() { Timer::unlink(); }

 private:
  void on_timer() noexcept override { state.take_half(*this); }
};

/// Somebody who waits until the lookup of an entry has ended.
class DnsResolver::State::Wait final : public Queued, public Timer, public async::Cancellable {
 public:
  Wait(Entry& entry, base::Deadline deadline) noexcept : entry_(entry), deadline_(deadline) {}

  [[nodiscard]] bool await_ready() const noexcept { return !entry_.asking || entry_.half_known; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    async::Scope* scope = self.promise().scope;
    if (scope != nullptr && !scope->enlist(*this, async::Scope::Waiting::busy)) {
      result_ = base::fail(ErrorCode::cancelled);
      return false;
    }
    handle_ = self;
    entry_.waits.push_back(*this);
    entry_.state.loop().timers().set(*this, deadline_);
    return true;
  }
  [[nodiscard]] base::Result<void> await_resume() const noexcept { return result_; }

  void on_timer() noexcept override { finish(base::fail(ErrorCode::timed_out, "resolving")); }
  void cancel() noexcept override { finish(base::fail(ErrorCode::cancelled)); }
  void finish(base::Result<void> result) noexcept {
    result_ = result;
    Queued::unlink();
    Timer::unlink();
    Cancellable::unlink();
    async::Executor::current().post(handle_);
  }

 private:
  Entry& entry_;
  base::Deadline deadline_;
  std::coroutine_handle<> handle_;
  base::Result<void> result_;
};

void DnsResolver::State::Half::on_answer(DnsAnswer given) noexcept {
  answer = std::move(given);
  asking = false;
  entry_.state.half_answered(entry_);
}

DnsResolver::State::State(EventLoop& loop, DnsOptions options, DnsSurroundings around)
    : loop_(loop),
      options_(std::move(options)),
      around_(std::move(around)),
      hosts_(around_.hosts_file),
      channel_(std::move(around_.channel)) {
  if (channel_ != nullptr) return;
  channel_ = std::make_unique<AresChannel>(
      loop_, AresChannel::Options{.servers = options_.servers,
                                  .resolv_conf = around_.resolv_conf,
                                  .resolv_conf_port = around_.resolv_conf_port,
                                  .query_timeout = options_.query_timeout,
                                  .tries = options_.tries});
}

DnsResolver::State::~State() {
  for (const auto& [name, entry] : entries_) CHECK(entry->users == 0);
}

// Entries.

bool DnsResolver::State::make_room() {
  if (entries_.size() < options_.max_names) return true;
  auto oldest = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    const Entry& entry = *at->second;
    if (entry.asking || entry.users != 0) continue;
    if (oldest == entries_.end() || entry.used < oldest->second->used) oldest = at;
  }
  count(Counter::limit_dns_names);
  if (oldest == entries_.end()) return false;
  entries_.erase(oldest);
  return true;
}

DnsResolver::State::Entry* DnsResolver::State::ask(std::string_view name, Type type) {
  const std::string lower = base::lower(name);
  // No name has a space.
  const std::string key = type == Type::service ? "SRV " + lower : lower;
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (!make_room()) return nullptr;
    found = entries_.emplace(key, std::make_unique<Entry>(*this, lower, type)).first;
  }
  Entry& entry = *found->second;
  entry.used = loop_.now();
  if (!entry.asking && loop_.now() >= entry.ask_at) begin(entry);
  return &entry;
}

// A lookup: begin → (park) → each candidate, both families → finish.

std::vector<base::Address> DnsResolver::State::local_addresses(const Entry& entry) {
  if (entry.is_service) return {};
  if (options_.is_system()) {
    if (const auto* known = hosts_.find(entry.name, loop_.now())) return *known;
  }
  std::vector<base::Address> addresses;
  if (!is_localhost(entry.name)) return addresses;
  if (options_.ipv6) addresses.push_back(*base::Address::from_ip("::1", 0));
  if (options_.ipv4) addresses.push_back(*base::Address::from_ip("127.0.0.1", 0));
  return addresses;
}

void DnsResolver::State::begin(Entry& entry) {
  entry.asking = true;
  entry.began = loop_.now();
  // Written down on this machine: looked at again a second later, which costs nothing.
  if (auto local = local_addresses(entry); !local.empty()) {
    set_addresses(entry, std::move(local), kMinTtl);
    return finish(entry);
  }
  count(Counter::dns_lookups);
  if (!find_servers()) {
    entry.parked = true;
    loop_.timers().set(*this, loop_.now() + kLookForServersEvery);
    return;
  }
  list_candidates(entry);
  ask_candidate(entry);
}

bool DnsResolver::State::find_servers() {
  if (options_.named_servers.empty()) return true;
  std::vector<base::Address> servers = options_.servers;
  for (const NamedServer& named : options_.named_servers) {
    if (around_.system == nullptr) break;
    if (const auto known = around_.system->known(named.host, named.port)) {
      servers.insert(servers.end(), known->addresses.begin(), known->addresses.end());
    }
  }
  if (servers.empty()) return false;
  if (!std::ranges::is_permutation(servers, servers_)) {
    servers_ = servers;
    channel_->set_servers(std::move(servers));
  }
  return true;
}

void DnsResolver::State::on_timer() noexcept {
  const bool found = find_servers();
  bool more = false;
  for (const auto& [name, entry] : entries_) {
    if (!entry->parked) continue;
    if (found) {
      entry->parked = false;
      list_candidates(*entry);
      ask_candidate(*entry);
    } else if (loop_.now() - entry->began >= kServerNameWait) {
      entry->parked = false;
      fail(*entry, {.code = ErrorCode::unavailable,
                    .context = "the name of the name server could not be resolved"});
      finish(*entry);
    } else {
      more = true;
    }
  }
  if (more) loop_.timers().set(*this, loop_.now() + kLookForServersEvery);
}

void DnsResolver::State::list_candidates(Entry& entry) {
  entry.candidate = 0;
  entry.candidates = {entry.name};
  if (!options_.is_system() || entry.is_service || entry.name.ends_with('.')) return;
  const DnsChannel::Search& search = channel_->search();
  const bool as_is_first = std::ranges::count(entry.name, '.') >= search.ndots;
  if (!as_is_first) entry.candidates.clear();
  for (const std::string& domain : search.domains) {
    if (entry.candidates.size() + 1 >= kMaxCandidates) break;
    entry.candidates.push_back(entry.name + "." + domain);
  }
  if (!as_is_first) entry.candidates.push_back(entry.name);
}

void DnsResolver::State::ask_candidate(Entry& entry) {
  const std::string name = entry.candidates.at(entry.candidate);
  for (const auto& half : entry.halves) half->asking = true;
  // The last answer may come, and end the lookup, before the last ask() returns.
  if (entry.is_service) return channel_->ask_service(name, *entry.halves.front());
  for (const auto& half : entry.halves) channel_->ask(name, half->family, *half);
}

void DnsResolver::State::half_answered(Entry& entry) {
  const auto is = [&entry](Kind kind) {
    return std::ranges::find(entry.halves, kind,
                             [](const auto& half) { return half->answer.kind; });
  };
  if (std::ranges::any_of(entry.halves, [](const auto& half) { return half->asking; })) {
    const auto found = std::ranges::find_if(entry.halves, [](const auto& half) {
      return !half->asking && half->answer.kind == Kind::records;
    });
    if (found != entry.halves.end() && entry.addresses.empty()) entry.wait_for_other_family();
    return;
  }
  entry.stop_waiting();
  const auto none = entry.halves.end();
  if (is(Kind::records) != none) {
    entry.is_service ? take_services(entry) : take_addresses(entry);
  } else if (const auto failed = is(Kind::failure); failed != none) {
    fail(entry, (*failed)->answer.error);
  } else if (++entry.candidate < entry.candidates.size()) {
    return ask_candidate(entry);
  } else {
    const auto gone = is(Kind::no_such_name);
    miss(entry, (gone != none ? *gone : entry.halves.front())->answer.error);
  }
  finish(entry);
}

void DnsResolver::State::take_half(Entry& entry) {
  std::vector<base::Address> addresses;
  for (const auto& half : entry.halves) {
    if (!half->asking && half->answer.kind == Kind::records) addresses = half->answer.addresses;
  }
  if (addresses.size() > options_.max_addresses) addresses.resize(options_.max_addresses);
  entry.addresses = std::move(addresses);
  entry.fresh_until = loop_.now();  // known to be incomplete: asked about again soon
  entry.usable_until = entry.fresh_until + kStaleLimit;
  entry.half_known = true;
  while (!entry.waits.empty()) static_cast<Wait&>(entry.waits.front()).finish({});
}

void DnsResolver::State::take_addresses(Entry& entry) {
  std::vector<base::Address> all;
  seconds ttl = kMaxTtl;
  for (const auto& half : entry.halves) {
    if (half->answer.kind == Kind::records) {
      all.insert(all.end(), half->answer.addresses.begin(), half->answer.addresses.end());
      ttl = std::min(ttl, half->answer.ttl);
    } else if (half->answer.kind == Kind::failure) {
      std::ranges::copy_if(entry.addresses, std::back_inserter(all),
                           [&](const auto& address) { return address.family() == half->family; });
      ttl = std::min(ttl, kPartialTtl);
    }
  }
  set_addresses(entry, std::move(all), options_.valid.value_or(ttl));
}

void DnsResolver::State::set_addresses(Entry& entry, std::vector<base::Address> addresses,
                                       seconds ttl) {
  addresses = in_order(addresses, around_.source_for);
  if (addresses.size() > options_.max_addresses) {
    count(Counter::limit_dns_addresses, addresses.size() - options_.max_addresses);
    addresses.resize(options_.max_addresses);
  }
  entry.addresses = std::move(addresses);
  renew(entry, ttl);
}

void DnsResolver::State::take_services(Entry& entry) {
  DnsAnswer& answer = entry.halves.front()->answer;
  std::vector<ServiceRecord>& records = answer.services;
  std::ranges::sort(records, {}, &ServiceRecord::priority);
  if (records.size() > options_.max_addresses) {
    count(Counter::limit_dns_addresses, records.size() - options_.max_addresses);
    records.resize(options_.max_addresses);
  }
  entry.services = std::move(records);
  renew(entry, options_.valid.value_or(answer.ttl));
}

/// What it knows is new.
void DnsResolver::State::renew(Entry& entry, seconds ttl) {
  if (entry.told) say(Level::notice, fmt::format("{} is resolved again", entry.name));
  ttl = std::clamp(ttl, kMinTtl, options_.valid ? std::max(*options_.valid, kMinTtl) : kMaxTtl);
  entry.ask_at = entry.fresh_until = loop_.now() + ttl;
  entry.usable_until = entry.fresh_until + kStaleLimit;
  entry.failures = 0;
  entry.gone_until.reset();
  entry.told = false;
}

/// Nobody could say anything: what was known stays.
void DnsResolver::State::fail(Entry& entry, const base::Error& error) {
  entry.error = error;
  entry.ask_at = loop_.now() + pause_after(++entry.failures);
  count(Counter::dns_failures);
  if (error.is(ErrorCode::timed_out)) count(Counter::dns_timeouts);
  if (!entry.is_known()) return;
  count(Counter::dns_stale);
  if (std::exchange(entry.told, true)) return;
  say(Level::error,
      fmt::format("{} could not be resolved again ({}): its old addresses stay in use", entry.name,
                  error.context));
}

/// It has no address, say those who should know.
void DnsResolver::State::miss(Entry& entry, const base::Error& error) {
  const base::TimePoint now = loop_.now();
  entry.error = error;
  entry.ask_at = now + pause_after(++entry.failures);
  count(Counter::dns_failures);
  if (!entry.is_known()) return;
  if (!entry.gone_until) {
    entry.gone_until = now + kGoneGrace;
    if (!std::exchange(entry.told, true)) {
      say(Level::error,
          fmt::format("{} has lost its addresses ({}): the old ones stay in use for {} s",
                      entry.name, error.context, kGoneGrace.count()));
    }
  }
  if (now < *entry.gone_until) return count(Counter::dns_gone);
  entry.addresses.clear();
  entry.services.clear();
  say(Level::error, fmt::format("{} has had no addresses for {} s ({}): the old ones are given up",
                                entry.name, kGoneGrace.count(), error.context));
}

void DnsResolver::State::finish(Entry& entry) {
  entry.asking = false;
  entry.half_known = false;
  for (const auto& half : entry.halves) half->answer = {};
  while (!entry.waits.empty()) static_cast<Wait&>(entry.waits.front()).finish({});
}

// The public side.

DnsResolver::DnsResolver(EventLoop& loop, DnsOptions options, DnsSurroundings around)
    : state_(std::make_unique<State>(loop, std::move(options), std::move(around))) {}
DnsResolver::~DnsResolver() = default;

namespace {

Resolution literal(const base::Address& address) {
  return {.addresses = {address}, .ttl = DnsResolver::kMaxTtl};
}
bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kMaxNameLength &&
         std::ranges::none_of(name, [](char c) { return c <= ' ' || c == 0x7f || c == '/'; });
}

}  // namespace

async::Task<base::Result<Resolution>> DnsResolver::resolve(std::string name, std::uint16_t port,
                                                           base::Deadline deadline) {
  if (const auto address = base::Address::from_ip(name, port)) co_return literal(*address);
  if (!is_name(name)) co_return base::fail(ErrorCode::invalid, "invalid host name");
  State::Entry* entry = state_->ask(name, State::Type::addresses);
  if (entry == nullptr) co_return base::fail(ErrorCode::exhausted, "too many names to resolve");
  ++entry->users;
  const base::Result<void> waited = co_await State::Wait(*entry, deadline);
  --entry->users;
  const base::TimePoint now = state_->loop().now();
  if (!waited && waited.error().is(ErrorCode::cancelled)) co_return base::fail(waited.error());
  if (entry->is_usable(now)) co_return entry->resolution(port, now);
  co_return base::fail(waited ? entry->error : waited.error());
}

std::optional<Resolution> DnsResolver::known(std::string_view name, std::uint16_t port) {
  if (const auto address = base::Address::from_ip(name, port)) return literal(*address);
  if (!is_name(name)) return std::nullopt;
  const State::Entry* entry = state_->ask(name, State::Type::addresses);
  const base::TimePoint now = state_->loop().now();
  if (entry == nullptr || !entry->is_usable(now)) return std::nullopt;
  return entry->resolution(port, now);
}

std::optional<ServiceResolution> DnsResolver::known_service(std::string_view name) {
  if (!is_name(name)) return std::nullopt;
  const State::Entry* entry = state_->ask(name, State::Type::service);
  const base::TimePoint now = state_->loop().now();
  if (entry == nullptr || !entry->is_usable(now)) return std::nullopt;
  ServiceResolution resolution;
  entry->tell_age(resolution, now);
  // Asking for hosts may take the entry's room.
  const std::vector<ServiceRecord> records = entry->services;
  for (const ServiceRecord& record : records) {
    const auto host = known(record.target, record.port);
    if (!host) {
      resolution.stale = true;  // soon there may be more
      continue;
    }
    resolution.stale |= host->stale;
    resolution.failing |= host->failing;
    resolution.overdue = std::max(resolution.overdue, host->overdue);
    resolution.ttl = std::min(resolution.ttl, host->ttl);
    for (const base::Address& address : host->addresses) {
      const bool is_there =
          std::ranges::find(resolution.addresses, address, &ServiceAddress::address) !=
          resolution.addresses.end();
      if (is_there) continue;
      if (resolution.addresses.size() >= state_->options().max_addresses) {
        state_->count(Counter::limit_dns_addresses);
        continue;
      }
      resolution.addresses.push_back({.address = address,
                                      .target = record.target,
                                      .weight = record.weight,
                                      .is_first = record.priority == records.front().priority});
    }
  }
  if (resolution.addresses.empty()) return std::nullopt;
  return resolution;
}

async::Task<base::Result<ServiceResolution>> DnsResolver::resolve_service(std::string name,
                                                                          base::Deadline deadline) {
  if (!is_name(name)) co_return base::fail(ErrorCode::invalid, "invalid service name");
  State::Entry* entry = state_->ask(name, State::Type::service);
  if (entry == nullptr) co_return base::fail(ErrorCode::exhausted, "too many names to resolve");
  ++entry->users;
  const base::Result<void> waited = co_await State::Wait(*entry, deadline);
  --entry->users;
  if (!waited && waited.error().is(ErrorCode::cancelled)) co_return base::fail(waited.error());
  if (!entry->is_usable(state_->loop().now())) {
    co_return base::fail(waited ? entry->error : waited.error());
  }
  const std::vector<ServiceRecord> records = entry->services;
  // Asks for all hosts, so that the waits overlap.
  if (auto known = known_service(name); known && known->addresses.front().is_first) {
    co_return *std::move(known);
  }
  base::Error error{.code = ErrorCode::not_found, .context = "the service's hosts have no address"};
  for (const ServiceRecord& record : records) {
    const auto host = co_await resolve(record.target, record.port, deadline);
    if (host) break;
    error = host.error();
    if (error.is(ErrorCode::cancelled)) co_return base::fail(error);
  }
  if (auto known = known_service(name)) co_return *std::move(known);
  co_return base::fail(error);
}

DnsResolvers::DnsResolvers(EventLoop& loop, observe::Counters* counters, Say say)
    : loop_(loop), counters_(counters), say_(std::move(say)) {
  system_ = std::make_shared<DnsResolver>(loop_, DnsOptions{}, around());
}

DnsSurroundings DnsResolvers::around() const {
  DnsSurroundings around;
  around.counters = counters_;
  around.say = say_;
  around.system = system_;
  return around;
}

std::shared_ptr<Resolver> DnsResolvers::find(const DnsOptions& options) {
  if (options == DnsOptions{}) return system_;
  std::erase_if(configured_, [](const auto& known) { return known.second.expired(); });
  for (const auto& [known, resolver] : configured_) {
    if (known == options) return resolver.lock();
  }
  auto made = std::make_shared<DnsResolver>(loop_, options, around());
  configured_.emplace_back(options, made);
  return made;
}

}  // namespace io
