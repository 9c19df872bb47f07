// Snapshot: the built configuration. Immutable, shared by all workers of a process; a reload builds
// a new one and swaps it. Building reads every file through the FileSource, so the supervisor
// (disk), `check` (disk) and the server (received descriptors) run the same code.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "config/diagnostics.h"
#include "config/file_source.h"
#include "io/socket.h"
#include "proxy/worker.h"
#include "snapshot/machine_options.h"
#include "tls/private_key.h"
#include "upstream/resolver_directives.h"

namespace config {
class Level;
struct Tree;
}  // namespace config
namespace observe {
class ErrorLog;
}
namespace proxy {
struct Listing;
}

namespace snapshot {

struct LoadOptions {
  std::string file;  // -c, already made absolute
  std::string prefix;  // -p, relative names begin here
  std::string global_directives;  // -g
  std::string error_log;  // -e; empty: stderr
  std::string temporary_directory;  // for bodies that spill; made by the server before loading
};

/// What concerns the processes, from the main and events contexts.
struct ProcessOptions {
  std::string user;  // empty: `nobody`
  std::string group;  // empty: the user's
  bool daemon = true;
  bool master_process = true;
  bool compat_nginx = false;
  std::string pid_file;  // empty: the built-in path
  unsigned worker_processes = 1;  // threads; `auto` is resolved
  std::size_t worker_connections = 512;
  std::size_t worker_certificates = 1000;
  MachineOptions machine;
  std::chrono::milliseconds shutdown_timeout{0};  // of a graceful end; 0: no limit
};

struct ListenerSpec {
  base::Address address;
  io::ListenOptions options;
  bool tls = false;
};

/// A log that was opened again after its name was given to another file.
struct ReopenedLog {
  std::string name;  // the full one
  base::Fd file;
};

class Snapshot {
 public:
  virtual ~Snapshot() = default;
  ProcessOptions process;
  std::vector<ListenerSpec> listeners;  // no address twice
  std::shared_ptr<const observe::ErrorLog> error_log;  // the main context's
  LoadOptions origin;  // what it was loaded from
  std::vector<upstream::NameInUse> names;  // hosts that requests will need

  /// This snapshot on one worker's thread (called there). Errors are those of TLS contexts.
  [[nodiscard]] virtual base::Result<std::shared_ptr<proxy::Site>> activate(
      proxy::Worker& worker) const = 0;
  /// Writes to these files from now on; what is not among them stays. From any thread, but where
  /// access logs are written, on the thread that does.
  virtual void use_logs(std::span<const ReopenedLog> logs) const = 0;
  /// Private keys for the signer, each once. Empty where a vault holds them.
  [[nodiscard]] virtual const std::vector<tls::PrivateKeyPtr>& private_keys() const = 0;

  // What it was made of and what became of it, for those who tell about it (outline.h, status).
  [[nodiscard]] virtual const config::Tree& tree() const = 0;
  [[nodiscard]] virtual const config::Level& root() const = 0;
  [[nodiscard]] virtual const proxy::Listing& listing() const = 0;
};

/// Reads and builds. Null when `diagnostics` has errors; warnings may be there in either case.
[[nodiscard]] std::shared_ptr<const Snapshot> load(const LoadOptions& options,
                                                   config::FileSource& files,
                                                   config::Diagnostics& diagnostics);

/// The configuration as `-T` prints it: each file once, in nginx's form "# configuration file
/// NAME:".
[[nodiscard]] std::string dump(const config::Diagnostics& diagnostics);

}  // namespace snapshot
