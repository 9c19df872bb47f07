// The supervisor's part about configurations: logs that are opened anew, reloads, commands, trials.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <string>
#include <utility>

#include "server/daemon.h"
#include "server/reopening.h"
#include "server/supervisor.h"
#include "snapshot/difference.h"

namespace server {

using observe::Level;

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
    note_reload(ReloadOutcome::Kind::refused, why);
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
  manager_.tell_reloading(std::chrono::steady_clock::now());
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
    note_reload(ReloadOutcome::Kind::refused, in_short(diagnostics));
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
  successor_ = spawn(next_->message);
  if (successor_ == nullptr) return drop_reload("no process can be started");
}

void Supervisor::commit_reload() {
  const std::string report = snapshot::reload_report(*current_.snapshot, *next_->snapshot);
  Opening old = std::exchange(current_, std::move(*next_));
  next_.reset();
  log_ = current_.snapshot->error_log;
  log(Level::notice, fmt::format("reloaded: generation {}; {}", last_generation_, report));
  const std::string_view trial = trial_ != 0 ? "on trial: " : going_back_ ? "taken back: " : "";
  note_reload(ReloadOutcome::Kind::applied, fmt::format("{}{}", trial, report));
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
  note_reload(ReloadOutcome::Kind::refused, why);
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

void Supervisor::note_reload(ReloadOutcome::Kind kind, std::string_view text) {
  last_reload_ = ReloadOutcome{.kind = kind,
                               .time = std::chrono::system_clock::now(),
                               .generation = current_.message.generation,
                               .text = std::string(text)};
  inform();
}

InstanceFacts Supervisor::facts() const {
  InstanceFacts facts{.last_reload = last_reload_, .old_program = old_program_.facts()};
  for (const auto& child : children_) {
    if (!child->ending_since()) continue;
    facts.draining.push_back({.pid = child->pid(),
                              .since = *child->ending_since(),
                              .connections = child->connections()});
  }
  return facts;
}

/// Whoever answers `status` hears of the other processes, a new binary of this one.
void Supervisor::inform() {
  new_binary_link_.tell(as_old_program());
  if (state_ == State::serving && serving_ != nullptr) serving_->inform(facts());
}

void Supervisor::tell_outcome(bool ok, std::string_view text) {
  for (const std::uint64_t client : std::exchange(waiting_, {})) {
    control_.answer(client, ok, last_generation_, text);
  }
}

}  // namespace server
