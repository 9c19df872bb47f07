#include "server/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

#include "observe/error_log.h"
#include "server/admin.h"
#include "server/channel.h"
#include "server/daemon.h"
#include "server/pid_file.h"
#include "server/server_process.h"
#include "server/signals.h"
#include "server/single_process.h"

namespace server {
namespace {

using observe::Level;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kSendPatience{30};
constexpr seconds kAnswerPatience{2};    // for the rest of an answer that has begun
constexpr seconds kTerminatePatience{5};  // then SIGKILL
constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{5000};
constexpr seconds kStable{10};  // a server that lived so long starts the pauses anew

base::TimePoint now() { return std::chrono::steady_clock::now(); }

class Supervisor {
 public:
  explicit Supervisor(const StartOptions& options) : options_(options) {}
  /// After the configuration was opened.
  int run(Opening opening, Daemon daemon);

 private:
  enum class State : std::uint8_t { starting, serving, ending, over };

  void loop();
  [[nodiscard]] int poll_timeout() const;
  void on_signal(int number);
  void on_answer();
  void on_ready(std::uint64_t generation);
  void on_rejected(const Answer& answer);
  void on_children();
  void on_server_end(int status);
  void on_time();

  void spawn();
  void send(const Configure& message);
  void begin_reload();
  void commit_reload();
  void drop_reload();
  void begin_end(MessageType how);
  void kill_server() noexcept;
  bool move_pid_file(const std::string& path);
  void fail_start(std::string_view message);
  void finish(int status);
  void log(Level level, std::string_view message) const;

  const StartOptions& options_;
  State state_ = State::starting;
  int exit_status_ = 0;
  Daemon daemon_;
  base::Fd signals_;
  std::shared_ptr<const observe::ErrorLog> log_;

  Opening current_;
  std::optional<Opening> next_;  // sent, and not answered yet
  bool reload_again_ = false;
  std::uint64_t last_generation_ = 1;
  std::string pid_file_;

  pid_t server_ = 0;  // 0: none runs
  std::optional<Channel> channel_;
  base::TimePoint spawned_;
  milliseconds pause_ = kFirstPause;
  std::optional<base::TimePoint> spawn_at_;
  std::optional<base::TimePoint> kill_at_;
};

void Supervisor::log(Level level, std::string_view message) const {
  if (state_ == State::starting) {
    fmt::print(stderr, "sallyport: [{}] {}\n", observe::name_of(level), message);
  } else {
    log_->write(level, message);
  }
}

int Supervisor::run(Opening opening, Daemon daemon) {
  daemon_ = std::move(daemon);
  signals_ = take_signals();
  current_ = std::move(opening);
  log_ = current_.snapshot->error_log;
  current_.message.generation = last_generation_;
  auto admin = open_admin_socket(options_.paths.admin_socket);
  if (admin) {
    current_.message.admin_socket = std::move(*admin);
    spawn();
  } else {
    fail_start(fmt::format("admin socket \"{}\": {}", options_.paths.admin_socket,
                           base::describe(admin.error())));
  }
  loop();
  if (!pid_file_.empty()) remove_pid_file(pid_file_, ::getpid());
  unlink_sockets(current_.message.listeners, {});
  if (current_.message.admin_socket) ::unlink(options_.paths.admin_socket.c_str());
  daemon_.tell(exit_status_);
  return exit_status_;
}

void Supervisor::loop() {
  while (state_ != State::over) {
    std::array<pollfd, 2> entries{};
    entries[0] = {.fd = signals_.get(), .events = POLLIN, .revents = 0};
    entries[1] = {.fd = channel_ ? channel_->fd() : -1, .events = POLLIN, .revents = 0};
    ::poll(entries.data(), entries.size(), poll_timeout());
    if (entries[1].revents != 0) on_answer();
    while (const auto number = next_signal(signals_)) on_signal(*number);
    on_time();
  }
}

int Supervisor::poll_timeout() const {
  base::TimePoint due = base::kNoDeadline;
  if (spawn_at_) due = std::min(due, *spawn_at_);
  if (kill_at_) due = std::min(due, *kill_at_);
  if (due == base::kNoDeadline) return -1;
  const auto left = std::chrono::ceil<milliseconds>(due - now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

void Supervisor::on_time() {
  if (kill_at_ && *kill_at_ <= now()) {
    kill_at_.reset();
    log(Level::alert, fmt::format("server process {} does not end, killing it", server_));
    kill_server();
  }
  if (spawn_at_ && *spawn_at_ <= now()) {
    spawn_at_.reset();
    spawn();
  }
}

// --- signals

void Supervisor::on_signal(int number) {
  switch (number) {
    case SIGCHLD: return on_children();
    case SIGQUIT: return begin_end(MessageType::quit);
    case SIGTERM:
    case SIGINT: return begin_end(MessageType::terminate);
    case SIGHUP: return begin_reload();
    default:
      log(Level::warn,
          fmt::format("signal {} ({}) is not supported yet", number, ::sigabbrev_np(number)));
  }
}

void Supervisor::begin_end(MessageType how) {
  if (state_ == State::ending && how == MessageType::quit) return;
  const bool was_starting = state_ == State::starting;
  if (was_starting) exit_status_ = 1;
  log_->write(Level::notice, how == MessageType::quit ? "gracefully shutting down" : "exiting");
  state_ = State::ending;
  spawn_at_.reset();
  drop_reload();
  if (server_ == 0) return finish(exit_status_);
  // Ours go first: then the server's are the last ones, and the kernel refuses new clients once it
  // has closed them.
  for (ListenerSockets& listener : current_.message.listeners) listener.sockets.clear();
  const auto sent =
      channel_ ? channel_->send(static_cast<std::uint32_t>(how), {}, {}, now() + kAnswerPatience)
               : base::fail(base::ErrorCode::end_of_stream);
  // If it can't be told, it is ending already, or it hangs.
  if ((!sent || how == MessageType::terminate) && !kill_at_) kill_at_ = now() + kTerminatePatience;
}

// --- the server process

void Supervisor::spawn() {
  auto ends = Channel::make_pair();
  if (!ends) return fail_start(base::describe(ends.error()));
  const pid_t child = ::fork();
  if (child < 0) {
    return fail_start(base::describe(base::error_from_errno(errno, "fork() failed")));
  }
  if (child == 0) {
    restore_signals();
    exec_server_process(ends->second.fd());
  }
  server_ = child;
  spawned_ = now();
  channel_ = std::move(ends->first);
  log_->write(Level::notice, fmt::format("start server process {}", child));
  send(current_.message);
}

void Supervisor::send(const Configure& message) {
  if (const auto sent = send_configure(*channel_, message, now() + kSendPatience); !sent) {
    log(Level::alert, fmt::format("server process {} does not take its configuration: {}", server_,
                                  base::describe(sent.error())));
    kill_server();
  }
}

void Supervisor::kill_server() noexcept {
  if (server_ != 0) ::kill(server_, SIGKILL);
}

void Supervisor::on_answer() {
  const auto message = channel_->receive(kAnswerLimits, now() + kAnswerPatience);
  if (!message) {
    // It is dying, and SIGCHLD will say so; or it broke the protocol, and must go.
    channel_.reset();
    if (!message.error().is(base::ErrorCode::end_of_stream) &&
        !message.error().is(base::ErrorCode::reset)) {
      log(Level::alert,
          fmt::format("server process {}: {}", server_, base::describe(message.error())));
      kill_server();
    } else if (!kill_at_) {
      kill_at_ = now() + kTerminatePatience;
    }
    return;
  }
  const auto answer = decode_answer(*message);
  if (!answer) {
    log(Level::alert, fmt::format("server process {} broke the protocol, killing it", server_));
    return kill_server();
  }
  if (answer->type == MessageType::ready) {
    on_ready(answer->generation);
  } else {
    on_rejected(*answer);
  }
}

void Supervisor::on_ready(std::uint64_t generation) {
  if (next_ && next_->message.generation == generation) commit_reload();
  if (state_ != State::starting) return;
  if (!move_pid_file(current_.pid_file(options_.paths))) return;
  state_ = State::serving;
  redirect_stderr(*log_);
  if (!options_.note.empty()) {
    fmt::print("{}", options_.note);
    std::fflush(stdout);
  }
  daemon_.tell(0);
}

void Supervisor::on_rejected(const Answer& answer) {
  if (next_ && next_->message.generation == answer.generation) {
    log(Level::emerg, fmt::format("reload refused by the server process: {}", answer.text));
    return drop_reload();
  }
  if (state_ == State::starting) return fail_start(answer.text);
  log(Level::emerg, fmt::format("the server process cannot serve: {}", answer.text));
  kill_server();
}

void Supervisor::on_children() {
  int status = 0;
  pid_t child = 0;
  while ((child = ::waitpid(-1, &status, WNOHANG)) > 0) {
    if (child == server_) on_server_end(status);
  }
}

void Supervisor::on_server_end(int status) {
  const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  const std::string how =
      WIFSIGNALED(status)
          ? fmt::format("server process {} exited on signal {}", server_, WTERMSIG(status))
          : fmt::format("server process {} exited with code {}", server_, WEXITSTATUS(status));
  server_ = 0;
  channel_.reset();
  kill_at_.reset();
  if (state_ == State::ending) {
    if (!clean) log_->write(Level::alert, how);
    return finish(clean ? exit_status_ : 1);
  }
  if (state_ == State::starting) return fail_start(how);
  log(Level::alert, how);
  if (next_) {
    log(Level::emerg, "the reload was given up: the server process ended meanwhile");
    drop_reload();
  }
  pause_ = now() - spawned_ > kStable ? kFirstPause : std::min(pause_ * 2, kLongestPause);
  spawn_at_ = now() + pause_;
  ++current_.message.restarts;
}

// --- reload

void Supervisor::begin_reload() {
  if (state_ != State::serving) return;
  if (next_ || server_ == 0) {
    reload_again_ = next_.has_value();
    if (!next_) log(Level::warn, "not reloaded: the server process is being started again");
    return;
  }
  log(Level::notice, "reconfiguring");
  config::Diagnostics diagnostics;
  auto opening = open_configuration(options_, current_.message.listeners, current_.message.workers,
                                    diagnostics);
  for (const config::Diagnostic& diagnostic : diagnostics.list()) {
    log(diagnostic.severity == config::Severity::error ? Level::emerg : Level::warn,
        one_line(diagnostic));
  }
  if (!opening) {
    return log(Level::emerg, "not reloaded: the configuration has errors, the old one goes on");
  }
  const auto& wanted = opening->snapshot->process;
  const auto& have = current_.snapshot->process;
  if (wanted.worker_processes != have.worker_processes || wanted.user != have.user ||
      wanted.group != have.group) {
    log(Level::warn, "a new worker_processes or user takes effect after a restart");
  }
  opening->message.generation = ++last_generation_;
  opening->message.restarts = current_.message.restarts;
  opening->message.identity = current_.message.identity;
  opening->message.admin_socket = current_.message.admin_socket.duplicate();
  next_ = std::move(opening);
  send(next_->message);
}

void Supervisor::commit_reload() {
  unlink_sockets(current_.message.listeners, next_->message.listeners);
  current_ = std::move(*next_);
  next_.reset();
  log_ = current_.snapshot->error_log;
  redirect_stderr(*log_);
  if (state_ == State::serving) move_pid_file(current_.pid_file(options_.paths));
  if (std::exchange(reload_again_, false)) begin_reload();
}

void Supervisor::drop_reload() {
  if (!next_) return;
  unlink_sockets(next_->message.listeners, current_.message.listeners);
  next_.reset();
  if (std::exchange(reload_again_, false) && server_ != 0) begin_reload();
}

// --- the pid file, start and end

bool Supervisor::move_pid_file(const std::string& path) {
  if (path == pid_file_) return true;
  const auto written = write_pid_file(path, ::getpid());
  if (!written) {
    const std::string message = fmt::format("\"{}\": {}", path, base::describe(written.error()));
    if (state_ == State::starting) {
      fail_start(message);
    } else {
      log(Level::emerg, message);
    }
    return false;
  }
  if (!pid_file_.empty()) remove_pid_file(pid_file_, ::getpid());
  pid_file_ = path;
  return true;
}

void Supervisor::fail_start(std::string_view message) {
  log(state_ == State::starting ? Level::emerg : Level::alert, message);
  if (state_ != State::starting) {
    spawn_at_ = now() + kLongestPause;  // out of processes or descriptors: it may pass
    return;
  }
  begin_end(MessageType::terminate);
}

void Supervisor::finish(int status) {
  exit_status_ = status;
  state_ = State::over;
}

void make_run_directory(const StartOptions& options, config::Diagnostics& diagnostics) {
  const std::string& path = options.paths.run_directory;
  if (path == options.paths.prefix) return;
  if (const auto made = make_directories(path, 0755); !made) {
    diagnostics.error({}, fmt::format("\"{}\": {}", path, base::describe(made.error())));
  }
}

}  // namespace

int supervise(const StartOptions& options) {
  raise_descriptor_limit();
  config::Diagnostics diagnostics;
  auto opening = open_configuration(options, {}, 0, diagnostics);
  if (opening) make_run_directory(options, diagnostics);
  fmt::print(stderr, "{}", diagnostics.render());
  if (!opening || diagnostics.has_errors()) return 1;
  Daemon daemon;
  if (opening->snapshot->process.daemon) {
    auto detached = Daemon::detach();
    if (!detached) {
      fmt::print(stderr, "sallyport: [emerg] {}\n", base::describe(detached.error()));
      return 1;
    }
    daemon = std::move(*detached);
  }
  if (!opening->snapshot->process.master_process) {
    return serve_in_one_process(options, std::move(*opening), std::move(daemon));
  }
  return Supervisor(options).run(std::move(*opening), std::move(daemon));
}

}  // namespace server
