// error_log.
#include <fmt/format.h>

#include <array>

#include "accesslog/options.h"
#include "config/setters.h"

namespace accesslog {
namespace {

using config::Binding;
using config::Context;
using observe::ErrorLog;
using observe::Level;
using observe::LogFormat;

struct Parameters {
  Level level = Level::error;
  LogFormat format = LogFormat::text;
};

std::optional<Parameters> read_parameters(const Binding& binding) {
  constexpr std::array<std::string_view, 8> kLevels = {"emerg", "alert",  "crit", "error",
                                                       "warn",  "notice", "info", "debug"};
  constexpr std::string_view kFormat = "format=";
  Parameters read;
  for (std::size_t i = 1; i < binding.count(); ++i) {
    const std::string_view given = binding.argument(i);
    if (given.starts_with(kFormat)) {
      const std::string_view format = given.substr(kFormat.size());
      if (format != "json" && format != "text") {
        binding.invalid(i, "the format is text or json");
        return std::nullopt;
      }
      read.format = format == "json" ? LogFormat::json : LogFormat::text;
      continue;
    }
    const auto level = config::read_choice(binding, i, std::span<const std::string_view>(kLevels));
    if (!level) return std::nullopt;
    read.level = static_cast<Level>(*level);
  }
  return read;
}

void set_error_log(Binding& binding) {
  auto& setting = binding.options<ErrorLogOptions>().log;
  if (setting.is_set) {
    return binding.error("several \"error_log\" directives in one block are not supported yet",
                         "keep the one with the lowest level");
  }
  const auto parameters = read_parameters(binding);
  if (!parameters) return;
  const std::string& path = binding.argument(0);
  if (path == "stderr") {
    return setting.set(std::make_shared<const ErrorLog>(parameters->level, parameters->format),
                       binding.where());
  }
  for (const std::string_view kind : {"syslog", "memory"}) {
    if (path.starts_with(kind) && path.substr(kind.size()).starts_with(':')) {
      return binding.error_at(0, fmt::format("logging to {} is not supported yet", kind),
                              "log to a file or to stderr");
    }
  }
  if (path == "off") {
    binding.warn_at(0, "\"error_log off\" logs to a file named \"off\"",
                    "to hear of the gravest errors only: error_log /dev/null emerg");
  }
  auto file = binding.open(0, config::Purpose::log_append);
  if (!file) return;
  setting.set(
      std::make_shared<const ErrorLog>(*std::move(file), parameters->level, parameters->format),
      binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "error_log",
     .contexts = config::kHttpServerLocation | Context::main,
     .arguments = config::takes_at_least(1),
     .repeat = config::Repeat::repeatable,
     .syntax = "FILE | stderr [LEVEL] [format=text|json]",
     .default_text = "stderr error",
     .documentation =
         "Where errors are told, from which level on: debug, info, notice, warn, error, crit, "
         "alert, emerg.",
     .set = set_error_log},
};

}  // namespace

constinit const config::Feature kErrorLogFeature{
    .name = "errorlog",
    .directives = kDirectives,
    .inherit = config::inherit_options<ErrorLogOptions>,
};

}  // namespace accesslog
