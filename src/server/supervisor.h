// The supervisor: the process in the pid file. It opens what the configuration names, holds the
// listening sockets, starts the server process and starts it again when it dies, and is told what
// to do by signals, nginx's: QUIT ends gracefully, TERM and INT at once, HUP reloads, USR2 starts a
// new binary beside this one, WINCH ends the server process and leaves the supervisor.
//
// One thread and poll(2), no event loop and no coroutines: what must never fail has little in it.
//
//              spawn             ready               quit, terminate
//   (starting) ─────► [server] ─────────► (serving) ─────────────────► (ending) ──► exit
//                        │ dies: exit 1      │ dies: spawn again, later each time   dies: exit 0
//
// A reload goes to the serving process, which takes it over in place. Where it can't (another user,
// another number of workers), a successor is started with it; once that is ready the old process is
// told to retire: it serves the connections that it has to their end.
//
// An upgrade (USR2) is nginx's: the new binary is a child with the same listening sockets; the pid
// file and the admin socket of the old one are renamed to .oldbin. Then WINCH and QUIT for the old
// one, or, to return, HUP for the old one and QUIT for the new: when the new one ends, the old one
// takes its names back, and serves again if it had been told to stop.
//
// One class in three files, each of which has its own events: processes, signals, start and end
// (supervisor.cc), configurations (supervisor_reload.cc), a new binary (supervisor_upgrade.cc).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "observe/error_log.h"
#include "server/control.h"
#include "server/daemon.h"
#include "server/marks.h"
#include "server/old_program.h"
#include "server/opening.h"
#include "server/process_facts.h"
#include "server/restart_pause.h"
#include "server/server_child.h"
#include "server/service_manager.h"
#include "server/upgrade.h"
#include "tls/ticket_secret.h"

namespace server {

class Supervisor {
 public:
  Supervisor(const StartOptions& options, const ServiceManager& manager, Watchdog watchdog)
      : options_(options), manager_(manager), watchdog_(watchdog), marks_(options.paths) {}
  /// After the configuration was opened. `upgrading`: another supervisor started this one, and may
  /// have given it its secret of session tickets and a socket on which it says what it does.
  int run(Opening opening, Daemon daemon, bool upgrading, Inheritance inherited);

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

  ServerChild* spawn(Configure& first);
  [[nodiscard]] base::Fd hand_over_tickets();
  void begin(ServerChild& child, const Identity& identity);
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
  void note_reload(ReloadOutcome::Kind kind, std::string_view text);
  [[nodiscard]] InstanceFacts facts() const;
  void inform();
  [[nodiscard]] OldProgram as_old_program() const;

  void begin_upgrade();
  void rest();
  void serve_again();
  void tell_return();
  void on_new_binary_end(int status);
  void rename_marks(std::string_view from, std::string_view to);

  void begin_end(MessageType how);
  void end_child(ServerChild& child, MessageType how);
  [[nodiscard]] bool owns_its_names() const;
  void remove_marks();
  bool move_pid_file(const std::string& path);
  void fail_start(std::string_view message);
  void finish() { state_ = State::over; }
  void log(observe::Level level, std::string_view message) const;

  const StartOptions& options_;
  const ServiceManager& manager_;
  Watchdog watchdog_;
  State state_ = State::starting;
  int exit_status_ = 0;
  Daemon daemon_;
  base::Fd signals_;
  std::shared_ptr<const observe::ErrorLog> log_;
  pid_t predecessor_ = 0;  // the supervisor whose new binary this is
  OldProgramLink old_program_;
  tls::TicketSecret tickets_ = tls::TicketSecret::make(std::chrono::steady_clock::now());

  Opening current_;
  std::optional<Opening> next_;  // sent, and not answered yet
  bool reload_again_ = false;
  Control control_;
  std::optional<ReloadOutcome> last_reload_;
  std::vector<std::uint64_t> waiting_;  // clients of control_, for the outcome of next_
  std::vector<std::uint64_t> waiting_again_;  // for that of the next reload

  // A configuration on trial: what runs goes back to `before_` unless its client says "keep".
  std::uint64_t trial_ = 0;  // the client; 0: none
  std::optional<Opening> before_;
  bool trial_given_up_ = false;  // before it served
  bool going_back_ = false;  // next_ is what was before a trial
  std::uint64_t last_generation_ = 1;
  Marks marks_;

  // Those that are neither serving nor to succeed it are retired.
  std::vector<std::unique_ptr<ServerChild>> children_;
  ServerChild* serving_ = nullptr;
  ServerChild* successor_ = nullptr;  // starts with next_
  Succession succession_;  // open while server processes are wanted
  RestartPause pause_;
  std::optional<base::TimePoint> spawn_at_;
  pid_t new_binary_ = 0;
  NewBinaryLink new_binary_link_;
  bool resting_ = false;  // no server process is wanted, beside a new binary
  bool returning_ = false;  // it serves again, and is to be the main process once it does
};

}  // namespace server
