#include "server/supervise.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "observe/journal.h"
#include "server/crash_report.h"
#include "server/daemon.h"
#include "server/service_manager.h"
#include "server/single_process.h"
#include "server/supervisor.h"
#include "server/upgrade.h"

namespace server {
namespace {

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
  Inheritance inherited = take_inheritance();
  if (!upgrading) inherited.listeners = activated_sockets(environment, diagnostics);
  auto opening = open_configuration(options, inherited.listeners, 0, diagnostics);
  if (opening && !upgrading) warn_of_unused(inherited.listeners, *opening, diagnostics);
  inherited.listeners.clear();
  if (opening) make_run_directory(options, diagnostics);
  fmt::print(stderr, "{}", observe::for_stderr(diagnostics.render()));
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
      .run(std::move(*opening), std::move(daemon), upgrading, std::move(inherited));
}

}  // namespace server
