#include "io/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "async/intrusive_list.h"
#include "async/scope.h"
#include "base/check.h"
#include "base/fd.h"
#include "base/text.h"

namespace io {

using base::ErrorCode;
using std::chrono::seconds;

namespace {

/// How long an answer may serve on after its time while the name servers do not answer.
constexpr seconds kStaleLimit{24 * 3600};
constexpr std::size_t kMaxNameLength = 255;  // RFC 1035 §2.3.4

base::Error error_of(int status) noexcept {
  const auto error = [](ErrorCode code, std::string_view words) {
    return base::Error{.code = code, .context = words};
  };
  switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENONAME: return error(ErrorCode::not_found, "host not found");
    case ARES_ENODATA: return error(ErrorCode::not_found, "the host has no address");
    case ARES_EBADNAME: return error(ErrorCode::invalid, "invalid host name");
    case ARES_ETIMEOUT: return error(ErrorCode::timed_out, "name servers timed out");
    case ARES_ECONNREFUSED: return error(ErrorCode::refused, "name servers cannot be reached");
    case ARES_ESERVFAIL: return error(ErrorCode::unavailable, "server failure of the name server");
    case ARES_EREFUSED: return error(ErrorCode::unavailable, "the name server refused the query");
    case ARES_EBADRESP:
    case ARES_EFORMERR: return error(ErrorCode::protocol, "invalid answer of the name server");
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION: return error(ErrorCode::cancelled, {});
    default: return error(ErrorCode::internal, "resolving a host name");
  }
}

/// Could a packet leave for there? Sends nothing: connecting a datagram socket only finds a route.
bool has_route(const base::Address& address) noexcept {
  const base::Fd socket(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const base::Address somewhere = address.with_port(9);
  return socket && ::connect(socket.get(), somewhere.native(), somewhere.native_size()) == 0;
}

/// Where both families are in an answer, a machine without one of them must not try it in vain.
void drop_unreachable_family(std::vector<base::Address>& addresses) {
  for (const int family : {AF_INET, AF_INET6}) {
    const auto is_of_family = [family](const base::Address& a) { return a.family() == family; };
    const auto one = std::ranges::find_if(addresses, is_of_family);
    if (one == addresses.end() || std::ranges::all_of(addresses, is_of_family)) continue;
    if (!has_route(*one)) std::erase_if(addresses, is_of_family);
  }
}

std::string servers_text(const std::vector<base::Address>& servers) {
  std::string text;
  for (const base::Address& server : servers) {
    if (!text.empty()) text += ',';
    text += server.text();
  }
  return text;
}

}  // namespace

class DnsResolver::State final : public Timer {
 public:
  State(EventLoop& loop, DnsOptions options) : loop_(loop), options_(std::move(options)) {}
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  base::Result<void> open();

  struct Entry;
  class Queued : public async::Link {};
  class Wait;

  /// The entry for a name, with a query under way unless what it knows will do; null when the cache
  /// is full of names that are being asked for.
  Entry* ask(std::string_view name);
  EventLoop& loop() noexcept { return loop_; }

  void on_timer() noexcept override { process(ARES_SOCKET_BAD, 0); }

 private:
  /// One socket of c-ares.
  class Watch final : public Pollable {
   public:
    Watch(State& state, int fd) noexcept : state_(state), fd_(fd) {}
    void on_events(std::uint32_t events) noexcept override { state_.process(fd_, events); }

   private:
    State& state_;
    int fd_;
  };

  static void on_socket(void* self, ares_socket_t fd, int readable, int writable);
  static void on_answer(void* entry, int status, int timeouts, ares_addrinfo* info);
  void watch(int fd, std::uint32_t events);
  void process(int fd, std::uint32_t events) noexcept;
  void arm() noexcept;
  void start(Entry& entry);
  void store(Entry& entry, int status, const ares_addrinfo* info);
  bool make_room();

  EventLoop& loop_;
  DnsOptions options_;
  ares_channel channel_ = nullptr;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_;
  std::unordered_map<int, std::pair<std::unique_ptr<Watch>, std::uint32_t>> watches_;
};

/// What is known about a name, and who waits to know.
struct DnsResolver::State::Entry {
  Entry(State& owner, std::string key) : state(owner), name(std::move(key)) {}

  State& state;
  std::string name;
  std::vector<base::Address> addresses;  // port 0; empty: nothing known, or the name is gone
  base::TimePoint fresh_until{};
  base::TimePoint usable_until{};
  base::TimePoint ask_at{};  // no query before: the TTL, or the pause after a failure
  base::TimePoint used{};
  base::Error error;  // of the last query, while there are no addresses
  bool asking = false;
  std::size_t users = 0;  // resolve() calls that hold a reference
  async::List<Queued> waits;

  [[nodiscard]] bool is_usable(base::TimePoint now) const noexcept {
    return !addresses.empty() && now < usable_until;
  }
  [[nodiscard]] Resolution resolution(std::uint16_t port, base::TimePoint now) const {
    Resolution resolution;
    resolution.addresses.reserve(addresses.size());
    for (const base::Address& address : addresses) {
      resolution.addresses.push_back(address.with_port(port));
    }
    resolution.stale = now >= fresh_until;
    resolution.ttl = resolution.stale
                         ? kMinTtl
                         : std::max(kMinTtl, std::chrono::ceil<seconds>(fresh_until - now));
    return resolution;
  }
};

/// Somebody who waits until the query of an entry has ended.
class DnsResolver::State::Wait final : public Queued, public Timer, public async::Cancellable {
 public:
  Wait(Entry& entry, base::Deadline deadline) noexcept : entry_(entry), deadline_(deadline) {}

  [[nodiscard]] bool await_ready() const noexcept { return !entry_.asking; }
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

DnsResolver::State::~State() {
  for (const auto& [name, entry] : entries_) CHECK(entry->users == 0);
  if (channel_ != nullptr) ares_destroy(channel_);
}

base::Result<void> DnsResolver::State::open() {
  static std::once_flag once;
  std::call_once(once, [] { CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS); });

  ares_options options{};
  options.timeout = static_cast<int>(options_.query_timeout.count());
  options.tries = options_.tries;
  options.sock_state_cb = &State::on_socket;
  options.sock_state_cb_data = this;
  int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  if (!options_.servers.empty()) {
    options.flags = ARES_FLAG_NOSEARCH;  // search domains belong to the system's own servers
    mask |= ARES_OPT_FLAGS;
  }
  if (const int status = ares_init_options(&channel_, &options, mask); status != ARES_SUCCESS) {
    channel_ = nullptr;
    return base::fail(error_of(status));
  }
  if (options_.servers.empty()) return {};
  const std::string servers = servers_text(options_.servers);
  if (const int status = ares_set_servers_ports_csv(channel_, servers.c_str());
      status != ARES_SUCCESS) {
    return base::fail(ErrorCode::invalid, "address of a name server");
  }
  return {};
}

void DnsResolver::State::on_socket(void* self, ares_socket_t fd, int readable, int writable) {
  const std::uint32_t events = (readable != 0 ? std::uint32_t{EPOLLIN} : 0U) |
                               (writable != 0 ? std::uint32_t{EPOLLOUT} : 0U);
  static_cast<State*>(self)->watch(fd, events);
}

void DnsResolver::State::watch(int fd, std::uint32_t events) {
  const auto found = watches_.find(fd);
  if (found == watches_.end()) {
    if (events == 0) return;
    auto fresh = std::make_unique<Watch>(*this, fd);
    // A socket that can't be watched is one that never answers: the query times out.
    if (loop_.add(fd, events, *fresh)) watches_.emplace(fd, std::pair(std::move(fresh), events));
    return;
  }
  Watch& watched = *found->second.first;
  if (events == 0) {
    loop_.remove(fd, watched);
    watches_.erase(found);
  } else {
    found->second.second = events;
    CHECK(loop_.modify(fd, events, watched).has_value());
  }
}

void DnsResolver::State::process(int fd, std::uint32_t events) noexcept {
  constexpr std::uint32_t kFailed = EPOLLERR | EPOLLHUP | EPOLLRDHUP;
  const ares_socket_t reads = (events & (EPOLLIN | kFailed)) != 0 ? fd : ARES_SOCKET_BAD;
  const ares_socket_t writes = (events & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD;
  ares_process_fd(channel_, reads, writes);
  // c-ares does not read until EAGAIN, which edges presume: arming again reports what is left.
  if (const auto found = watches_.find(fd); found != watches_.end()) {
    CHECK(loop_.modify(fd, found->second.second, *found->second.first).has_value());
  }
  arm();
}

void DnsResolver::State::arm() noexcept {
  timeval next{};
  if (ares_timeout(channel_, nullptr, &next) == nullptr) {
    Timer::unlink();
    return;
  }
  const auto in = seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec);
  loop_.timers().set(*this, loop_.now() + in);
}

bool DnsResolver::State::make_room() {
  if (entries_.size() < options_.max_names) return true;
  auto oldest = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    const Entry& entry = *at->second;
    if (entry.asking || entry.users != 0) continue;
    if (oldest == entries_.end() || entry.used < oldest->second->used) oldest = at;
  }
  if (oldest == entries_.end()) return false;
  entries_.erase(oldest);
  return true;
}

DnsResolver::State::Entry* DnsResolver::State::ask(std::string_view name) {
  const std::string key = base::lower(name);
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (!make_room()) return nullptr;
    found = entries_.emplace(key, std::make_unique<Entry>(*this, key)).first;
  }
  Entry& entry = *found->second;
  entry.used = loop_.now();
  if (!entry.asking && loop_.now() >= entry.ask_at) start(entry);
  return &entry;
}

void DnsResolver::State::start(Entry& entry) {
  entry.asking = true;
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT;
  hints.ai_family = options_.ipv6 ? AF_UNSPEC : AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  ares_getaddrinfo(channel_, entry.name.c_str(), nullptr, &hints, &State::on_answer, &entry);
  arm();
}

void DnsResolver::State::on_answer(void* argument, int status, int /*timeouts*/,
                                   ares_addrinfo* info) {
  Entry& entry = *static_cast<Entry*>(argument);
  if (status == ARES_EDESTRUCTION) return;
  entry.state.store(entry, status, info);
  if (info != nullptr) ares_freeaddrinfo(info);
  entry.asking = false;
  while (!entry.waits.empty()) static_cast<Wait&>(entry.waits.front()).finish({});
}

void DnsResolver::State::store(Entry& entry, int status, const ares_addrinfo* info) {
  const base::TimePoint now = loop_.now();
  std::vector<base::Address> addresses;
  seconds ttl = kMaxTtl;
  if (status == ARES_SUCCESS && info != nullptr) {
    for (const ares_addrinfo_node* node = info->nodes; node != nullptr; node = node->ai_next) {
      const auto address = base::Address::from_native(node->ai_addr, node->ai_addrlen);
      if (!address.is_ip() || std::ranges::find(addresses, address) != addresses.end()) continue;
      if (addresses.size() == options_.max_addresses) break;
      addresses.push_back(address);
      ttl = std::min(ttl, seconds(node->ai_ttl));
    }
    for (const ares_addrinfo_cname* at = info->cnames; at != nullptr; at = at->next) {
      ttl = std::min(ttl, seconds(at->ttl));
    }
    drop_unreachable_family(addresses);
    if (addresses.empty()) status = ARES_ENODATA;
  }
  if (status == ARES_SUCCESS) {
    ttl = std::clamp(ttl, kMinTtl, kMaxTtl);
    entry.addresses = std::move(addresses);
    entry.ask_at = entry.fresh_until = now + ttl;
    entry.usable_until = entry.fresh_until + kStaleLimit;
    return;
  }
  entry.error = error_of(status);
  entry.ask_at = now + kFailureTtl;
  // The name is gone, says who must know: what was known is no longer true.
  if (entry.error.is(ErrorCode::not_found)) entry.addresses.clear();
}

DnsResolver::DnsResolver(std::unique_ptr<State> state) : state_(std::move(state)) {}
DnsResolver::~DnsResolver() = default;

base::Result<std::unique_ptr<DnsResolver>> DnsResolver::make(EventLoop& loop, DnsOptions options) {
  auto state = std::make_unique<State>(loop, std::move(options));
  TRY_VOID(state->open());
  return std::unique_ptr<DnsResolver>(new DnsResolver(std::move(state)));
}

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
  State::Entry* entry = state_->ask(name);
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
  const State::Entry* entry = state_->ask(name);
  const base::TimePoint now = state_->loop().now();
  if (entry == nullptr || !entry->is_usable(now)) return std::nullopt;
  return entry->resolution(port, now);
}

}  // namespace io
