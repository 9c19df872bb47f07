// log_format and access_log.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "accesslog/options.h"
#include "base/text.h"
#include "config/setters.h"
#include "config/values.h"

namespace accesslog {
namespace {

using config::Binding;
using config::Context;

constexpr std::array<config::Choice<Escape>, 3> kEscapes{
    {{"default", Escape::text}, {"json", Escape::json}, {"none", Escape::none}}};

void add_format(Binding& binding) {
  auto& formats = binding.options<FormatTable>().formats;
  FormatSpec spec{.name = binding.word(0)};
  const auto same_name = [&spec](const FormatSpec& other) {
    return other.name.text == spec.name.text;
  };
  if (spec.name.text == combined_format().name.text || std::ranges::any_of(formats, same_name)) {
    return binding.error_at(0, fmt::format("duplicate \"log_format\" name \"{}\"", spec.name.text));
  }
  constexpr std::string_view kEscape = "escape=";
  std::size_t first = 1;
  if (const std::string_view given = binding.argument(1); given.starts_with(kEscape)) {
    const auto found =
        std::ranges::find(kEscapes, given.substr(kEscape.size()), &config::Choice<Escape>::word);
    if (found == kEscapes.end()) {
      return binding.error_at(
          1, fmt::format("unknown log format escaping \"{}\"", given.substr(kEscape.size())),
          "it is default, json or none");
    }
    spec.escape = found->value;
    first = 2;
  }
  for (std::size_t i = first; i < binding.count(); ++i) spec.texts.push_back(binding.word(i));
  formats.push_back(std::move(spec));
}

std::string_view value_of(std::string_view parameter) {
  return parameter.substr(std::min(parameter.size(), parameter.find('=') + 1));
}

bool refuse(const Binding& binding, std::size_t i, std::string message, std::string hint = {}) {
  binding.error_at(i, std::move(message), std::move(hint));
  return false;
}

/// buffer=, flush= and gzip as written; what is left out is nothing.
struct BufferParameters {
  std::optional<std::uint64_t> size{};
  std::optional<std::chrono::milliseconds> flush{};
  int gzip_level = 0;
};

bool read_gzip(const Binding& binding, std::size_t i, BufferParameters& buffer) {
  constexpr std::uint64_t kDefaultSize = 64 << 10;
  buffer.gzip_level = 1;
  if (!buffer.size) buffer.size = kDefaultSize;
  if (binding.argument(i) == "gzip") return true;
  const std::string_view value = value_of(binding.argument(i));
  const auto level = base::parse_number<unsigned>(value);
  if (!level || *level < 1 || *level > 9) {
    return refuse(binding, i, fmt::format("invalid compression level \"{}\"", value),
                  "from 1 (fastest) to 9 (smallest)");
  }
  buffer.gzip_level = static_cast<int>(*level);
  return true;
}

/// A parameter behind the format. False when it was refused.
bool read_parameter(const Binding& binding, std::size_t i, LogSpec& spec,
                    BufferParameters& buffer) {
  const config::Word& word = binding.word(i);
  const std::string_view text = word.text;
  constexpr std::string_view kIf = "if=";
  if (text.starts_with(kIf)) {
    config::Word condition = word;
    condition.text.erase(0, kIf.size());
    condition.at.column += static_cast<std::uint32_t>(kIf.size());
    spec.condition = std::move(condition);
    return true;
  }
  if (text.starts_with("buffer=")) {
    buffer.size = config::parse_size(value_of(text));
    if (buffer.size && *buffer.size > 0) return true;
    return refuse(binding, i, fmt::format("invalid buffer size \"{}\"", value_of(text)),
                  "bytes: 64k, 1m");
  }
  if (text.starts_with("flush=")) {
    buffer.flush = config::parse_duration(value_of(text));
    if (buffer.flush && buffer.flush->count() > 0) return true;
    return refuse(binding, i, fmt::format("invalid flush time \"{}\"", value_of(text)),
                  "a time: 5s, 1m");
  }
  if (text == "gzip" || text.starts_with("gzip=")) return read_gzip(binding, i, buffer);
  return refuse(binding, i, fmt::format("invalid parameter \"{}\"", text),
                "behind the format, there may be buffer=, gzip, flush= and if=");
}

/// The target gathers as the parameters say, or as they said where it was named before.
bool set_gathering(const Binding& binding, const BufferParameters& buffer, Target& target) {
  if (!buffer.size) return true;
  if (target.syslog != nullptr) return refuse(binding, 0, "logs to syslog cannot be buffered");
  const Gathering wanted{.size = static_cast<std::size_t>(*buffer.size),
                         .delay = buffer.flush,
                         .gzip_level = buffer.gzip_level,
                         .is_asked = true};
  if (target.gathering.is_asked && target.gathering != wanted) {
    return refuse(binding, 0,
                  fmt::format("access_log \"{}\" already defined with conflicting parameters",
                              binding.argument(0)),
                  "a file has one buffer: give the same buffer=, flush= and gzip everywhere");
  }
  target.gathering = wanted;
  return true;
}

/// Where the log goes; null when that was refused.
std::shared_ptr<Target> find_target(const Binding& binding) {
  Destinations& destinations = binding.level.root().options<Destinations>();
  const std::string& place = binding.argument(0);
  if (is_syslog(place)) {
    auto syslog = read_syslog(binding);
    return syslog == nullptr ? nullptr : destinations.target(std::move(syslog));
  }
  auto file = destinations.open(place, binding.files);
  if (file) return destinations.target(*std::move(file));
  binding.error_at(
      0, config::describe_failure(binding.files.full_name(place, config::Purpose::log_append),
                                  file.error()));
  return nullptr;
}

/// A path with variables, whose files are opened when lines come.
bool take_path(const Binding& binding, const BufferParameters& buffer, LogSpec& spec) {
  if (buffer.size) {
    return refuse(binding, 0, "buffered logs cannot have variables in name",
                  "remove buffer=, flush= and gzip");
  }
  config::Word path = binding.word(0);
  path.text = binding.files.full_name(path.text, config::Purpose::log_append);
  spec.path = std::move(path);
  return true;
}

void add_log(Binding& binding) {
  auto& logs = binding.options<AccessLogOptions>().logs;
  LogSpec spec;
  if (binding.argument(0) == "off") {
    if (binding.count() > 1) {
      return binding.error_at(1, fmt::format("invalid parameter \"{}\"", binding.argument(1)));
    }
    spec.off = true;
    return logs.append(std::move(spec), binding.where());
  }
  spec.format = binding.count() > 1 ? binding.word(1) : combined_format().name;
  BufferParameters buffer;
  bool sound = true;
  for (std::size_t i = 2; i < binding.count(); ++i) {
    sound = read_parameter(binding, i, spec, buffer) && sound;
  }
  if (!sound) return;
  if (buffer.flush && !buffer.size) {
    return binding.error(
        fmt::format("no buffer is defined for access_log \"{}\"", binding.argument(0)),
        "add buffer=SIZE");
  }
  if (!is_syslog(binding.argument(0)) && script::has_variables(binding.argument(0))) {
    if (!take_path(binding, buffer, spec)) return;
  } else {
    auto target = find_target(binding);
    if (target == nullptr || !set_gathering(binding, buffer, *target)) return;
    spec.target = std::move(target);
  }
  logs.append(std::move(spec), binding.where());
}

/// A parameter of open_log_file_cache. False when it was refused.
bool read_cache_parameter(const Binding& binding, std::size_t i, PathFiles::Options& options) {
  const std::string_view text = binding.argument(i);
  const std::string_view value = value_of(text);
  const auto take = [](const auto& read, auto& into) {
    if (!read || read->count() == 0) return false;
    into = *read;
    return true;
  };
  bool good = false;
  if (text.starts_with("max=") || text.starts_with("min_uses=")) {
    const auto number = base::parse_number<std::uint32_t>(value);
    good = number.has_value() && *number > 0;
    if (good) (text.starts_with("max=") ? options.max : options.min_uses) = *number;
  } else if (text.starts_with("inactive=")) {
    good = take(config::parse_seconds(value), options.inactive);
  } else if (text.starts_with("valid=")) {
    good = take(config::parse_seconds(value), options.valid);
  }
  return good ||
         refuse(binding, i, fmt::format("invalid \"open_log_file_cache\" parameter \"{}\"", text),
                "max=N [inactive=TIME] [min_uses=N] [valid=TIME], or off");
}

void set_log_file_cache(Binding& binding) {
  auto& setting = binding.options<LogFileCacheOptions>().files;
  if (binding.count() == 1 && binding.argument(0) == "off") {
    return setting.set(nullptr, binding.where());
  }
  PathFiles::Options options;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    if (!read_cache_parameter(binding, i, options)) return;
  }
  if (options.max == 0) {
    return binding.error("\"open_log_file_cache\" must have \"max\" parameter");
  }
  setting.set(std::make_shared<PathFiles>(options), binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "log_format",
     .contexts = Context::http,
     .arguments = config::takes_at_least(2),
     .repeat = config::Repeat::repeatable,
     .syntax = "NAME [escape=default|json|none] TEXT...",
     .default_text = "combined \"...\"",
     .documentation = "A format for access logs: text with variables.",
     .set = add_format},
    {.name = "access_log",
     .contexts = config::kHttpServerLocation | Context::if_in_location | Context::limit_except,
     .arguments = config::takes_at_least(1),
     .repeat = config::Repeat::repeatable,
     .syntax = "off | PATH | syslog:server=ADDRESS[,PARAMETER...] [FORMAT [buffer=SIZE] "
               "[gzip[=LEVEL]] [flush=TIME] [if=CONDITION]]",
     .default_text = "off",
     .documentation = "A place that gets a line for each request; several may be given.",
     .set = add_log},
    {.name = "open_log_file_cache",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes(1, 4),
     .syntax = "off | max=N [inactive=TIME] [min_uses=N] [valid=TIME]",
     .default_text = "off",
     .documentation = "Files of access logs whose paths have variables that are kept open.",
     .set = set_log_file_cache},
};

}  // namespace

constinit const config::Feature kAccessLogFeature{
    .name = "accesslog",
    .directives = kDirectives,
    .inherit = config::inherit_options<AccessLogOptions, LogFileCacheOptions>,
};

}  // namespace accesslog
