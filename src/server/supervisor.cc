#include "server/supervisor.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "observe/journal.h"
#include "server/local_socket.h"
#include "server/signals.h"

namespace server {

using observe::Level;
using std::chrono::milliseconds;

namespace {

base::TimePoint now() { return std::chrono::steady_clock::now(); }

}  // namespace

void Supervisor::log(Level level, std::string_view message) const {
  if (state_ == State::starting) {
    fmt::print(
        stderr, "{}",
        observe::for_stderr(fmt::format("sallyport: [{}] {}\n", observe::name_of(level), message)));
  } else {
    log_->write(level, message);
  }
}

int Supervisor::run(Opening opening, Daemon daemon, bool upgrading, Inheritance inherited) {
  daemon_ = std::move(daemon);
  if (upgrading) predecessor_ = ::getppid();
  if (auto given = tls::TicketSecret::take(std::move(inherited.tickets), now())) {
    tickets_ = *std::move(given);
  }
  old_program_ = OldProgramLink(std::move(inherited.old_program), predecessor_);
  signals_ = take_signals();
  current_ = std::move(opening);
  log_ = current_.snapshot->error_log;
  current_.message.generation = last_generation_;
  if (open_sockets()) serving_ = spawn(current_.message);
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
    entries.push_back({.fd = old_program_.descriptor(), .events = POLLIN, .revents = 0});
    control_.append_to(entries);
    ::poll(entries.data(), entries.size(), poll_timeout());
    for (std::size_t i = 0; i < pids.size(); ++i) {
      ServerChild* child = entries[i + 1].revents != 0 ? find(pids[i]) : nullptr;
      if (child != nullptr) on_answer(*child);
    }
    while (const auto number = next_signal(signals_)) on_signal(*number);
    for (const Control::Request& request : control_.take()) on_request(request);
    if (old_program_.take()) inform();
    on_time();
  }
}

int Supervisor::poll_timeout() const {
  using tls::TicketSecret;
  // Once an hour it forgets what old tickets were sealed with.
  const base::TimePoint next_hour = TicketSecret::start_of(TicketSecret::period_of(now()) + 1);
  base::TimePoint due = std::min(spawn_at_.value_or(base::kNoDeadline), next_hour);
  if (state_ == State::serving && serving_ != nullptr) due = std::min(due, watchdog_.due());
  for (const auto& child : children_) due = std::min(due, child->due());
  const auto left = std::chrono::ceil<milliseconds>(due - now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void Supervisor::on_time() {
  tickets_.forget_expired(now());
  for (const auto& child : children_) {
    if (const std::string news = child->on_time(now()); !news.empty()) log(Level::alert, news);
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
  // Beside another binary the service goes on, and the other one is its main process.
  if (owns_its_names()) {
    manager_.tell_stopping(how == MessageType::quit ? "Finishing requests in flight" : "Exiting");
  }
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
  succession_ = {};
  if (children_.empty()) return finish();
  for (const auto& child : children_) end_child(*child, how);
  inform();
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

// With its first configuration. Null: told, and tried again later.
ServerChild* Supervisor::spawn(Configure& first) {
  const Opening& opening = next_ ? *next_ : current_;
  auto child = ServerChild::spawn(opening.snapshot->process.machine, *log_);
  if (!child) {
    fail_start(base::describe(child.error()));
    return nullptr;
  }
  children_.push_back(std::move(*child));
  ServerChild& started = *children_.back();
  log_->write(Level::notice, fmt::format("start server process {}", started.pid()));
  begin(started, first.identity);
  first.ticket_secret = hand_over_tickets();
  configure(started, first);
  first.ticket_secret.close();
  started.inform(facts());
  return &started;
}

// Empty: told; its receiver makes one of its own.
base::Fd Supervisor::hand_over_tickets() {
  tickets_.forget_expired(now());
  auto file = tickets_.hand_over();
  if (file) return *std::move(file);
  log(Level::alert, base::describe(file.error()));
  return {};
}

void Supervisor::begin(ServerChild& child, const Identity& identity) {
  if (!succession_.giver) {
    auto made = Succession::make();
    if (made) succession_ = std::move(*made);
    if (!made) log(Level::alert, base::describe(made.error()));
  }
  if (const auto sent = child.begin(identity, succession_); !sent) {
    log(Level::alert, fmt::format("server process {} does not begin: {}", child.pid(),
                                  base::describe(sent.error())));
    child.kill();
  }
}

void Supervisor::restart_server() {
  if (serving_ != nullptr || resting_ || state_ == State::ending) return;
  serving_ = spawn(current_.message);
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
  inform();
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
  switch (answer->type) {
    case MessageType::alive:
      if (&child != serving_) return;
      watchdog_.on_answer();
      return manager_.tell_alive();
    case MessageType::ready: return on_ready(child, answer->generation);
    case MessageType::rejected: return on_rejected(child, *answer);
    case MessageType::draining: return inform();
    default: return;  // informed: the child has taken note
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
    inform();
    redirect_stderr(*log_);
    manager_.tell_ready(::getpid(), "Serving");
    if (!options_.note.empty()) {
      fmt::print("{}", options_.note);
      std::fflush(stdout);
    }
    daemon_.tell(0);
  }
  tell_return();
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
  const bool has_served = child->has_served;
  const bool was_serving = child == serving_;
  const bool was_successor = child == successor_;
  if (was_serving) serving_ = nullptr;
  if (was_serving) watchdog_.start_anew();
  if (was_successor) successor_ = nullptr;
  std::erase_if(children_, [&](const auto& each) { return each.get() == child; });
  inform();

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
  spawn_at_ = now() + pause_.next(lived, has_served);
  ++current_.message.restarts;
}

// --- the pid file, start and end

/// Whether the names of the Unix sockets are its own: no other binary uses them, too.
bool Supervisor::owns_its_names() const {
  return new_binary_ == 0 && (predecessor_ == 0 || ::getppid() != predecessor_);
}

void Supervisor::remove_marks() {
  marks_.remove_pid_file();
  if (owns_its_names()) unlink_sockets(current_.message.listeners, {});
  if (control_.is_open()) marks_.remove_sockets();
}

bool Supervisor::move_pid_file(const std::string& path) {
  const auto written = marks_.write_pid_file(path);
  if (written) return true;
  const std::string message = fmt::format("\"{}\": {}", path, base::describe(written.error()));
  if (state_ == State::starting) {
    fail_start(message);
  } else {
    log(Level::emerg, message);
  }
  return false;
}

void Supervisor::fail_start(std::string_view message) {
  log(state_ == State::starting ? Level::emerg : Level::alert, message);
  if (state_ != State::starting) {
    spawn_at_ = now() + RestartPause::kLongest;  // out of processes or descriptors: it may pass
    return;
  }
  begin_end(MessageType::terminate);
}

}  // namespace server
