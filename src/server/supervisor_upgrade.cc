// The supervisor's part about a new binary beside it (USR2), and about serving nobody meanwhile.
#include <fmt/format.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "server/supervisor.h"

namespace server {

using observe::Level;

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
  rename_marks("", Marks::kOldBinary);
  base::Fd end_of_link;
  if (auto link = NewBinaryLink::make()) {
    new_binary_link_ = std::move(link->first);
    end_of_link = std::move(link->second);
    new_binary_link_.tell(as_old_program());
  } else {
    log(Level::alert, base::describe(link.error()));  // its `status` does not know of this one then
  }
  const auto started = start_new_binary(options_.command, current_.message.listeners,
                                        hand_over_tickets(), end_of_link);
  if (!started) {
    rename_marks(Marks::kOldBinary, "");
    new_binary_link_ = {};
    return log(Level::alert, base::describe(started.error()));
  }
  new_binary_ = *started;
  log(Level::notice, fmt::format("start new binary process {}", new_binary_));
}

OldProgram Supervisor::as_old_program() const {
  using enum OldProgram::State;
  OldProgram program{.pid = ::getpid(), .state = children_.empty() ? idle : draining};
  if (state_ == State::serving && serving_ != nullptr) {
    program.state = active;
    return program;
  }
  for (const auto& child : children_) {
    if (const auto left = child->connections()) {
      program.connections = program.connections.value_or(0) + *left;
    }
  }
  return program;
}

void Supervisor::rename_marks(std::string_view from, std::string_view to) {
  const std::string pid_file = current_.pid_file(options_.paths);
  for (const std::string& failure : marks_.rename(pid_file, from, to)) log(Level::alert, failure);
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
  succession_ = {};
}

void Supervisor::serve_again() {
  resting_ = false;
  returning_ = true;
  restart_server();
  inform();
}

// The manager watches the new binary since that was ready: it must not take its end for ours.
void Supervisor::tell_return() {
  const bool serves = state_ == State::serving && serving_ != nullptr && serving_->has_served;
  if (serves && std::exchange(returning_, false)) manager_.tell_ready(::getpid(), "Serving again");
}

void Supervisor::on_new_binary_end(int status) {
  log(Level::notice, describe_exit("new binary process", new_binary_, status));
  new_binary_ = 0;
  new_binary_link_ = {};
  if (state_ == State::ending) return;
  rename_marks(Marks::kOldBinary, "");
  if (resting_) return serve_again();
  returning_ = true;
  tell_return();
}

}  // namespace server
