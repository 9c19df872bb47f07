#include "server/single_process.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "observe/error_log.h"
#include "observe/journal.h"
#include "server/admin.h"
#include "server/local_socket.h"
#include "server/machine.h"
#include "server/pid_file.h"
#include "server/reopening.h"
#include "server/server.h"
#include "server/signals.h"
#include "snapshot/difference.h"

namespace server {
namespace {

using observe::Level;

std::vector<ListenerSockets> duplicate(const std::vector<ListenerSockets>& listeners) {
  std::vector<ListenerSockets> copies;
  for (const ListenerSockets& listener : listeners) {
    copies.push_back({.address = listener.address, .tls = listener.tls});
    for (const base::Fd& socket : listener.sockets) {
      copies.back().sockets.push_back(socket.duplicate());
    }
  }
  return copies;
}

class SingleProcess final : private io::Pollable, private io::Timer {
 public:
  SingleProcess(const StartOptions& options, Opening opening, Daemon daemon);
  int run();

 private:
  void on_events(std::uint32_t events) noexcept override;
  void on_timer() noexcept override;
  void on_signal(int number);
  void on_started(const std::expected<void, std::string>& adopted);
  void reload();
  void reopen();
  void note_reload(ReloadOutcome::Kind kind, std::string text);
  void fail(std::string_view message);
  void end(int how);

  const StartOptions& options_;
  Daemon daemon_;
  base::Fd signals_;  // before the workers: they inherit the mask
  base::SystemClock clock_;
  io::EventLoop control_;
  ProcessFacts facts_;
  Opening current_;
  std::optional<Opening> next_;
  Server server_;
  std::unique_ptr<Admin> admin_;
  std::string pid_file_;
  std::uint64_t generation_ = 0;
  int exit_status_ = 0;
};

SingleProcess::SingleProcess(const StartOptions& options, Opening opening, Daemon daemon)
    : options_(options),
      daemon_(std::move(daemon)),
      signals_(take_signals()),
      control_(clock_),
      facts_{.supervisor = ::getpid(),
             .server = ::getpid(),
             .restarts = 0,
             .started = clock_.wall(),
             .owner = ::getuid()},
      current_(std::move(opening)),
      server_(clock_, control_, current_.message.workers, tls::TicketSecret::make(clock_.now())) {}

int SingleProcess::run() {
  auto socket = open_local_socket(options_.paths.admin_socket);
  const bool bound = socket.has_value();
  if (bound) {
    if (auto admin = Admin::start(control_, std::move(*socket), server_, facts_)) {
      admin_ = std::move(*admin);
    }
  }
  static_cast<void>(control_.add(signals_.get(), EPOLLIN, *this));
  control_.post([this, bound] {
    if (!bound) return fail("the admin socket is in use");
    server_.adopt({.number = ++generation_,
                   .snapshot = current_.snapshot,
                   .listeners = duplicate(current_.message.listeners)},
                  [this](std::expected<void, std::string> adopted) { on_started(adopted); });
  });
  control_.run();
  control_.remove(signals_.get(), *this);
  if (!pid_file_.empty()) remove_pid_file(pid_file_, ::getpid());
  if (bound) ::unlink(options_.paths.admin_socket.c_str());
  daemon_.tell(exit_status_);
  return exit_status_;
}

void SingleProcess::on_started(const std::expected<void, std::string>& adopted) {
  if (!adopted) return fail(adopted.error());
  const std::string path = current_.pid_file(options_.paths);
  if (const auto written = write_pid_file(path, ::getpid()); !written) {
    return fail(fmt::format("\"{}\": {}", path, base::describe(written.error())));
  }
  pid_file_ = path;
  redirect_stderr(*current_.snapshot->error_log);
  fmt::print("{}", options_.note);
  std::fflush(stdout);
  daemon_.tell(0);
}

void SingleProcess::fail(std::string_view message) {
  fmt::print(stderr, "{}", observe::for_stderr(fmt::format("sallyport: [emerg] {}\n", message)));
  exit_status_ = 1;
  end(SIGTERM);
}

void SingleProcess::on_events(std::uint32_t /*events*/) noexcept {
  // Not from within the hand-out: a reload takes long.
  control_.post([this] {
    while (const auto number = next_signal(signals_)) on_signal(*number);
  });
}

void SingleProcess::on_signal(int number) {
  switch (number) {
    case SIGQUIT:
    case SIGTERM:
    case SIGINT: return end(number);
    case SIGHUP: return reload();
    case SIGUSR1: return reopen();
    case SIGCHLD: return;
    default:
      current_.snapshot->error_log->write(
          Level::warn,
          fmt::format("signal {} ({}) is not supported yet", number, ::sigabbrev_np(number)));
  }
}

void SingleProcess::end(int how) {
  // Ours go first: then the kernel refuses new clients once the workers have closed theirs.
  unlink_sockets(current_.message.listeners, {});
  current_.message.listeners.clear();
  const auto ended = [this] { control_.stop(); };
  if (how != SIGQUIT) return server_.terminate(ended);
  server_.quit(ended);
  const auto timeout = current_.snapshot->process.shutdown_timeout;
  if (timeout.count() > 0) control_.timers().set(*this, control_.now() + timeout);
}

void SingleProcess::on_timer() noexcept {
  server_.terminate([] {});
}

void SingleProcess::reopen() {
  const auto log = current_.snapshot->error_log;
  log->write(Level::notice, "reopening logs");
  for (Opening* opening : {&current_, next_ ? &*next_ : nullptr}) {
    if (opening == nullptr) continue;
    server_.reopen_logs(reopen_logs(*opening, *log), [this] {
      if (!pid_file_.empty()) redirect_stderr(*current_.snapshot->error_log);
    });
  }
}

void SingleProcess::reload() {
  if (server_.ending() || next_ || pid_file_.empty()) return;
  const auto log = current_.snapshot->error_log;
  config::Diagnostics diagnostics;
  next_ = open_configuration(options_, current_.message.listeners, current_.message.workers,
                             diagnostics);
  for (const config::Diagnostic& diagnostic : diagnostics.list()) {
    log->write(diagnostic.severity == config::Severity::error ? Level::emerg : Level::warn,
               one_line(diagnostic));
  }
  if (!next_) {
    note_reload(ReloadOutcome::Kind::refused, in_short(diagnostics));
    return log->write(Level::emerg,
                      "not reloaded: the configuration has errors, the old one goes on");
  }
  server_.adopt(
      {.number = ++generation_,
       .snapshot = next_->snapshot,
       .listeners = duplicate(next_->message.listeners)},
      [this, log](std::expected<void, std::string> adopted) {
        if (adopted) {
          unlink_sockets(current_.message.listeners, next_->message.listeners);
          const std::string report = snapshot::reload_report(*current_.snapshot, *next_->snapshot);
          current_ = std::move(*next_);
          current_.snapshot->error_log->write(
              Level::notice, fmt::format("reloaded: generation {}; {}", generation_, report));
          note_reload(ReloadOutcome::Kind::applied, report);
        } else {
          unlink_sockets(next_->message.listeners, current_.message.listeners);
          restore_options(current_);
          log->write(Level::emerg, "not reloaded: " + adopted.error());
          note_reload(ReloadOutcome::Kind::refused, adopted.error());
        }
        next_.reset();
      });
}

void SingleProcess::note_reload(ReloadOutcome::Kind kind, std::string text) {
  facts_.instance.last_reload = ReloadOutcome{.kind = kind,
                                              .time = clock_.wall(),
                                              .generation = server_.generation(),
                                              .text = std::move(text)};
}

}  // namespace

int serve_in_one_process(const StartOptions& options, Opening opening, Daemon daemon) {
  const auto& machine = opening.snapshot->process.machine;
  take_from_machine(machine, *opening.snapshot->error_log);
  clean_environment(machine.environment);
  return SingleProcess(options, std::move(opening), std::move(daemon)).run();
}

}  // namespace server
