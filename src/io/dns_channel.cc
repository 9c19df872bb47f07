#include "io/dns_channel.h"

#include <ares.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/check.h"

namespace io {

using base::ErrorCode;
using std::chrono::seconds;

namespace {

// RFC 1035 §3.2.4, RFC 2782.
constexpr int kInternetClass = 1;
constexpr int kServiceType = 33;

// Of one answer, which may have thousands: more than any setting takes, and soon sorted.
constexpr std::size_t kMostAddresses = 256;

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
    default: return error(ErrorCode::internal, "resolving a host name");
  }
}

DnsAnswer::Kind kind_of(int status) noexcept {
  switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENONAME: return DnsAnswer::Kind::no_such_name;
    case ARES_ENODATA: return DnsAnswer::Kind::empty;
    default: return DnsAnswer::Kind::failure;
  }
}

DnsAnswer answer_of(int status, const ares_addrinfo* info) {
  DnsAnswer answer;
  if (status == ARES_SUCCESS && info != nullptr) {
    seconds ttl = seconds::max();
    for (const ares_addrinfo_node* node = info->nodes;
         node != nullptr && answer.addresses.size() < kMostAddresses; node = node->ai_next) {
      const auto address = base::Address::from_native(node->ai_addr, node->ai_addrlen);
      if (!address.is_ip()) continue;
      answer.addresses.push_back(address);
      ttl = std::min(ttl, seconds(std::max(node->ai_ttl, 0)));
    }
    for (const ares_addrinfo_cname* at = info->cnames; at != nullptr; at = at->next) {
      ttl = std::min(ttl, seconds(std::max(at->ttl, 0)));
    }
    answer.ttl = ttl;
    if (answer.addresses.empty()) status = ARES_ENODATA;
  } else if (status == ARES_SUCCESS) {
    status = ARES_ENODATA;
  }
  if (status == ARES_SUCCESS) {
    answer.kind = DnsAnswer::Kind::records;
  } else {
    answer.kind = kind_of(status);
    answer.error = error_of(status);
  }
  return answer;
}

DnsAnswer service_answer_of(int status, std::string_view message) {
  if (status == ARES_SUCCESS) {
    auto read = parse_service_records(message);
    if (!read) return {.error = read.error()};
    if (!read->records.empty()) {
      return {
          .kind = DnsAnswer::Kind::records, .services = std::move(read->records), .ttl = read->ttl};
    }
    status = ARES_ENODATA;
  }
  const DnsAnswer::Kind kind = kind_of(status);
  if (kind != DnsAnswer::Kind::empty) return {.kind = kind, .error = error_of(status)};
  return {.kind = kind, .error = {.code = ErrorCode::not_found, .context = "no such service"}};
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

class AresChannel::State final : private Timer {
 public:
  State(EventLoop& loop, Options options) : loop_(loop), options_(std::move(options)) { open(); }
  ~State() { close(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// `family` kServices asks for SRV records.
  void ask(std::string name, int family, Question& question);
  [[nodiscard]] const Search& search() {
    look_at_file();
    return search_;
  }
  void set_servers(std::vector<base::Address> servers) {
    options_.servers = std::move(servers);
    changed_ = true;
    reopen_if_changed();
  }

  static constexpr int kServices = AF_UNSPEC;

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
  /// A question on its way through c-ares.
  struct Query {
    Query(State& of, Question& asked, std::string name_asked, int wanted)
        : state(of), question(asked), name(std::move(name_asked)), family(wanted) {}
    State& state;
    Question& question;
    std::string name;
    int family;
  };

  static void on_socket(void* self, ares_socket_t fd, int readable, int writable);
  static void on_answer(void* query, int status, int timeouts, ares_addrinfo* info);
  static void on_service_answer(void* query, int status, int timeouts, unsigned char* message,
                                int size);
  /// Whether it ended with the channel, and is perhaps asked again.
  [[nodiscard]] static bool was_cut_off(std::unique_ptr<Query>& query, int status);
  void on_timer() noexcept override { process(ARES_SOCKET_BAD, 0); }
  void open();
  void close();
  void read_search();
  void look_at_file();
  void reopen_if_changed();
  void send(std::unique_ptr<Query> query);
  void watch(int fd, std::uint32_t events);
  void process(int fd, std::uint32_t events) noexcept;
  void arm() noexcept;

  EventLoop& loop_;
  Options options_;
  ares_channel channel_ = nullptr;  // null: could not be opened
  Search search_;
  std::unordered_map<int, std::pair<std::unique_ptr<Watch>, std::uint32_t>> watches_;
  std::vector<std::unique_ptr<Query>> to_ask_again_;
  FileStamp stamp_;  // of resolv.conf
  base::TimePoint look_at_{};
  bool changed_ = false;  // the servers are others than the channel's
  bool reopening_ = false;
  int depth_ = 0;  // calls of c-ares under way: no channel is closed inside one
};

void AresChannel::State::open() {
  static std::once_flag once;
  std::call_once(once, [] { CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS); });

  const bool system = options_.servers.empty();
  std::string lookups = "b";  // no hosts file
  ares_options options{};
  options.timeout = static_cast<int>(options_.query_timeout.count());
  options.tries = options_.tries;
  options.sock_state_cb = &State::on_socket;
  options.sock_state_cb_data = this;
  options.lookups = lookups.data();
  options.flags = ARES_FLAG_NOSEARCH;  // names are absolute here
  int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS |
             ARES_OPT_FLAGS;
  if (!options_.resolv_conf.empty()) {
    options.resolvconf_path = options_.resolv_conf.data();
    mask |= ARES_OPT_RESOLVCONF;
  }
  if (system && options_.resolv_conf_port != 53) {
    options.udp_port = options.tcp_port = options_.resolv_conf_port;
    mask |= ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT;
  }
  if (!system) mask |= ARES_OPT_ROTATE;  // as nginx: one server after the other
  changed_ = false;
  if (system) {
    stamp_ =
        FileStamp::of(options_.resolv_conf.empty() ? "/etc/resolv.conf" : options_.resolv_conf);
    look_at_ = loop_.now() + HostsFile::kLookEvery;
  }
  if (ares_init_options(&channel_, &options, mask) != ARES_SUCCESS) {
    channel_ = nullptr;
    return;
  }
  if (system) return read_search();
  const std::string servers = servers_text(options_.servers);
  if (ares_set_servers_ports_csv(channel_, servers.c_str()) != ARES_SUCCESS) close();
}

void AresChannel::State::read_search() {
  search_ = {};
  ares_options options{};
  int mask = 0;
  if (ares_save_options(channel_, &options, &mask) == ARES_SUCCESS) {
    search_.ndots = options.ndots;
    for (int i = 0; i < options.ndomains; ++i) search_.domains.emplace_back(options.domains[i]);
  }
  ares_destroy_options(&options);
}

void AresChannel::State::close() {
  if (channel_ == nullptr) return;
  ++depth_;
  ares_destroy(channel_);  // answers what is under way with ARES_EDESTRUCTION
  --depth_;
  channel_ = nullptr;
  Timer::unlink();
}

void AresChannel::State::look_at_file() {
  if (!options_.servers.empty() || loop_.now() < look_at_) return;
  look_at_ = loop_.now() + HostsFile::kLookEvery;
  const FileStamp now =
      FileStamp::of(options_.resolv_conf.empty() ? "/etc/resolv.conf" : options_.resolv_conf);
  if (now != stamp_ || channel_ == nullptr) changed_ = true;
  reopen_if_changed();
}

void AresChannel::State::reopen_if_changed() {
  if (!changed_ || depth_ != 0) return;
  reopening_ = true;
  close();
  reopening_ = false;
  open();
  for (auto& query : std::exchange(to_ask_again_, {})) send(std::move(query));
}

void AresChannel::State::ask(std::string name, int family, Question& question) {
  look_at_file();
  send(std::make_unique<Query>(*this, question, std::move(name), family));
}

void AresChannel::State::send(std::unique_ptr<Query> query) {
  if (channel_ == nullptr) {
    return query->question.on_answer(
        {.error = {.code = ErrorCode::unavailable, .context = "no name servers are known"}});
  }
  if (query->family == kServices) {
    const std::string service = query->name;
    ++depth_;
    ares_query(channel_, service.c_str(), kInternetClass, kServiceType, &State::on_service_answer,
               query.release());
    --depth_;
    return arm();
  }
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT;  // the resolver does that, of both families together
  hints.ai_family = query->family;
  hints.ai_socktype = SOCK_STREAM;
  const std::string name = query->name;
  ++depth_;
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &State::on_answer, query.release());
  --depth_;
  arm();
}

void AresChannel::State::on_answer(void* argument, int status, int /*timeouts*/,
                                   ares_addrinfo* info) {
  std::unique_ptr<Query> query(static_cast<Query*>(argument));
  if (was_cut_off(query, status)) return;
  DnsAnswer answer = answer_of(status, info);
  if (info != nullptr) ares_freeaddrinfo(info);
  query->question.on_answer(std::move(answer));
}

void AresChannel::State::on_service_answer(void* argument, int status, int /*timeouts*/,
                                           unsigned char* message, int size) {
  std::unique_ptr<Query> query(static_cast<Query*>(argument));
  if (was_cut_off(query, status)) return;
  const std::string_view bytes(reinterpret_cast<const char*>(message),
                               message != nullptr ? static_cast<std::size_t>(size) : 0);
  query->question.on_answer(service_answer_of(status, bytes));
}

bool AresChannel::State::was_cut_off(std::unique_ptr<Query>& query, int status) {
  if (status != ARES_EDESTRUCTION && status != ARES_ECANCELLED) return false;
  State& state = query->state;
  if (state.reopening_) state.to_ask_again_.push_back(std::move(query));
  return true;
}

void AresChannel::State::on_socket(void* self, ares_socket_t fd, int readable, int writable) {
  const std::uint32_t events = (readable != 0 ? std::uint32_t{EPOLLIN} : 0U) |
                               (writable != 0 ? std::uint32_t{EPOLLOUT} : 0U);
  static_cast<State*>(self)->watch(fd, events);
}

void AresChannel::State::watch(int fd, std::uint32_t events) {
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

void AresChannel::State::process(int fd, std::uint32_t events) noexcept {
  constexpr std::uint32_t kFailed = EPOLLERR | EPOLLHUP | EPOLLRDHUP;
  const ares_socket_t reads = (events & (EPOLLIN | kFailed)) != 0 ? fd : ARES_SOCKET_BAD;
  const ares_socket_t writes = (events & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD;
  ++depth_;
  ares_process_fd(channel_, reads, writes);
  --depth_;
  // c-ares does not read until EAGAIN, which edges presume: arming again reports what is left.
  if (const auto found = watches_.find(fd); found != watches_.end()) {
    CHECK(loop_.modify(fd, found->second.second, *found->second.first).has_value());
  }
  arm();
  reopen_if_changed();
}

void AresChannel::State::arm() noexcept {
  timeval next{};
  if (channel_ == nullptr || ares_timeout(channel_, nullptr, &next) == nullptr) {
    Timer::unlink();
    return;
  }
  const auto in = seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec);
  loop_.timers().set(*this, loop_.now() + in);
}

AresChannel::AresChannel(EventLoop& loop, Options options)
    : state_(std::make_unique<State>(loop, std::move(options))) {}
AresChannel::~AresChannel() = default;

void AresChannel::ask(std::string name, int family, Question& question) {
  state_->ask(std::move(name), family, question);
}
void AresChannel::ask_service(std::string name, Question& question) {
  state_->ask(std::move(name), State::kServices, question);
}
const DnsChannel::Search& AresChannel::search() { return state_->search(); }
void AresChannel::set_servers(std::vector<base::Address> servers) {
  state_->set_servers(std::move(servers));
}

}  // namespace io
