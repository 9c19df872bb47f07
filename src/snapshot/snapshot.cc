#include "snapshot/snapshot.h"

#include <fmt/format.h>
#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <span>
#include <string_view>
#include <thread>

#include "accesslog/access_log.h"
#include "config/disk_files.h"
#include "config/interpreter.h"
#include "config/parser.h"
#include "observe/error_log.h"
#include "proxy/site.h"
#include "snapshot/build.h"
#include "snapshot/features.h"
#include "snapshot/machine_directives.h"
#include "snapshot/process_directives.h"

namespace snapshot {
namespace {

class BuiltSnapshot final : public Snapshot, public std::enable_shared_from_this<BuiltSnapshot> {
 public:
  base::Result<std::shared_ptr<proxy::Site>> activate(proxy::Worker& worker) const override {
    auto site = proxy::Site::make(worker, shared_from_this(), built.listing);
    if (!site) {
      error_log->write(observe::Level::emerg, site.error());
      return base::fail(base::ErrorCode::tls, "a TLS context could not be made");
    }
    return *std::move(site);
  }
  void use_logs(std::span<const ReopenedLog> logs) const override {
    const auto* destinations = levels.find<accesslog::Destinations>();
    if (destinations == nullptr) return;
    for (const ReopenedLog& log : logs) {
      if (const auto replaced = destinations->replace(log.name, log.file); !replaced) {
        error_log->write(observe::Level::alert,
                         fmt::format("\"{}\": {}", log.name, base::describe(replaced.error())));
      }
    }
    destinations->forget_paths();
  }
  const std::vector<tls::PrivateKeyPtr>& private_keys() const override {
    return built.private_keys;
  }
  const config::Tree& tree() const override { return directives; }
  const config::Level& root() const override { return levels; }
  const proxy::Listing& listing() const override { return built.listing; }

  config::Tree directives;
  config::Level levels;
  script::Variables variables{snapshot::variables()};
  Built built;
};

// "compat nginx;" must be known before any directive is set: it changes defaults.
bool asks_for_compat(const config::Tree& tree) {
  const config::Directive* compat = config::find_directive(tree, "compat");
  return compat != nullptr && compat->arguments.size() == 1 &&
         compat->arguments.front().text == "nginx";
}

config::KeyPolicy key_policy_of(const config::Tree& tree, bool compat,
                                config::Diagnostics& diagnostics) {
  config::KeyPolicy policy;
  if (compat) policy.if_exposed = config::KeyPolicy::IfExposed::warn;
  const config::Directive* directive = config::find_directive(tree, "key_group");
  if (directive == nullptr || directive->arguments.size() != 1) return policy;
  const config::Word& name = directive->arguments.front();
  const group* found = ::getgrnam(name.text.c_str());
  if (found == nullptr) {
    diagnostics.error(name.at, "getgrnam(\"" + name.text + "\") failed", "there is no such group");
  } else {
    policy.group = found->gr_gid;
  }
  return policy;
}

ProcessOptions process_options(const config::Level& root, bool compat) {
  ProcessOptions process;
  process.compat_nginx = compat;
  const auto* options = root.find<MainOptions>();
  if (options == nullptr) return process;
  process.user = *options->user;
  process.group = *options->group;
  process.daemon = *options->daemon;
  process.master_process = *options->master_process;
  process.pid_file = *options->pid;
  process.worker_processes = *options->worker_processes;
  if (process.worker_processes == 0) {
    process.worker_processes = std::max(1U, std::thread::hardware_concurrency());
  }
  process.worker_connections = *options->worker_connections;
  process.worker_certificates = *options->worker_certificates;
  process.shutdown_timeout = *options->shutdown_timeout;
  return process;
}

// Directives that make variables and are refused so far: what uses their variables is no mistake.
bool has_unset_variables(std::span<const config::Directive> directives) {
  constexpr std::string_view kMakers[] = {"set",        "auth_request_set", "perl_set",
                                          "js_set",     "js_var",           "geoip_country",
                                          "geoip_city", "geoip_org",        "acme_certificate"};
  return std::ranges::any_of(directives, [&](const config::Directive& directive) {
    return std::ranges::find(kMakers, directive.name.text) != std::end(kMakers) ||
           has_unset_variables(directive.block);
  });
}

config::Level* find_http(config::Level& root) {
  for (const auto& child : root.children()) {
    if (child->context() == config::Context::http) return child.get();
  }
  return nullptr;
}

}  // namespace

std::shared_ptr<const Snapshot> load(const LoadOptions& options, config::FileSource& files,
                                     config::Diagnostics& diagnostics) {
  auto snapshot = std::make_shared<BuiltSnapshot>();
  snapshot->origin = options;
  config::Tree& tree = snapshot->directives;
  if (!options.global_directives.empty()) {
    config::parse_command_line(options.global_directives, files, diagnostics, tree);
  }
  config::parse_file(options.file, files, diagnostics, tree);
  if (diagnostics.has_errors()) return nullptr;

  const config::BuildFlags flags{.compat_nginx = asks_for_compat(tree)};
  files.set_key_policy(key_policy_of(tree, flags.compat_nginx, diagnostics));
  const config::Vocabulary vocabulary(features(), unsupported_directives());
  config::wrap_bare_servers(tree, vocabulary);
  config::interpret(tree, vocabulary, snapshot->levels, diagnostics, files, flags);
  for (const std::string& warning : files.take_warnings()) diagnostics.warning({}, warning);
  // Building goes on for the sake of its messages, so that all mistakes are told at once.
  diagnostics.note_losses();

  auto log = std::make_shared<observe::ErrorLog>(observe::Level::error);
  if (!options.error_log.empty() && options.error_log != "stderr") {
    auto file = snapshot->levels.options<accesslog::Destinations>().open(options.error_log, files);
    if (file) {
      log = std::make_shared<observe::ErrorLog>(
          std::vector{observe::ErrorLog::Output{.file = *std::move(file)}});
    }
  }
  snapshot->error_log = accesslog::error_log_of(snapshot->levels, log);
  snapshot->built.listing.error_log = snapshot->error_log;
  snapshot->built.listing.temporary_directory = options.temporary_directory;
  build(snapshot->levels, find_http(snapshot->levels), snapshot->variables, flags, files,
        diagnostics, snapshot->built);
  snapshot->built.listing.compat_nginx = flags.compat_nginx;
  if (!has_unset_variables(tree.directives)) snapshot->variables.finish(diagnostics);
  if (diagnostics.has_errors()) return nullptr;

  snapshot->process = process_options(snapshot->levels, flags.compat_nginx);
  snapshot->names = snapshot->built.names;
  snapshot->process.machine =
      machine_options(snapshot->levels, snapshot->process.worker_processes, diagnostics);
  for (const auto& group : snapshot->built.listing.groups) {
    auto& listener = snapshot->listeners.emplace_back(group->address, group->socket, group->tls);
    listener.options.reuse_port = !group->address.is_unix();
  }
  return snapshot;
}

std::string dump(const config::Diagnostics& diagnostics) {
  std::string out;
  std::set<std::string_view> seen;
  for (const auto& source : diagnostics.sources()) {
    if (source->kind != config::Source::Kind::file || !seen.insert(source->name).second) continue;
    out += "# configuration file " + source->name + ":\n" + source->text + "\n";
  }
  return out;
}

}  // namespace snapshot
