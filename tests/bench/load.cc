// bench_load: the client side of script/bench. One thread, epoll, closed loop: each connection
// sends its next request when the answer to the last has come. Except for one mode, which is open.
//
//   --mode keepalive   requests on kept connections
//   --mode connect     a connection, a full handshake (with --tls), one request, closed; again
//   --mode resume      the same, each connection resuming the session of the one before
//   --mode idle        one request on each connection, then says "ready" and holds them until stdin
//   ends
//   --mode paced       --rate N new connections a second, one request each, whatever becomes of the
//   others, until stdin ends; what became of all of them
//
// With --keys N each request has a field X-Key with one of N numbers, in scattered order.
// With --upload BYTES each request is a POST with a body of that size; its bytes are counted, too.
//
// It prints one line of JSON. With --watch PID,PID it also reports the CPU time that these
// processes took between the end of the warm-up and the end of the measurement, read at those very
// moments.
#include <arpa/inet.h>
#include <dirent.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

enum class Mode : std::uint8_t { keepalive, connect, resume, idle, paced };

struct Options {
  Mode mode = Mode::keepalive;
  std::uint16_t port = 0;
  bool tls = false;
  std::size_t connections = 32;
  double seconds = 3;
  double warmup = 0.5;
  double rate = 1000;
  std::uint64_t upload = 0;
  std::uint64_t keys = 0;
  std::string target = "/";
  std::string name = "bench.test";
  std::vector<std::string> watched;
};

struct Counts {
  std::uint64_t answers = 0;
  std::uint64_t bytes = 0;
  std::uint64_t handshakes = 0;
  std::uint64_t resumed = 0;
  std::uint64_t failures = 0;

  Counts operator-(const Counts& before) const {
    return {answers - before.answers, bytes - before.bytes, handshakes - before.handshakes,
            resumed - before.resumed, failures - before.failures};
  }
};

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};

/// CPU time of all threads of a process, in nanoseconds.
std::uint64_t cpu_time(const std::string& pid) {
  std::uint64_t total = 0;
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + pid + "/task", gone)) {
    std::uint64_t on_cpu = 0;
    std::ifstream(task.path() / "schedstat") >> on_cpu;
    total += on_cpu;
  }
  return total;
}

std::uint64_t cpu_time(const std::vector<std::string>& pids) {
  std::uint64_t total = 0;
  for (const auto& pid : pids) total += cpu_time(pid);
  return total;
}

enum class Step : std::uint8_t { waits, closed };

class Connection;

struct Load {
  Options options;
  Counts counts;
  int poll = ::epoll_create1(0);
  std::unique_ptr<SSL_CTX, SslDeleter> context;
  std::string request;
  std::size_t key_at = 0;  // where the digits of X-Key stand in `request`
  std::uint64_t next_key = 0;
  bool stopping = false;
};

/// One slot of the load: a connection, replaced by the next one when it ends.
class Connection {
 public:
  explicit Connection(Load& load) : load_(&load) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(); }

  void open() {
    close();
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(load_->options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // Its outcome shows when the socket becomes writable.
    std::ignore =
        ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (load_->context) {
      ssl_.reset(SSL_new(load_->context.get()));
      SSL_set_connect_state(ssl_.get());
      SSL_set_fd(ssl_.get(), descriptor_);
      SSL_set_tlsext_host_name(ssl_.get(), load_->options.name.c_str());
      SSL_set_app_data(ssl_.get(), this);
      if (session_) SSL_set_session(ssl_.get(), session_.get());
    }
    shaken_ = !ssl_;
    begin_request();
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = this}};
    ::epoll_ctl(load_->poll, EPOLL_CTL_ADD, descriptor_, &event);
  }

  /// Goes on as far as the socket lets it; opens the next connection when this one is done.
  void proceed() {
    if (descriptor_ < 0) return;
    if (advance() == Step::waits) return;
    const bool expected = answered_ && load_->options.mode != Mode::keepalive;
    if (!expected) ++load_->counts.failures;
    close();
    if (!load_->stopping && load_->options.mode != Mode::idle) open();
  }

  /// Once, whatever comes of it. True when it is over.
  bool proceed_once() {
    if (descriptor_ < 0) return true;
    errno = 0;
    if (advance() == Step::waits) return false;
    error_ = answered_ ? 0 : errno;
    close();
    return true;
  }
  /// Why it ended without an answer; 0: in order.
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  Clock::time_point opened;

  void keep(SSL_SESSION* session) { session_.reset(session); }
  [[nodiscard]] bool answered() const { return answered_; }

 private:
  Step advance() {
    if (!shaken_) {
      const int done = SSL_do_handshake(ssl_.get());
      if (done != 1) return again(done) ? Step::waits : Step::closed;
      shaken_ = true;
      ++load_->counts.handshakes;
      if (SSL_session_reused(ssl_.get()) != 0) ++load_->counts.resumed;
    }
    while (true) {
      if (!sent_ && !send_request())
        return errno == ENOTCONN || errno == EAGAIN ? Step::waits : Step::closed;
      const auto got = read(load_buffer());
      if (got == kAgain) return Step::waits;
      if (got <= 0) return Step::closed;
      take(std::string_view(load_buffer().data(), static_cast<std::size_t>(got)));
      if (answered_ && load_->options.mode != Mode::keepalive &&
          load_->options.mode != Mode::idle) {
        return Step::closed;
      }
      if (answered_ && load_->options.mode == Mode::keepalive) begin_request();
    }
  }

  void begin_request() {
    sent_ = answered_ = in_body_ = false;
    put_ = left_ = 0;
    head_.clear();
  }

  /// Sends what the socket takes of the request. False with errno set if that is not all.
  bool send_request() {
    static const std::string block(64 * 1024, 'x');
    if (put_ == 0 && load_->options.keys > 0) choose_key();
    const std::string_view head = load_->request;
    const std::uint64_t total = head.size() + load_->options.upload;
    while (put_ < total) {
      const bool in_head = put_ < head.size();
      const std::string_view next = in_head ? head.substr(static_cast<std::size_t>(put_))
                                            : std::string_view(block).substr(0, total - put_);
      const long put = write(next);
      if (put <= 0) return false;
      if (!in_head) load_->counts.bytes += static_cast<std::uint64_t>(put);
      put_ += static_cast<std::uint64_t>(put);
    }
    sent_ = true;
    return true;
  }

  void choose_key() {
    constexpr std::uint64_t kStride = 7'368'787;  // a prime: each key comes once in N requests
    load_->next_key = (load_->next_key + kStride) % load_->options.keys;
    fmt::format_to(load_->request.begin() + static_cast<std::ptrdiff_t>(load_->key_at), "{:010}",
                   load_->next_key);
  }

  long write(std::string_view bytes) {
    if (!ssl_) return ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    const int put = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (put <= 0) errno = again(put) ? EAGAIN : EPIPE;
    return put;
  }

  static constexpr long kAgain = -2;

  long read(std::span<char> into) {
    if (!ssl_) {
      const auto got = ::read(descriptor_, into.data(), into.size());
      if (got == 0) errno = 0;
      return got < 0 && errno == EAGAIN ? kAgain : got;
    }
    const int got = SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size()));
    return got <= 0 && again(got) ? kAgain : got;
  }

  bool again(int result) {
    const int error = SSL_get_error(ssl_.get(), result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  /// Reads one response; what comes after it is a failure that shows as a wrong answer.
  void take(std::string_view data) {
    load_->counts.bytes += data.size();
    if (!in_body_) {
      head_.append(data);
      const auto end = head_.find("\r\n\r\n");
      if (end == std::string::npos) return;
      if (!head_.starts_with("HTTP/1.1 200")) ++load_->counts.failures;
      left_ = content_length(std::string_view(head_).substr(0, end));
      data = data.substr(data.size() - (head_.size() - end - 4));
      in_body_ = true;
    }
    left_ -= std::min<std::uint64_t>(left_, data.size());
    if (left_ == 0) {
      answered_ = true;
      ++load_->counts.answers;
    }
  }

  static std::uint64_t content_length(std::string_view head) {
    constexpr std::string_view kName = "content-length:";
    const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
    const auto found = std::ranges::search(head, kName, same);
    if (found.empty()) {
      fmt::print(stderr, "bench_load: an answer without Content-Length:\n{}\n", head);
      std::exit(1);
    }
    std::string_view digits(found.end(), head.end());
    digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
    std::uint64_t value = 0;
    std::from_chars(digits.begin(), digits.end(), value);
    return value;
  }

  void close() {
    if (descriptor_ < 0) return;
    if (ssl_ && shaken_) SSL_shutdown(ssl_.get());
    ssl_.reset();
    ::close(descriptor_);
    descriptor_ = -1;
  }

  static std::span<char> load_buffer() {
    static std::array<char, 256 * 1024> buffer;
    return buffer;
  }

  Load* load_;
  int descriptor_ = -1;
  std::unique_ptr<SSL, SslDeleter> ssl_;
  std::unique_ptr<SSL_SESSION, SslDeleter> session_;
  std::string head_;
  std::uint64_t put_ = 0;  // bytes of the request that were sent
  std::uint64_t left_ = 0;  // bytes of the answer that are to come
  int error_ = 0;
  bool shaken_ = false, sent_ = false, answered_ = false, in_body_ = false;
};

int keep_session(SSL* ssl, SSL_SESSION* session) {
  static_cast<Connection*>(SSL_get_app_data(ssl))->keep(session);
  return 1;
}

void prepare(Load& load) {
  const auto& options = load.options;
  const bool once =
      options.mode == Mode::connect || options.mode == Mode::resume || options.mode == Mode::paced;
  const std::string length =
      options.upload > 0 ? fmt::format("Content-Length: {}\r\n", options.upload) : "";
  load.request =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n{}{}{}\r\n", options.upload > 0 ? "POST" : "GET",
                  options.target, options.name, options.keys > 0 ? "X-Key: 0000000000\r\n" : "",
                  length, once ? "Connection: close\r\n" : "");
  load.key_at = load.request.find("X-Key: ") + 7;
  if (options.tls) {
    load.context.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_min_proto_version(load.context.get(), TLS1_3_VERSION);
    SSL_CTX_set_mode(load.context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                             SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (options.mode == Mode::resume) {
      SSL_CTX_set_session_cache_mode(load.context.get(),
                                     SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
      SSL_CTX_sess_set_new_cb(load.context.get(), keep_session);
    } else {
      SSL_CTX_set_session_cache_mode(load.context.get(), SSL_SESS_CACHE_OFF);
    }
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

void turn(Load& load, std::chrono::milliseconds at_most) {
  std::array<epoll_event, 256> events{};
  const int ready = ::epoll_wait(load.poll, events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(at_most.count()));
  for (int i = 0; i < ready; ++i) {
    static_cast<Connection*>(events.at(static_cast<std::size_t>(i)).data.ptr)->proceed();
  }
}

void run_until(Load& load, Clock::time_point end) {
  while (Clock::now() < end) turn(load, std::chrono::milliseconds(10));
}

std::chrono::nanoseconds duration(double seconds) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

int measure(Load& load) {
  run_until(load, Clock::now() + duration(load.options.warmup));
  const auto before = load.counts;
  const auto cpu_before = cpu_time(load.options.watched);
  const auto begun = Clock::now();
  run_until(load, begun + duration(load.options.seconds));
  const auto cpu = cpu_time(load.options.watched) - cpu_before;
  const std::chrono::duration<double> took = Clock::now() - begun;
  const auto counts = load.counts - before;
  load.stopping = true;
  fmt::print(
      "{{\"answers\":{},\"bytes\":{},\"handshakes\":{},\"resumed\":{},\"failures\":{},"
      "\"seconds\":{},\"cpu_ns\":{}}}\n",
      counts.answers, counts.bytes, counts.handshakes, counts.resumed, counts.failures,
      took.count(), cpu);
  return 0;
}

int hold(Load& load, std::span<const std::unique_ptr<Connection>> connections) {
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  const auto answered = [](const auto& connection) { return connection->answered(); };
  while (!std::ranges::all_of(connections, answered) && Clock::now() < deadline &&
         load.counts.failures == 0) {
    turn(load, std::chrono::milliseconds(10));
  }
  const auto ready = std::ranges::count_if(connections, answered);
  fmt::print("{{\"answers\":{},\"failures\":{}}}\n", ready, load.counts.failures);
  std::fflush(stdout);
  while (std::getchar() != EOF) continue;
  load.stopping = true;
  return 0;
}

/// Mode::paced: connections begin when their time has come, those that are late at once.
class Pace {
 public:
  explicit Pace(Load& load) : load_(load) {}

  int run() {
    const auto began = Clock::now();
    while (!stdin_ended()) {
      const std::chrono::duration<double> since = Clock::now() - began;
      const auto due = static_cast<std::uint64_t>(since.count() * load_.options.rate);
      latest_ = std::max(latest_, due - begun_);
      // A share of what is late, so that what is under way has its turns.
      for (int burst = 0; begun_ < due && burst < 32; ++burst) begin();
      look(begun_ < due ? 0 : 1);
    }
    const std::chrono::duration<double> took = Clock::now() - began;
    for (const auto end = Clock::now() + kPatience; under_way_ > 0 && Clock::now() < end;) look(10);
    fmt::print(
        "{{\"seconds\":{},\"begun\":{},\"answered\":{},\"closed\":{},\"reset\":{},\"refused\":{},"
        "\"failed\":{},\"hanging\":{},\"wrong\":{},\"slowest_ms\":{},\"latest\":{}}}\n",
        took.count(), begun_, answered_, closed_, reset_, refused_, failed_, under_way_,
        load_.counts.failures, slowest_.count(), latest_);
    return 0;
  }

 private:
  static constexpr std::chrono::seconds kPatience{10};

  static bool stdin_ended() {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    return ::poll(&input, 1, 0) > 0;
  }

  void begin() {
    if (free_.empty()) {
      connections_.push_back(std::make_unique<Connection>(load_));
      free_.push_back(connections_.back().get());
    }
    Connection* connection = free_.back();
    free_.pop_back();
    ++begun_;
    ++under_way_;
    connection->opened = Clock::now();
    connection->open();
  }

  void look(int milliseconds) {
    std::array<epoll_event, 256> events{};
    const int ready =
        ::epoll_wait(load_.poll, events.data(), static_cast<int>(events.size()), milliseconds);
    for (int i = 0; i < ready; ++i) {
      auto* connection = static_cast<Connection*>(events.at(static_cast<std::size_t>(i)).data.ptr);
      if (connection->is_open() && connection->proceed_once()) count(*connection);
    }
  }

  void count(Connection& connection) {
    --under_way_;
    free_.push_back(&connection);
    if (connection.answered()) {
      ++answered_;
      slowest_ = std::max(slowest_, std::chrono::duration_cast<std::chrono::milliseconds>(
                                        Clock::now() - connection.opened));
      return;
    }
    switch (connection.error()) {
      case 0: ++closed_; break;
      case ECONNRESET:
      case EPIPE: ++reset_; break;
      case ECONNREFUSED: ++refused_; break;
      default: ++failed_;
    }
  }

  Load& load_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> free_;
  std::uint64_t begun_ = 0, under_way_ = 0, answered_ = 0, closed_ = 0, reset_ = 0, refused_ = 0,
                failed_ = 0;
  std::uint64_t latest_ = 0;  // how many were late at the same time, at most
  std::chrono::milliseconds slowest_{0};  // from connect() to the answer
};

template <typename T>
T parsed(std::string_view text) {
  T value{};
  if (std::from_chars(text.begin(), text.end(), value).ec != std::errc{}) {
    fmt::print(stderr, "bench_load: '{}' is not a number\n", text);
    std::exit(2);
  }
  return value;
}

Mode mode_of(std::string_view name) {
  if (name == "keepalive") return Mode::keepalive;
  if (name == "connect") return Mode::connect;
  if (name == "resume") return Mode::resume;
  if (name == "idle") return Mode::idle;
  if (name == "paced") return Mode::paced;
  fmt::print(stderr, "bench_load: no mode '{}'\n", name);
  std::exit(2);
}

void split_pids(std::string_view list, std::vector<std::string>& into) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    into.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

Options parse(std::span<char*> arguments) {
  Options options;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (name == "--tls") {
      options.tls = true;
      continue;
    }
    const std::string_view value = i + 1 < arguments.size() ? arguments[++i] : "";
    if (name == "--mode")
      options.mode = mode_of(value);
    else if (name == "--port")
      options.port = parsed<std::uint16_t>(value);
    else if (name == "--connections")
      options.connections = parsed<std::size_t>(value);
    else if (name == "--seconds")
      options.seconds = parsed<double>(value);
    else if (name == "--warmup")
      options.warmup = parsed<double>(value);
    else if (name == "--rate")
      options.rate = parsed<double>(value);
    else if (name == "--upload")
      options.upload = parsed<std::uint64_t>(value);
    else if (name == "--keys")
      options.keys = parsed<std::uint64_t>(value);
    else if (name == "--target")
      options.target = value;
    else if (name == "--name")
      options.name = value;
    else if (name == "--watch")
      split_pids(value, options.watched);
    else {
      fmt::print(stderr, "bench_load: unknown argument '{}'; see the top of load.cc\n", name);
      std::exit(2);
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  std::ignore = std::signal(SIGPIPE, SIG_IGN);
  Load load;
  load.options = parse({argv, static_cast<std::size_t>(argc)});
  prepare(load);
  if (load.options.mode == Mode::paced) return Pace(load).run();
  std::vector<std::unique_ptr<Connection>> connections;
  for (std::size_t i = 0; i < load.options.connections; ++i) {
    connections.push_back(std::make_unique<Connection>(load));
    connections.back()->open();
    // Connections are opened no faster than the peer's backlog takes them.
    if (i % 64 == 63) turn(load, std::chrono::milliseconds(1));
  }
  return load.options.mode == Mode::idle ? hold(load, connections) : measure(load);
}
