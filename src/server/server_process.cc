#include "server/server_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "observe/error_log.h"
#include "observe/journal.h"
#include "server/admin.h"
#include "server/channel.h"
#include "server/crash_report.h"
#include "server/daemon.h"
#include "server/holder.h"
#include "server/messages.h"
#include "server/privileges.h"
#include "server/server.h"
#include "server/signals.h"
#include "server/succession.h"
#include "tls/ticket_secret.h"

namespace server {
namespace {

constexpr int kChannelDescriptor = 3;
constexpr std::chrono::seconds kPatience{30};
// How often a process that ends says how many connections it has left, if that has changed.
constexpr std::chrono::seconds kDrainingPause{1};
// A worker that hangs must not keep a process alive that was told to end at once.
constexpr unsigned kTerminateSeconds = 10;

base::Deadline soon() { return std::chrono::steady_clock::now() + kPatience; }

/// The supervisor's; one of its own if that can't be had: then sessions end with this process.
tls::TicketSecret ticket_secret(base::Fd file) {
  const base::TimePoint now = std::chrono::steady_clock::now();
  auto secret = tls::TicketSecret::take(std::move(file), now);
  if (secret) return *std::move(secret);
  fmt::print(stderr, "{}",
             observe::for_stderr(fmt::format("sallyport: [alert] server process: {}\n",
                                             base::describe(secret.error()))));
  return tls::TicketSecret::make(now);
}

class Watched final : public io::Pollable {
 public:
  explicit Watched(std::function<void()> then) : then_(std::move(then)) {}
  void on_events(std::uint32_t /*events*/) noexcept override { then_(); }

 private:
  std::function<void()> then_;
};

class ServerProcess final : private io::Pollable, private io::Timer {
 public:
  /// `holder` may be null; it outlives this.
  ServerProcess(Channel channel, base::Fd taker, const Holder* holder, Configure first);
  int run();

 private:
  void on_events(std::uint32_t events) noexcept override;
  void on_timer() noexcept override;
  [[nodiscard]] bool has_message() const;
  void take_message();
  void configure(Configure message);
  void answer(const Answer& message);
  void reject(std::uint64_t generation, std::string why) {
    answer({.type = MessageType::rejected, .generation = generation, .text = std::move(why)});
  }
  void use_logs(std::vector<snapshot::ReopenedLog> logs);
  void begin_inheriting();
  void stop_inheriting();
  void inherit();
  void on_holder_end();
  void quit();
  void terminate(int status);

  Channel channel_;
  base::Fd taker_;  // of connections that processes before this one have left
  const Holder* holder_;
  base::SystemClock clock_;
  io::EventLoop control_;
  ProcessFacts facts_;
  Server server_;
  std::unique_ptr<Admin> admin_;
  std::shared_ptr<const observe::ErrorLog> log_;  // the newest configuration's
  Watched inheritance_{[this] { inherit(); }};
  Watched holder_end_{[this] { on_holder_end(); }};
  bool inherits_ = false;
  bool adopting_ = false;
  bool ending_ = false;
  std::optional<std::uint64_t> told_connections_;
  int exit_status_ = 0;
};

ServerProcess::ServerProcess(Channel channel, base::Fd taker, const Holder* holder, Configure first)
    : channel_(std::move(channel)),
      taker_(std::move(taker)),
      holder_(holder),
      control_(clock_),
      facts_{.supervisor = ::getppid(),
             .server = ::getpid(),
             .restarts = first.restarts,
             .started = clock_.wall(),
             .owner = ::getuid()},
      server_(clock_, control_, first.workers, ticket_secret(std::move(first.ticket_secret))) {
  if (first.admin_socket) {
    auto admin = Admin::start(control_, first.admin_socket.duplicate(), server_, facts_);
    if (admin) admin_ = std::move(*admin);
  }
  control_.post([this, message = std::move(first)]() mutable { configure(std::move(message)); });
}

int ServerProcess::run() {
  if (!control_.add(channel_.fd(), EPOLLIN | EPOLLRDHUP, *this)) return 1;
  control_.run();
  control_.remove(channel_.fd(), *this);
  stop_inheriting();
  if (holder_ != nullptr) control_.remove(holder_->descriptor(), holder_end_);
  return exit_status_;
}

void ServerProcess::on_events(std::uint32_t /*events*/) noexcept {
  // Not from within the hand-out: loading a configuration takes long.
  control_.post([this] { take_message(); });
}

bool ServerProcess::has_message() const {
  char next = 0;
  return ::recv(channel_.fd(), &next, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

void ServerProcess::take_message() {
  // An event and the look below may both have announced the same message.
  if (!has_message()) return;
  auto message = channel_.receive(kConfigureLimits, soon());
  // The supervisor is gone, or what it says makes no sense.
  if (!message) return terminate(1);
  switch (static_cast<MessageType>(message->type)) {
    case MessageType::configure: {
      auto decoded = decode_configure(std::move(*message));
      if (!decoded) return terminate(1);
      configure(std::move(*decoded));
      break;
    }
    case MessageType::retire:
      if (admin_) admin_->stop();
      quit();
      break;
    case MessageType::use_logs: {
      auto logs = decode_logs(std::move(*message));
      if (!logs) return terminate(1);
      use_logs(std::move(*logs));
      break;
    }
    case MessageType::quit: quit(); break;
    case MessageType::ask:
      server_.ask(
          [this] { answer({.type = MessageType::alive, .generation = server_.generation()}); });
      break;
    case MessageType::inform: {
      auto facts = decode_facts(*message);
      if (!facts) return terminate(1);
      facts_.instance = *std::move(facts);
      answer({.type = MessageType::informed});
      break;
    }
    case MessageType::terminate: terminate(0); break;
    default: return terminate(1);
  }
  // Edge-triggered: another message may have come already.
  if (has_message()) control_.post([this] { take_message(); });
}

void ServerProcess::configure(Configure message) {
  const std::uint64_t number = message.generation;
  if (adopting_) return reject(number, "another one is being adopted");
  config::Diagnostics diagnostics;
  config::ReceivedFiles files(message.prefixes, std::move(message.files));
  Generation generation{.number = number,
                        .snapshot = snapshot::load(message.load, files, diagnostics),
                        .listeners = std::move(message.listeners)};
  if (generation.snapshot == nullptr || diagnostics.has_errors()) {
    return reject(number, diagnostics.render());
  }
  log_ = generation.snapshot->error_log;
  redirect_stderr(*log_);
  if (generation.snapshot->process.machine.core_size.value_or(0) > 0) allow_core_dumps();
  adopting_ = true;
  server_.adopt(std::move(generation), [this, number](std::expected<void, std::string> adopted) {
    adopting_ = false;
    if (adopted) {
      begin_inheriting();
      answer({.type = MessageType::ready, .generation = number});
    } else {
      reject(number, adopted.error());
    }
  });
}

void ServerProcess::answer(const Answer& message) {
  if (!send_answer(channel_, message, soon())) terminate(1);
}

void ServerProcess::use_logs(std::vector<snapshot::ReopenedLog> logs) {
  server_.reopen_logs(std::move(logs), [this] {
    if (log_ != nullptr) redirect_stderr(*log_);
  });
}

/// Once there are listeners to take for.
void ServerProcess::begin_inheriting() {
  if (std::exchange(inherits_, true) || ending_) return;
  if (holder_ != nullptr) {
    static_cast<void>(control_.add(holder_->descriptor(), EPOLLIN, holder_end_));
  }
  if (taker_) static_cast<void>(control_.add(taker_.get(), EPOLLIN, inheritance_));
}

void ServerProcess::stop_inheriting() {
  if (taker_) control_.remove(taker_.get(), inheritance_);
  taker_.close();
}

void ServerProcess::inherit() {
  std::size_t count = 0;
  while (true) {
    auto connection = take(taker_.get());
    if (!connection) break;
    if (!*connection) continue;
    server_.take_over(std::move(*connection));
    ++count;
  }
  if (count == 0) return;
  log_->write(observe::Level::notice,
              fmt::format("connections taken over from a server process that died: {}", count));
}

void ServerProcess::on_holder_end() {
  control_.remove(holder_->descriptor(), holder_end_);
  if (ending_) return;
  log_->write(observe::Level::warn,
              fmt::format("the holder process {} has ended: should this server process be killed, "
                          "clients whose requests it has not read yet see a reset",
                          holder_->pid()));
}

void ServerProcess::on_timer() noexcept {
  const std::uint64_t left = server_.connections();
  if (left != told_connections_) answer({.type = MessageType::draining, .connections = left});
  told_connections_ = left;
  control_.timers().set(*this, control_.now() + kDrainingPause);
}

void ServerProcess::quit() {
  stop_inheriting();
  if (!std::exchange(ending_, true)) on_timer();
  server_.quit([this] {
    if (admin_ == nullptr) return control_.stop();
    admin_->stop();
    admin_->when_done([this] { control_.stop(); });
  });
}

void ServerProcess::terminate(int status) {
  exit_status_ = status;
  stop_inheriting();
  ::alarm(kTerminateSeconds);
  server_.terminate([this] { control_.stop(); });
}

int fail(std::string_view what) {
  fmt::print(stderr, "{}",
             observe::for_stderr(fmt::format("sallyport: [emerg] server process: {}\n", what)));
  return 1;
}

/// Null: it goes without one.
std::unique_ptr<Holder> start_holder(const base::Fd& giver) {
  if (!giver) return nullptr;
  auto holder = Holder::start(giver.get());
  if (holder) return std::move(*holder);
  fmt::print(stderr, "{}",
             observe::for_stderr(fmt::format("sallyport: [warn] no holder process: {}\n",
                                             base::describe(holder.error()))));
  return nullptr;
}

}  // namespace

void exec_server_process(int channel, std::span<std::string> environment) {
  // dup2 onto itself would leave close-on-exec set.
  if (channel == kChannelDescriptor) {
    ::fcntl(channel, F_SETFD, 0);
  } else {
    ::dup2(channel, kChannelDescriptor);
  }
  std::array<char, 32> name{"sallyport: server"};
  std::array<char, 32> argument{};
  kServerProcessArgument.copy(argument.data(), argument.size() - 1);
  const std::array<char*, 3> arguments{name.data(), argument.data(), nullptr};
  std::vector<char*> variables;
  for (std::string& assignment : environment) variables.push_back(assignment.data());
  variables.push_back(nullptr);
  ::execve("/proc/self/exe", arguments.data(), variables.data());
  ::_exit(127);
}

int run_server_process() {
  ignore_signals();
  ::prctl(PR_SET_NAME, "sallyport");  // after exec of /proc/self/exe it is "exe"
  report_crashes("server process");
  ::fcntl(kChannelDescriptor, F_SETFD, FD_CLOEXEC);
  Channel channel{base::Fd(kChannelDescriptor)};
  auto message = channel.receive(kConfigureLimits, soon());
  if (!message) return fail("started without a supervisor");
  auto beginning = decode_beginning(std::move(*message));
  if (!beginning) return fail("the first message cannot be read");
  raise_descriptor_limit();
  if (const auto assumed = assume_identity(beginning->identity); !assumed) {
    return fail(base::describe(assumed.error()));
  }
  hide_memory();
  end_with_parent();
  const std::unique_ptr<Holder> holder = start_holder(beginning->succession.giver);
  message = channel.receive(kConfigureLimits, soon());
  if (!message) return fail("there is no configuration");
  auto first = decode_configure(std::move(*message));
  if (!first) return fail("the configuration cannot be read");
  return ServerProcess(std::move(channel), std::move(beginning->succession.taker), holder.get(),
                       std::move(*first))
      .run();
}

}  // namespace server
