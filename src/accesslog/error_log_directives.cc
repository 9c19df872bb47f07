// error_log.
#include <fmt/format.h>

#include <array>

#include "accesslog/options.h"
#include "config/setters.h"
#include "config/values.h"
#include "observe/memory_log.h"

namespace accesslog {
namespace {

using config::Binding;
using config::Context;
using observe::ErrorLog;
using observe::Level;
using observe::LogFile;
using observe::LogFormat;
using observe::MemoryLog;

constexpr std::string_view kMemory = "memory:";

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

/// Where a line goes; nothing if that was refused.
std::optional<ErrorLog::Output> find_output(const Binding& binding) {
  const std::string& place = binding.argument(0);
  Destinations& destinations = binding.level.root().options<Destinations>();
  if (place == "stderr") return ErrorLog::Output{.file = LogFile::standard_error()};
  if (is_syslog(place)) {
    auto syslog = read_syslog(binding);
    if (syslog == nullptr) return std::nullopt;
    return ErrorLog::Output{.syslog = std::move(syslog)};
  }
  if (place.starts_with(kMemory)) {
    const auto size = config::parse_size(std::string_view(place).substr(kMemory.size()));
    if (!size || *size < MemoryLog::kSmallest || *size > MemoryLog::kLargest) {
      binding.invalid(0, "a size from 8k to 1g follows: memory:1m");
      return std::nullopt;
    }
    return ErrorLog::Output{.memory = *size};
  }
  if (place == "off") {
    binding.warn_at(0, "\"error_log off\" logs to a file named \"off\"",
                    "to hear of the gravest errors only: error_log /dev/null emerg");
  }
  auto file = destinations.open(place, binding.files);
  if (!file) {
    binding.report_failure(0, config::Purpose::log_append, file.error());
    return std::nullopt;
  }
  return ErrorLog::Output{.file = *std::move(file)};
}

void set_error_log(Binding& binding) {
  auto& setting = binding.options<ErrorLogOptions>().log;
  const auto parameters = read_parameters(binding);
  if (!parameters) return;
  auto output = find_output(binding);
  if (!output) return;
  output->level = parameters->level;
  output->format = parameters->format;
  std::vector<ErrorLog::Output> outputs;
  if (setting.is_set) {
    const auto before = (*setting)->outputs();
    outputs.assign(before.begin(), before.end());
  }
  outputs.push_back(*std::move(output));
  setting.set(std::make_shared<const ErrorLog>(std::move(outputs)), binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "error_log",
     .contexts = config::kHttpServerLocation | Context::main,
     .arguments = config::takes_at_least(1),
     .repeat = config::Repeat::repeatable,
     .syntax = "FILE | stderr | memory:SIZE | syslog:server=ADDRESS[,PARAMETER...] [LEVEL] "
               "[format=text|json]",
     .default_text = "stderr error",
     .documentation =
         "Where errors are told, from which level on: debug, info, notice, warn, error, crit, "
         "alert, emerg. Several may be given.",
     .set = set_error_log},
};

}  // namespace

constinit const config::Feature kErrorLogFeature{
    .name = "errorlog",
    .directives = kDirectives,
    .inherit = config::inherit_options<ErrorLogOptions>,
};

}  // namespace accesslog
