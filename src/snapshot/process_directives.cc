#include "snapshot/process_directives.h"

#include "config/setters.h"

namespace snapshot {
namespace {

using config::Binding;
using config::Context;
using O = MainOptions;

void set_user(Binding& binding) {
  auto& options = binding.options<O>();
  options.user.set(binding.argument(0), binding.where());
  if (binding.count() > 1) options.group.set(binding.argument(1), binding.where());
}

void set_pid(Binding& binding) {
  binding.options<O>().pid.set(binding.files.full_name(binding.argument(0), config::Purpose::place),
                               binding.where());
}

void set_worker_processes(Binding& binding) {
  unsigned count = 0;
  if (binding.argument(0) != "auto") {
    const auto number = config::read_number(binding, 0, 1, 1024);
    if (!number) return;
    count = static_cast<unsigned>(*number);
  }
  binding.options<O>().worker_processes.set(count, binding.where());
}

void set_worker_connections(Binding& binding) {
  const auto number = config::read_number(binding, 0, 1, 10'000'000);
  if (number) {
    binding.level.root().options<O>().worker_connections.set(*number, binding.where());
  }
}

void set_worker_certificates(Binding& binding) {
  if (const auto number = config::read_number(binding, 0, 1, 10'000'000)) {
    binding.options<O>().worker_certificates.set(*number, binding.where());
  }
}

void set_shutdown_timeout(Binding& binding) {
  if (const auto timeout = config::read_duration(binding, 0)) {
    binding.options<O>().shutdown_timeout.set(*timeout, binding.where());
  }
}

void set_compat(Binding& binding) {
  if (binding.argument(0) != "nginx") return binding.invalid(0, "only \"nginx\" may stand here");
  binding.options<O>().compat_nginx.set(true, binding.where());
}

void open_block(Binding& /*binding*/) {}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "user",
     .contexts = Context::main,
     .arguments = config::takes(1, 2),
     .syntax = "NAME [GROUP]",
     .default_text = "nobody",
     .documentation = "As whom requests are served, when started by root.",
     .set = set_user},
    {.name = "daemon",
     .contexts = Context::main,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether the program goes to the background.",
     .set = config::set_flag<&O::daemon>},
    {.name = "master_process",
     .contexts = Context::main,
     .syntax = "on | off",
     .default_text = "on",
     .documentation =
         "Whether a supervisor starts the server process; off: all in one process, for a debugger.",
     .set = config::set_flag<&O::master_process>},
    {.name = "pid",
     .contexts = Context::main,
     .syntax = "FILE",
     .default_text = "/run/sallyport/sallyport.pid",
     .documentation = "Where the supervisor's process id is written.",
     .set = set_pid},
    {.name = "worker_processes",
     .contexts = Context::main,
     .syntax = "NUMBER | auto",
     .default_text = "1",
     .documentation = "Worker threads; auto: one for each CPU.",
     .set = set_worker_processes},
    {.name = "worker_certificates",
     .contexts = Context::main,
     .syntax = "NUMBER",
     .default_text = "1000",
     .documentation =
         "Certificates, with their keys, that a worker keeps ready for handshakes, about "
         "20 KB each; those asked for last stay.",
     .set = set_worker_certificates},
    {.name = "worker_shutdown_timeout",
     .contexts = Context::main,
     .syntax = "TIME",
     .documentation = "How long a graceful end waits for connections before it closes them.",
     .set = set_shutdown_timeout},
    {.name = "events",
     .contexts = Context::main,
     .arguments = config::takes(0),
     .block = config::opens(Context::events),
     .syntax = "{ ... }",
     .documentation = "What concerns connections in general.",
     .set = open_block},
    {.name = "worker_connections",
     .contexts = Context::events,
     .syntax = "NUMBER",
     .default_text = "512",
     .documentation = "Clients' connections that a worker takes at once.",
     .set = set_worker_connections},
    {.name = "http",
     .contexts = Context::main,
     .arguments = config::takes(0),
     .block = config::opens(Context::http),
     .syntax = "{ ... }",
     .documentation = "HTTP servers, groups of backends, and what they share.",
     .set = open_block},
    {.name = "compat",
     .contexts = Context::main,
     .syntax = "nginx",
     .documentation = "Has nginx's defaults where Sallyport's differ; framing stays strict.",
     .set = set_compat},
    {.name = "key_group",
     .contexts = Context::main,
     .syntax = "GROUP",
     .documentation = "A group that may read private keys' files.",
     .set = config::set_text<&O::key_group>},
};

}  // namespace

const config::Feature kProcessFeature{"process", kDirectives, nullptr};

}  // namespace snapshot
