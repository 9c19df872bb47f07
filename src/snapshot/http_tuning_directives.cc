// nginx's directives that tune how it moves bytes of HTTP: its buffers, pools and ways to read a
// disk. What they ask for happens here in one way, whatever they say, so they are checked as nginx
// checks them and then let be; a line is written only where somebody might miss something.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>

#include "config/setters.h"
#include "snapshot/tuning_directives.h"

namespace snapshot {
namespace {

using config::Binding;
using config::kHttpServer;
using config::kHttpServerLocation;

void check_flag(Binding& binding) { static_cast<void>(config::read_flag(binding)); }
void check_size(Binding& binding) { static_cast<void>(config::read_size(binding)); }

void check_size_or_off(Binding& binding) {
  if (binding.argument(0) != "off") check_size(binding);
}

void check_buffers(Binding& binding) {
  if (config::read_number(binding, 0, 1)) static_cast<void>(config::read_size(binding, 1));
}

void check_proxy_buffers(Binding& binding) {
  const auto count = config::read_number(binding, 0, 1);
  if (!count || !config::read_size(binding, 1)) return;
  if (*count < 2) {
    binding.error_at(0, fmt::format("there must be at least 2 \"{}\"", binding.name()));
  }
}

void check_aio(Binding& binding) {
  const std::string_view value = binding.argument(0);
  const bool pool = value.starts_with("threads=") && value.size() > 8;
  if (value == "on" || value == "off" || value == "threads" || pool) return;
  binding.error_at(0, "\"aio\" directive invalid value", "on, off or threads[=POOL]");
}

// As nginx on a machine of 64 bits.
void check_pool_size(Binding& binding) {
  constexpr std::uint64_t kLeast = 112;
  constexpr std::uint64_t kMultiple = 16;
  const auto size = config::read_size(binding);
  if (!size) return;
  if (*size < kLeast) {
    return binding.error_at(0, fmt::format("the pool size must be no less than {}", kLeast));
  }
  if (*size % kMultiple != 0) {
    binding.error_at(0, fmt::format("the pool size must be a multiple of {}", kMultiple));
  }
}

// PATH [LEVEL [LEVEL [LEVEL]]]: how many digits the names of its folders have.
void check_temporary_path(Binding& binding) {
  for (std::size_t i = 1; i < binding.count(); ++i) {
    static_cast<void>(config::read_number(binding, i, 1, 3));
  }
}

void check_msie_refresh(Binding& binding) {
  if (config::read_flag(binding).value_or(false)) {
    binding.warn("\"msie_refresh\" has no effect: all clients get redirects");
  }
}

void check_early_read(Binding& binding) {
  binding.warn(
      "\"client_body_early_read\" has no effect: a body is read when its location is known");
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "aio",
     .contexts = kHttpServerLocation,
     .syntax = "on | off | threads[=POOL]",
     .default_text = "off",
     .documentation =
         "For nginx's files, without effect: a worker reads files itself, piece by piece.",
     .set = check_aio},
    {.name = "aio_write",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "For nginx's files, without effect: a worker writes files itself.",
     .set = check_flag},
    {.name = "directio",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE | off",
     .default_text = "off",
     .documentation = "For nginx's files, without effect: files are read through the page cache.",
     .set = check_size_or_off},
    {.name = "directio_alignment",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "512",
     .documentation = "For nginx's files, without effect: files are read through the page cache.",
     .set = check_size},
    {.name = "read_ahead",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "For nginx's files, without effect: the kernel decides.",
     .set = check_size},
    {.name = "output_buffers",
     .contexts = kHttpServerLocation,
     .arguments = config::takes(2),
     .syntax = "NUMBER SIZE",
     .documentation = "For nginx's files, without effect: a file is read in pieces of 64 KB.",
     .set = check_buffers},
    {.name = "postpone_output",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .documentation = "For nginx's files, without effect: a head leaves with the first bytes.",
     .set = check_size},
    {.name = "send_lowat",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "For nginx's files, without effect: Linux has no such setting.",
     .set = check_size},
    {.name = "sendfile_max_chunk",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .documentation = "For nginx's files, without effect: 512 KB before others have their turn.",
     .set = check_size},
    {.name = "connection_pool_size",
     .contexts = kHttpServer,
     .syntax = "SIZE",
     .documentation = "For nginx's files, without effect: memory is taken as it is needed.",
     .set = check_pool_size},
    {.name = "request_pool_size",
     .contexts = kHttpServer,
     .syntax = "SIZE",
     .documentation = "For nginx's files, without effect: memory is taken as it is needed.",
     .set = check_pool_size},
    {.name = "msie_padding",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .documentation = "For nginx's files, without effect: error pages are the same for all.",
     .set = check_flag},
    {.name = "msie_refresh",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "For nginx's files, without effect: all clients get redirects.",
     .set = check_msie_refresh},
    {.name = "client_body_early_read",
     .contexts = kHttpServer,
     .arguments = config::takes_at_least(1),
     .syntax = "CONDITION...",
     .documentation = "For nginx's files, without effect: a body is read for its location.",
     .set = check_early_read},
    {.name = "client_body_in_single_buffer",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .documentation = "For nginx's files, without effect: a body in memory is always in one piece.",
     .set = check_flag},
    {.name = "proxy_buffers",
     .contexts = kHttpServerLocation,
     .arguments = config::takes(2),
     .syntax = "NUMBER SIZE",
     .documentation = "For nginx's files, without effect: a response takes up to 64 KB.",
     .set = check_proxy_buffers},
    {.name = "proxy_busy_buffers_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .documentation = "For nginx's files, without effect: a response takes up to 64 KB.",
     .set = check_size},
    {.name = "proxy_max_temp_file_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "For nginx's files, without effect: no response is written to a file.",
     .set = check_size},
    {.name = "proxy_temp_file_write_size",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .documentation = "For nginx's files, without effect: no response is written to a file.",
     .set = check_size},
    {.name = "proxy_temp_path",
     .contexts = kHttpServerLocation,
     .arguments = config::takes(1, 4),
     .syntax = "PATH [LEVEL [LEVEL [LEVEL]]]",
     .documentation = "For nginx's files, without effect: no response is written to a file.",
     .set = check_temporary_path},
    {.name = "proxy_send_lowat",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "For nginx's files, without effect: Linux has no such setting.",
     .set = check_size},
    {.name = "tunnel_send_lowat",
     .contexts = kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "For nginx's files, without effect: Linux has no such setting.",
     .set = check_size},
};

}  // namespace

const config::Feature kHttpTuningFeature{"http_tuning", kDirectives, nullptr};

}  // namespace snapshot
