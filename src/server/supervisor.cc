// Long because it is one state machine: every event that may come in every state, side by side.
#include "server/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "observe/error_log.h"
#include "server/control.h"
#include "server/crash_report.h"
#include "server/daemon.h"
#include "server/local_socket.h"
#include "server/pid_file.h"
#include "server/reopening.h"
#include "server/server_child.h"
#include "server/service_manager.h"
#include "server/signals.h"
#include "server/single_process.h"
#include "server/upgrade.h"
#include "snapshot/difference.h"

namespace server {
namespace {

using observe::Level;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kFirstPause{10};
// Between a server process's end and the next one's start: longer each time. One that has served is
// needed soon; one that dies before it can serve will most likely do so again.
constexpr milliseconds kLongestPauseToServe{160};
constexpr milliseconds kLongestPause{5000};
constexpr seconds kStable{10};  // a server that lived so long starts the pauses anew
constexpr std::string_view kOldBinary = ".oldbin";

base::TimePoint now() { return std::chrono::steady_clock::now(); }

std::string describe_exit(std::string_view what, pid_t pid, int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("{} {} exited on signal {}{}", what, pid, WTERMSIG(status),
                       WCOREDUMP(status) ? " (core dumped)" : "");
  }
  return fmt::format("{} {} exited with code {}", what, pid, WEXITSTATUS(status));
}

class Supervisor {
 public:
  Supervisor(const StartOptions& options, const ServiceManager& manager, Watchdog watchdog)
      : options_(options), manager_(manager), watchdog_(watchdog) {}
  /// After the configuration was opened. `upgrading`: another supervisor started this one.
  int run(Opening opening, Daemon daemon, bool upgrading);

 private:
  enum class State : std::uint8_t { starting, serving, ending, over };

  void loop();
  [[nodiscard]] int poll_timeout() const;
  void on_signal(int number);
  void on_time();
  void on_answer(ServerChild& child);
  void on_ready(ServerChild& child, std::uint64_t generation);
  void on_rejected(ServerChild& child, const Answer& answer);
  void on_children();
  void on_server_end(pid_t pid, int status);
  void restart_server();

  ServerChild* spawn();
  void configure(ServerChild& child, const Configure& message);
  [[nodiscard]] ServerChild* find(pid_t pid) const;
  void retire(ServerChild& child);

  void reopen_all();
  void begin_reload();
  [[nodiscard]] std::optional<Opening> open_next(const snapshot::LoadOptions& load);
  void take_over(Opening opening);
  void commit_reload();
  void drop_reload(std::string_view why);
  void reload_once_more();

  bool open_sockets();
  void on_request(const Control::Request& request);
  void begin_trial(const Control::Request& request);
  void end_trial();
  void tell_outcome(bool ok, std::string_view text);

  void begin_upgrade();
  void rest();
  void serve_again();
  void on_new_binary_end(int status);
  void rename_marks(std::string_view from, std::string_view to);

  void begin_end(MessageType how);
  void end_child(ServerChild& child, MessageType how);
  [[nodiscard]] bool owns_its_names() const;
  void remove_marks();
  bool move_pid_file(const std::string& path);
  void fail_start(std::string_view message);
  void finish() { state_ = State::over; }
  void log(Level level, std::string_view message) const;

  const StartOptions& options_;
  const ServiceManager& manager_;
  Watchdog watchdog_;
  State state_ = State::starting;
  int exit_status_ = 0;
  Daemon daemon_;
  base::Fd signals_;
  std::shared_ptr<const observe::ErrorLog> log_;
  pid_t predecessor_ = 0;  // the supervisor whose new binary this is

  Opening current_;
  std::optional<Opening> next_;  // sent, and not answered yet
  bool reload_again_ = false;
  Control control_;
  std::vector<std::uint64_t> waiting_;  // clients of control_, for the outcome of next_
  std::vector<std::uint64_t> waiting_again_;  // for that of the next reload

  // A configuration on trial: what runs goes back to `before_` unless its client says "keep".
  std::uint64_t trial_ = 0;  // the client; 0: none
  std::optional<Opening> before_;
  bool trial_given_up_ = false;  // before it served
  bool going_back_ = false;  // next_ is what was before a trial
  std::uint64_t last_generation_ = 1;
  std::string pid_file_;
  std::string marks_suffix_;  // of the pid file and the admin socket: ".oldbin" beside a new binary

  // Those that are neither serving nor to succeed it are retired.
  std::vector<std::unique_ptr<ServerChild>> children_;
  ServerChild* serving_ = nullptr;
  ServerChild* successor_ = nullptr;  // starts with next_
  milliseconds pause_ = kFirstPause;
  std::optional<base::TimePoint> spawn_at_;
  pid_t new_binary_ = 0;
  bool resting_ = false;  // no server process is wanted, beside a new binary
};

void Supervisor::log(Level level, std::string_view message) const {
  if (state_ == State::starting) {
    fmt::print(stderr, "sallyport: [{}] {}\n", observe::name_of(level), message);
  } else {
    log_->write(level, message);
  }
}

int Supervisor::run(Opening opening, Daemon daemon, bool upgrading) {
  daemon_ = std::move(daemon);
  if (upgrading) predecessor_ = ::getppid();
  signals_ = take_signals();
  current_ = std::move(opening);
  log_ = current_.snapshot->error_log;
  current_.message.generation = last_generation_;
  if (open_sockets()) {
    serving_ = spawn();
    if (serving_ != nullptr) configure(*serving_, current_.message);
  }
  loop();
  remove_marks();
  daemon_.tell(exit_status_);
  return exit_status_;
}

bool Supervisor::open_sockets() {
  for (const bool control : {false, true}) {
    const std::string& path = control ? options_.paths.control_socket : options_.paths.admin_socket;
    auto socket = open_local_socket(path);
    if (!socket) {
      fail_start(fmt::format("{} socket \"{}\": {}", control ? "control" : "admin", path,
                             base::describe(socket.error())));
      return false;
    }
    if (control) {
      control_ = Control(std::move(*socket), ::getuid());
    } else {
      current_.message.admin_socket = std::move(*socket);
    }
  }
  return true;
}

void Supervisor::loop() {
  std::vector<pollfd> entries;
  std::vector<pid_t> pids;
  while (state_ != State::over) {
    entries.assign(1, {.fd = signals_.get(), .events = POLLIN, .revents = 0});
    pids.clear();
    for (const auto& child : children_) {
      entries.push_back({.fd = child->descriptor(), .events = POLLIN, .revents = 0});
      pids.push_back(child->pid());
    }
    control_.append_to(entries);
    ::poll(entries.data(), entries.size(), poll_timeout());
    for (std::size_t i = 0; i < pids.size(); ++i) {
      ServerChild* child = entries[i + 1].revents != 0 ? find(pids[i]) : nullptr;
      if (child != nullptr) on_answer(*child);
    }
    while (const auto number = next_signal(signals_)) on_signal(*number);
    for (const Control::Request& request : control_.take()) on_request(request);
    on_time();
  }
}

int Supervisor::poll_timeout() const {
  base::TimePoint due = spawn_at_.value_or(base::kNoDeadline);
  if (state_ == State::serving && serving_ != nullptr) due = std::min(due, watchdog_.due());
  for (const auto& child : children_) due = std::min(due, child->due());
  if (due == base::kNoDeadline) return -1;
  const auto left = std::chrono::ceil<milliseconds>(due - now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

void Supervisor::on_time() {
  for (const auto& child : children_) {
    if (const std::string news = child->on_time(); !news.empty()) log(Level::alert, news);
  }
  if (state_ == State::serving && serving_ != nullptr && watchdog_.asks(now())) serving_->ask();
  if (spawn_at_ && *spawn_at_ <= now()) {
    spawn_at_.reset();
    restart_server();
  }
}

// --- signals

void Supervisor::on_signal(int number) {
  switch (number) {
    case SIGCHLD: return on_children();
    case SIGQUIT: return begin_end(MessageType::quit);
    case SIGTERM:
    case SIGINT: return begin_end(MessageType::terminate);
    case SIGHUP: return resting_ ? serve_again() : begin_reload();
    case SIGUSR1: return reopen_all();
    case SIGUSR2: return begin_upgrade();
    case SIGWINCH: return rest();
    default:
      log(Level::warn,
          fmt::format("signal {} ({}) is not supported yet", number, ::sigabbrev_np(number)));
  }
}

void Supervisor::begin_end(MessageType how) {
  if (state_ == State::ending && how == MessageType::quit) return;
  const bool was_starting = state_ == State::starting;
  if (was_starting) exit_status_ = 1;
  manager_.tell_stopping(how == MessageType::quit ? "Finishing requests in flight" : "Exiting");
  log_->write(Level::notice, how == MessageType::quit ? "gracefully shutting down" : "exiting");
  state_ = State::ending;
  spawn_at_.reset();
  reload_again_ = false;
  drop_reload("the instance ends");
  if (before_) {
    unlink_sockets(before_->message.listeners, current_.message.listeners);
    before_.reset();
  }
  // Ours go first: then the server's are the last ones, and the kernel refuses new clients once it
  // has closed them.
  for (ListenerSockets& listener : current_.message.listeners) listener.sockets.clear();
  if (children_.empty()) return finish();
  for (const auto& child : children_) end_child(*child, how);
}

void Supervisor::end_child(ServerChild& child, MessageType how) {
  const auto timeout = current_.snapshot->process.shutdown_timeout;
  child.end(how, timeout.count() > 0 ? std::optional<base::Duration>(timeout) : std::nullopt);
}

// --- server processes

ServerChild* Supervisor::find(pid_t pid) const {
  const auto found =
      std::ranges::find(children_, pid, [](const auto& child) { return child->pid(); });
  return found == children_.end() ? nullptr : found->get();
}

// Null: told, and tried again later.
ServerChild* Supervisor::spawn() {
  const Opening& opening = next_ ? *next_ : current_;
  auto child = ServerChild::spawn(opening.snapshot->process.machine, *log_);
  if (!child) {
    fail_start(base::describe(child.error()));
    return nullptr;
  }
  children_.push_back(std::move(*child));
  log_->write(Level::notice, fmt::format("start server process {}", children_.back()->pid()));
  return children_.back().get();
}

void Supervisor::restart_server() {
  if (serving_ != nullptr || resting_ || state_ == State::ending) return;
  serving_ = spawn();
  if (serving_ != nullptr) configure(*serving_, current_.message);
}

void Supervisor::configure(ServerChild& child, const Configure& message) {
  if (const auto sent = child.configure(message); !sent) {
    log(Level::alert, fmt::format("server process {} does not take its configuration: {}",
                                  child.pid(), base::describe(sent.error())));
    child.kill();
  }
}

/// Another process serves in its place, or none is wanted.
void Supervisor::retire(ServerChild& child) {
  if (serving_ == &child) serving_ = nullptr;
  end_child(child, MessageType::retire);
}

void Supervisor::on_answer(ServerChild& child) {
  const auto answer = child.receive();
  if (!answer) {
    // It is dying, and SIGCHLD will say so; or it broke the protocol, and must go.
    if (!answer.error().is(base::ErrorCode::end_of_stream) &&
        !answer.error().is(base::ErrorCode::reset)) {
      log(Level::alert,
          fmt::format("server process {}: {}", child.pid(), base::describe(answer.error())));
      child.kill();
    }
    return;
  }
  if (answer->type == MessageType::alive) {
    if (&child != serving_) return;
    watchdog_.on_answer();
    manager_.tell_alive();
  } else if (answer->type == MessageType::ready) {
    on_ready(child, answer->generation);
  } else {
    on_rejected(child, *answer);
  }
}

void Supervisor::on_ready(ServerChild& child, std::uint64_t generation) {
  child.has_served = true;
  if (next_ && next_->message.generation == generation) {
    if (&child == successor_) {
      if (serving_ != nullptr) retire(*serving_);
      serving_ = std::exchange(successor_, nullptr);
      watchdog_.start_anew();
    }
    commit_reload();
  }
  if (state_ == State::starting) {
    if (!move_pid_file(current_.pid_file(options_.paths))) return;
    state_ = State::serving;
    redirect_stderr(*log_);
    manager_.tell_ready(::getpid(), "Serving");
    if (!options_.note.empty()) {
      fmt::print("{}", options_.note);
      std::fflush(stdout);
    }
    daemon_.tell(0);
  }
  reload_once_more();
}

void Supervisor::on_rejected(ServerChild& child, const Answer& answer) {
  if (next_ && next_->message.generation == answer.generation) {
    log(Level::emerg, fmt::format("reload refused by the server process: {}", answer.text));
    drop_reload(answer.text);
    return reload_once_more();
  }
  if (state_ == State::starting) return fail_start(answer.text);
  if (state_ == State::ending || &child != serving_) return;  // told to end before it could begin
  log(Level::emerg, fmt::format("the server process cannot serve: {}", answer.text));
  child.kill();
}

void Supervisor::on_children() {
  int status = 0;
  pid_t child = 0;
  while ((child = ::waitpid(-1, &status, WNOHANG)) > 0) {
    if (child == new_binary_) {
      on_new_binary_end(status);
    } else {
      on_server_end(child, status);
    }
  }
}

void Supervisor::on_server_end(pid_t pid, int status) {
  ServerChild* child = find(pid);
  if (child == nullptr) return;
  const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  const std::string how = describe_exit("server process", pid, status);
  const base::Duration lived = now() - child->spawned();
  const milliseconds longest = child->has_served ? kLongestPauseToServe : kLongestPause;
  const bool was_serving = child == serving_;
  const bool was_successor = child == successor_;
  if (was_serving) serving_ = nullptr;
  if (was_serving) watchdog_.start_anew();
  if (was_successor) successor_ = nullptr;
  std::erase_if(children_, [&](const auto& each) { return each.get() == child; });

  if (state_ == State::ending) {
    if (!clean) {
      log_->write(Level::alert, how);
      exit_status_ = 1;
    }
    if (children_.empty()) finish();
    return;
  }
  if (state_ == State::starting) return fail_start(how);
  log(was_serving || was_successor || !clean ? Level::alert : Level::notice, how);
  if (was_serving && next_ && successor_ == nullptr && going_back_) {
    commit_reload();  // the next process begins with it
  } else if (was_successor || (was_serving && next_ && successor_ == nullptr)) {
    constexpr std::string_view kWhy = "the server process ended meanwhile";
    log(Level::emerg, fmt::format("the reload was given up: {}", kWhy));
    drop_reload(kWhy);
  }
  if (!was_serving) return;
  pause_ = lived > kStable ? kFirstPause : std::min(pause_ * 2, longest);
  spawn_at_ = now() + pause_;
  ++current_.message.restarts;
}

// --- logs

void Supervisor::reopen_all() {
  log(Level::notice, "reopening logs");
  for (Opening* opening : {&current_, next_ ? &*next_ : nullptr, before_ ? &*before_ : nullptr}) {
    if (opening == nullptr || opening->snapshot == nullptr) continue;
    const auto logs = reopen_logs(*opening, *log_);
    for (const auto& child : children_) child->use_logs(logs);
    opening->snapshot->use_logs(logs);
  }
  if (state_ == State::serving) redirect_stderr(*log_);
}

// --- reload

void Supervisor::begin_reload() {
  const auto refuse = [this](std::string_view why) {
    log(Level::warn, fmt::format("not reloaded: {}", why));
    waiting_.swap(waiting_again_);
    tell_outcome(false, why);
  };
  if (state_ != State::serving) return refuse("the instance starts or ends");
  if (new_binary_ != 0) return refuse("a new binary is running");
  if (trial_ != 0) return refuse("another configuration is on trial");
  if (next_ || serving_ == nullptr) {
    reload_again_ = true;
    if (!next_) log(Level::notice, "reloading once the server process is there again");
    return;
  }
  log(Level::notice, "reconfiguring");
  manager_.tell_reloading(now());
  waiting_ = std::exchange(waiting_again_, {});
  if (auto opening = open_next(options_.load)) take_over(std::move(*opening));
}

std::optional<Opening> Supervisor::open_next(const snapshot::LoadOptions& load) {
  config::Diagnostics diagnostics;
  StartOptions options = options_;
  options.load = load;
  auto opening = open_configuration(options, current_.message.listeners, 0, diagnostics);
  for (const config::Diagnostic& diagnostic : diagnostics.list()) {
    log(diagnostic.severity == config::Severity::error ? Level::emerg : Level::warn,
        one_line(diagnostic));
  }
  if (!opening) {
    log(Level::emerg, "not reloaded: the configuration has errors, the old one goes on");
    manager_.tell_ready(::getpid(), "Serving the old configuration: the new one has errors");
    tell_outcome(false, diagnostics.render());
  }
  return opening;
}

/// Begins to serve it: in place, or by a successor where the serving process can't change.
void Supervisor::take_over(Opening opening) {
  next_ = std::move(opening);
  next_->message.generation = ++last_generation_;
  next_->message.restarts = current_.message.restarts;
  next_->message.admin_socket = current_.message.admin_socket.duplicate();
  const auto restarting = needs_new_process(current_.snapshot->process, next_->snapshot->process);
  if (restarting.empty()) return configure(*serving_, next_->message);
  log(Level::notice,
      fmt::format("{} changed: a new server process takes over, process {} ends its connections",
                  fmt::join(restarting, " and "), serving_->pid()));
  successor_ = spawn();
  if (successor_ == nullptr) return drop_reload("no process can be started");
  configure(*successor_, next_->message);
}

void Supervisor::commit_reload() {
  const std::string report = snapshot::reload_report(*current_.snapshot, *next_->snapshot);
  Opening old = std::exchange(current_, std::move(*next_));
  next_.reset();
  log_ = current_.snapshot->error_log;
  log(Level::notice, fmt::format("reloaded: generation {}; {}", last_generation_, report));
  redirect_stderr(*log_);
  if (state_ == State::serving) move_pid_file(current_.pid_file(options_.paths));
  if (state_ == State::serving) manager_.tell_ready(::getpid(), "Serving");
  tell_outcome(true, report);
  if (trial_ != 0 && !before_) {
    before_ = std::move(old);  // its sockets stay open for the way back
    if (std::exchange(trial_given_up_, false)) end_trial();
  } else {
    going_back_ = false;
    unlink_sockets(old.message.listeners, current_.message.listeners);
  }
}

void Supervisor::drop_reload(std::string_view why) {
  if (!next_) return;
  if (successor_ != nullptr) std::exchange(successor_, nullptr)->kill();
  unlink_sockets(next_->message.listeners, current_.message.listeners);
  restore_options(current_);
  next_.reset();
  if (!before_) trial_ = 0;
  trial_given_up_ = false;
  going_back_ = false;
  if (state_ == State::serving) {
    manager_.tell_ready(::getpid(), "Serving the old configuration: the new one was refused");
  }
  tell_outcome(false, why);
}

// What came while a reload was under way, or while there was no server process.
void Supervisor::reload_once_more() {
  if (!next_ && serving_ != nullptr && std::exchange(reload_again_, false)) begin_reload();
}

// --- commands and trials

void Supervisor::on_request(const Control::Request& request) {
  using enum Control::Request::Kind;
  switch (request.kind) {
    case reload: waiting_again_.push_back(request.client); return begin_reload();
    case apply: return begin_trial(request);
    case keep:
      if (request.client != trial_ || next_) {
        return control_.answer(request.client, false, last_generation_, "nothing is on trial");
      }
      log(Level::notice, fmt::format("{} is kept", current_.message.load.file));
      unlink_sockets(before_->message.listeners, current_.message.listeners);
      before_.reset();
      trial_ = 0;
      return control_.answer(request.client, true, last_generation_, "kept");
    case reopen: reopen_all(); return control_.answer(request.client, true, last_generation_, "");
    case gone:
      if (request.client == trial_) end_trial();
  }
}

void Supervisor::begin_trial(const Control::Request& request) {
  const bool busy =
      state_ != State::serving || serving_ == nullptr || next_ || trial_ != 0 || new_binary_ != 0;
  if (busy) {
    return control_.answer(request.client, false, last_generation_,
                           "the instance is busy: a reload, a trial or an upgrade is under way");
  }
  log(Level::notice, fmt::format("applying {} on trial", request.file));
  waiting_.assign(1, request.client);
  snapshot::LoadOptions load = options_.load;
  load.file = request.file;
  auto opening = open_next(load);
  if (!opening) return;
  trial_ = request.client;
  take_over(std::move(*opening));
}

// Its client is gone, or told us to: back to what was, without a look at the disk.
void Supervisor::end_trial() {
  if (state_ != State::serving) return;
  if (!before_) {
    trial_given_up_ = true;  // the server process is taking it over, and will say so
    return;
  }
  log(Level::notice, fmt::format("{} is taken back", current_.message.load.file));
  trial_ = 0;
  going_back_ = true;
  Opening old = std::move(*before_);
  before_.reset();
  restore_options(old);
  if (serving_ != nullptr) return take_over(std::move(old));
  next_ = std::move(old);
  next_->message.generation = ++last_generation_;
  next_->message.restarts = current_.message.restarts;
  next_->message.admin_socket = current_.message.admin_socket.duplicate();
  commit_reload();  // no process runs: the next one begins with it
}

void Supervisor::tell_outcome(bool ok, std::string_view text) {
  for (const std::uint64_t client : std::exchange(waiting_, {})) {
    control_.answer(client, ok, last_generation_, text);
  }
}

// --- upgrade

void Supervisor::begin_upgrade() {
  if (state_ != State::serving) return;
  if (new_binary_ != 0) {
    return log(Level::warn,
               fmt::format("a new binary is running already: process {}", new_binary_));
  }
  if (predecessor_ != 0 && ::getppid() == predecessor_) {
    return log(Level::warn, "no upgrade: the binary that this one replaces is still running");
  }
  if (next_ || trial_ != 0) {
    return log(Level::warn, "no upgrade: a reload or a trial is under way");
  }
  // The new one makes files of these names.
  rename_marks("", kOldBinary);
  const auto started = start_new_binary(options_.command, current_.message.listeners);
  if (!started) {
    rename_marks(kOldBinary, "");
    return log(Level::alert, base::describe(started.error()));
  }
  new_binary_ = *started;
  log(Level::notice, fmt::format("start new binary process {}", new_binary_));
}

void Supervisor::rename_marks(std::string_view from, std::string_view to) {
  const std::string pid_file = current_.pid_file(options_.paths);
  for (const std::string& path :
       {pid_file, options_.paths.admin_socket, options_.paths.control_socket}) {
    const std::string old_name = path + std::string(from);
    const std::string new_name = path + std::string(to);
    if (std::rename(old_name.c_str(), new_name.c_str()) != 0) {
      log(Level::alert, fmt::format("rename() \"{}\" to \"{}\" {}", old_name, new_name,
                                    base::describe(base::error_from_errno(errno, "failed"))));
    }
  }
  marks_suffix_ = to;
  pid_file_ = pid_file + marks_suffix_;
}

// nginx's WINCH: in the foreground it is what a terminal says that changes its size, so there it
// counts beside a new binary only.
void Supervisor::rest() {
  if (state_ != State::serving || resting_) return;
  if (new_binary_ == 0 && !current_.snapshot->process.daemon) return;
  log(Level::notice, "gracefully shutting down the server process");
  resting_ = true;
  spawn_at_.reset();
  drop_reload("the server process is told to end");
  if (serving_ != nullptr) retire(*serving_);
}

void Supervisor::serve_again() {
  resting_ = false;
  restart_server();
}

void Supervisor::on_new_binary_end(int status) {
  log(Level::notice, describe_exit("new binary process", new_binary_, status));
  new_binary_ = 0;
  if (state_ == State::ending) return;
  rename_marks(kOldBinary, "");
  if (resting_) serve_again();
}

// --- the pid file, start and end

/// Whether the names of the Unix sockets are its own: no other binary uses them, too.
bool Supervisor::owns_its_names() const {
  return new_binary_ == 0 && (predecessor_ == 0 || ::getppid() != predecessor_);
}

void Supervisor::remove_marks() {
  if (!pid_file_.empty()) remove_pid_file(pid_file_, ::getpid());
  if (owns_its_names()) unlink_sockets(current_.message.listeners, {});
  if (control_.is_open()) {
    ::unlink((options_.paths.admin_socket + marks_suffix_).c_str());
    ::unlink((options_.paths.control_socket + marks_suffix_).c_str());
  }
}

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

/// The sockets that the service manager has opened: they serve where an address is the same.
std::vector<ListenerSockets> activated_sockets(const ServiceEnvironment& environment,
                                               config::Diagnostics& diagnostics) {
  std::vector<ListenerSockets> listeners;
  std::vector<std::string> complaints;
  for (InheritedSocket& inherited : take_activated_sockets(environment, complaints)) {
    listeners.push_back({.address = inherited.address, .activated = true});
    listeners.back().sockets.push_back(std::move(inherited.socket));
  }
  for (const std::string& complaint : complaints) diagnostics.warning({}, complaint);
  return listeners;
}

void warn_of_unused(const std::vector<ListenerSockets>& activated, const Opening& opening,
                    config::Diagnostics& diagnostics) {
  for (const ListenerSockets& listener : activated) {
    const bool is_used =
        std::ranges::find(opening.message.listeners, listener.address, &ListenerSockets::address) !=
        opening.message.listeners.end();
    if (is_used) continue;
    diagnostics.warning({},
                        fmt::format("the service manager's socket {} is not used: no \"listen\" "
                                    "has this address",
                                    listener.address.text()));
  }
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
  report_crashes("supervisor");
  const ServiceEnvironment environment = ServiceEnvironment::take();
  const ServiceManager manager(environment.notify_socket);
  const Watchdog watchdog(watchdog_time(environment, ::getpid()));
  raise_descriptor_limit();
  config::Diagnostics diagnostics;
  const bool upgrading = has_inherited_sockets();
  auto inherited =
      upgrading ? take_inherited_sockets() : activated_sockets(environment, diagnostics);
  auto opening = open_configuration(options, inherited, 0, diagnostics);
  if (opening && !upgrading) warn_of_unused(inherited, *opening, diagnostics);
  inherited.clear();
  if (opening) make_run_directory(options, diagnostics);
  fmt::print(stderr, "{}", diagnostics.render());
  if (!opening || diagnostics.has_errors()) return 1;
  Daemon daemon;
  if (opening->snapshot->process.daemon && !upgrading) {
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
  return Supervisor(options, manager, watchdog)
      .run(std::move(*opening), std::move(daemon), upgrading);
}

}  // namespace server
