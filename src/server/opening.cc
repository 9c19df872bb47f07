#include "server/opening.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "config/disk_files.h"
#include "proxy/site.h"
#include "server/machine.h"
#include "server/name_check.h"

namespace server {
namespace {

const ListenerSockets* find(std::span<const ListenerSockets> listeners,
                            const base::Address& address) {
  const auto found = std::ranges::find(listeners, address, &ListenerSockets::address);
  return found == listeners.end() ? nullptr : &*found;
}

/// Whether one of `ours` makes a bind() to `address` fail that does not share: the same port, and
/// one of both is the wildcard address.
bool overlaps(std::span<const ListenerSockets> ours, const base::Address& address) {
  return std::ranges::any_of(ours, [&](const ListenerSockets& other) {
    return other.address.is_ip() && other.address.port() == address.port() &&
           (other.address.is_wildcard() || address.is_wildcard());
  });
}

base::Result<void> probe(const snapshot::ListenerSpec& spec) {
  const base::Address& address = spec.address;
  const base::Fd socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return base::fail(base::error_from_errno(errno, "socket() failed"));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) {
    const int only = spec.options.ipv6_only ? 1 : 0;
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  if (::bind(socket.get(), address.native(), address.native_size()) != 0) {
    return base::fail(base::error_from_errno(errno, "bind() failed"));
  }
  return {};
}

/// nginx's sentence: bind() to 0.0.0.0:80 failed (98: Address already in use)
std::string describe_listen_failure(const base::Address& address, const base::Error& error) {
  const std::string_view call = error.context.substr(0, error.context.find(' '));
  return fmt::format("{} {} {} {}", call, call == "bind()" ? "to" : "for", address.text(),
                     base::describe(error.during("failed")));
}

bool shares_its_port(const base::Fd& socket) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &value, &size) == 0 && value != 0;
}

/// The same sockets once more, and as many more as there are workers without one. Workers that are
/// fewer than sockets serve several: none is closed, since that would reset what is queued in it.
/// The options of those that are open change when everything else is well.
base::Result<ListenerSockets> share(const ListenerSockets& open, const snapshot::ListenerSpec& spec,
                                    unsigned workers, config::Diagnostics& diagnostics) {
  ListenerSockets shared{.address = open.address, .tls = spec.tls, .activated = open.activated};
  for (const base::Fd& socket : open.sockets) shared.sockets.push_back(socket.duplicate());
  if (spec.address.is_unix() || open.sockets.empty()) return shared;
  io::ListenOptions options =
      io::keep_fixed_options(open.sockets.front().get(), spec.address, spec.options);
  if (options.multipath != spec.options.multipath || options.ipv6_only != spec.options.ipv6_only) {
    diagnostics.warning({}, fmt::format("a new \"multipath\" or \"ipv6only\" of {} takes effect "
                                        "after a restart",
                                        spec.address.text()));
  }
  if (!shares_its_port(open.sockets.front())) return shared;
  options.reuse_port = true;
  while (shared.sockets.size() < workers) {
    TRY(auto socket, io::open_listener(spec.address, options));
    shared.sockets.push_back(std::move(socket));
  }
  return shared;
}

void warn_of_ignored(const base::Address& address, std::span<const io::OptionFailure> failures,
                     config::Diagnostics& diagnostics) {
  for (const io::OptionFailure& failure : failures) {
    diagnostics.warning({}, fmt::format("\"{}\" of {} is ignored: {}", failure.option,
                                        address.text(), base::describe(failure.error)));
  }
}

/// A bind without SO_REUSEPORT to every new address, before any of them is ours: with that option,
/// another program of the same user would silently take a share of the clients.
void probe_listeners(const Opening& opening, std::span<const ListenerSockets> current,
                     config::Diagnostics& diagnostics) {
  for (const snapshot::ListenerSpec& spec : opening.snapshot->listeners) {
    if (spec.address.is_unix() || find(current, spec.address) != nullptr ||
        overlaps(current, spec.address)) {
      continue;
    }
    if (const auto probed = probe(spec); !probed) {
      diagnostics.error({}, describe_listen_failure(spec.address, probed.error()));
    }
  }
}

void open_listeners(Opening& opening, std::span<const ListenerSockets> current,
                    config::Diagnostics& diagnostics) {
  for (const snapshot::ListenerSpec& spec : opening.snapshot->listeners) {
    const ListenerSockets* open = find(current, spec.address);
    std::vector<io::OptionFailure> ignored;
    auto sockets = open != nullptr ? share(*open, spec, opening.message.workers, diagnostics)
                                   : open_sockets(spec, opening.message.workers, ignored);
    warn_of_ignored(spec.address, ignored, diagnostics);
    if (sockets) {
      opening.message.listeners.push_back(std::move(*sockets));
    } else {
      diagnostics.error({}, describe_listen_failure(spec.address, sockets.error()));
    }
  }
}

/// Nothing but blanks and comments: most likely a file that is being written, and serving nothing
/// is not what anyone meant.
bool is_blank(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first != std::string_view::npos && line[first] != '#') return false;
  }
  return true;
}

void refuse_blank(const std::string& file, config::Diagnostics& diagnostics) {
  for (const auto& source : diagnostics.sources()) {
    if (source->name == file && is_blank(source->text)) {
      return diagnostics.error({}, fmt::format("nothing is configured in {}", file));
    }
  }
}

void choose_identity(Opening& opening, config::Diagnostics& diagnostics) {
  const snapshot::ProcessOptions& process = opening.snapshot->process;
  if (::geteuid() != 0) {
    if (process.user.empty()) return;
    diagnostics.warning({},
                        "the \"user\" directive makes sense only if the supervisor runs with "
                        "super-user privileges, ignored");
    return;
  }
  auto identity = find_identity(process.user.empty() ? "nobody" : process.user, process.group);
  if (identity) {
    opening.message.identity = std::move(*identity);
  } else {
    diagnostics.error({}, identity.error());
  }
}

/// Each user has one of its own: instances with other users share the state directory, and so does
/// the process that drains when `user` has changed.
void make_temporary_directory(Opening& opening, config::Diagnostics& diagnostics) {
  std::string& path = opening.message.load.temporary_directory;
  const Identity& identity = opening.message.identity;
  if (identity.change) path += fmt::format("-{}", identity.user);
  base::Result<void> made = make_directories(directory_of(path), 0755);
  if (made) made = make_directories(path, 0700);
  if (made && identity.change && ::lchown(path.c_str(), identity.user, identity.group) != 0) {
    made = base::fail(base::error_from_errno(errno, "chown() failed"));
  }
  if (!made) {
    diagnostics.warning(
        {}, fmt::format("\"{}\" for temporary files: {}", path, base::describe(made.error())));
  }
}

/// client_body_temp_path: nginx makes the last part of the path, too, and gives it to `user`.
void make_body_directories(const Opening& opening, config::Diagnostics& diagnostics) {
  const Identity& identity = opening.message.identity;
  for (const std::string& path : opening.snapshot->listing().body_directories) {
    const bool is_new = ::mkdir(path.c_str(), 0700) == 0;
    base::Result<void> made;
    if (!is_new && errno != EEXIST) {
      made = base::fail(base::error_from_errno(errno, "mkdir() failed"));
    } else if (is_new && identity.change &&
               ::lchown(path.c_str(), identity.user, identity.group) != 0) {
      made = base::fail(base::error_from_errno(errno, "chown() failed"));
    }
    if (!made) {
      diagnostics.warning(
          {}, fmt::format("\"{}\" for requests' bodies: {}", path, base::describe(made.error())));
    }
  }
}

}  // namespace

std::string Opening::pid_file(const Paths& paths) const {
  const std::string& named = snapshot->process.pid_file;
  return named.empty() ? paths.pid_file : below(paths.prefix, named);
}

config::Prefixes prefixes_of(const snapshot::LoadOptions& load) {
  return {.prefix = load.prefix, .config = directory_of(load.file)};
}

std::optional<Opening> read_configuration(const StartOptions& options,
                                          config::Diagnostics& diagnostics) {
  Opening opening;
  opening.message.load = options.load;
  opening.message.prefixes = prefixes_of(options.load);
  config::DiskFiles disk(opening.message.prefixes);
  config::RecordingFiles files(disk);
  opening.snapshot = snapshot::load(options.load, files, diagnostics);
  refuse_blank(options.load.file, diagnostics);
  if (opening.snapshot != nullptr) check_machine(opening.snapshot->process, diagnostics);
  if (opening.snapshot == nullptr || diagnostics.has_errors()) return std::nullopt;
  opening.message.files = files.take();
  opening.message.workers = opening.snapshot->process.worker_processes;
  return opening;
}

std::optional<Opening> open_configuration(const StartOptions& options,
                                          std::span<const ListenerSockets> current,
                                          unsigned workers, config::Diagnostics& diagnostics) {
  auto opening = read_configuration(options, diagnostics);
  if (!opening) return std::nullopt;
  check_names(*opening->snapshot, diagnostics);
  if (workers != 0) opening->message.workers = workers;
  choose_identity(*opening, diagnostics);
  probe_listeners(*opening, current, diagnostics);
  if (!diagnostics.has_errors()) open_listeners(*opening, current, diagnostics);
  if (diagnostics.has_errors()) {
    unlink_sockets(opening->message.listeners, current);
    return std::nullopt;
  }
  make_temporary_directory(*opening, diagnostics);
  make_body_directories(*opening, diagnostics);
  for (const snapshot::ListenerSpec& spec : opening->snapshot->listeners) {
    const ListenerSockets* open = find(current, spec.address);
    if (open == nullptr) continue;
    warn_of_ignored(spec.address, change_options(*open, spec.options), diagnostics);
  }
  return opening;
}

std::vector<std::string_view> needs_new_process(const snapshot::ProcessOptions& have,
                                                const snapshot::ProcessOptions& wanted) {
  std::vector<std::string_view> directives;
  if (wanted.worker_processes != have.worker_processes) directives.push_back("worker_processes");
  if (wanted.user != have.user || wanted.group != have.group) directives.push_back("user");
  if (!wanted.machine.starts_like(have.machine)) {
    directives.push_back("worker_rlimit_*, worker_priority, working_directory or env");
  }
  return directives;
}

std::vector<io::OptionFailure> change_options(const ListenerSockets& open,
                                              const io::ListenOptions& options) {
  std::vector<io::OptionFailure> failures;
  for (const base::Fd& socket : open.sockets) {
    // What one socket does not take, its siblings don't either.
    failures = io::change_listen_options(socket.get(), open.address, options);
  }
  return failures;
}

void restore_options(const Opening& opening) {
  for (const snapshot::ListenerSpec& spec : opening.snapshot->listeners) {
    const ListenerSockets* open = find(opening.message.listeners, spec.address);
    if (open != nullptr) static_cast<void>(change_options(*open, spec.options));
  }
}

base::Result<ListenerSockets> open_sockets(const snapshot::ListenerSpec& spec, unsigned workers,
                                           std::vector<io::OptionFailure>& ignored) {
  ListenerSockets listener{.address = spec.address, .tls = spec.tls};
  const bool is_unix = spec.address.is_unix();
  io::ListenOptions options = spec.options;
  options.reuse_port = !is_unix;
  for (unsigned index = 0; index < (is_unix ? 1 : workers); ++index) {
    TRY(auto socket, io::open_listener(spec.address, options, &ignored));
    listener.sockets.push_back(std::move(socket));
  }
  return listener;
}

void unlink_sockets(std::span<const ListenerSockets> gone, std::span<const ListenerSockets> kept) {
  for (const ListenerSockets& listener : gone) {
    if (!listener.address.is_unix() || listener.activated) continue;
    if (find(kept, listener.address) != nullptr) continue;
    const std::string path = listener.address.text().substr(5);
    if (!path.starts_with('@')) ::unlink(path.c_str());
  }
}

std::string one_line(const config::Diagnostic& diagnostic) {
  if (diagnostic.file.empty()) return diagnostic.message;
  if (diagnostic.line == 0) return fmt::format("{} in {}", diagnostic.message, diagnostic.file);
  return fmt::format("{} in {}:{}", diagnostic.message, diagnostic.file, diagnostic.line);
}

std::string in_short(const config::Diagnostics& diagnostics) {
  std::string first;
  std::size_t others = 0;
  for (const config::Diagnostic& diagnostic : diagnostics.list()) {
    if (diagnostic.severity != config::Severity::error) continue;
    if (first.empty()) {
      first = one_line(diagnostic);
    } else {
      ++others;
    }
  }
  return others == 0 ? first : fmt::format("{}, and {} more", first, others);
}

}  // namespace server
