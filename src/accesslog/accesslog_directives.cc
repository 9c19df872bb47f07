// log_format and access_log.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "accesslog/options.h"
#include "config/setters.h"

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

/// A parameter behind the format. False when it was refused.
bool read_parameter(const Binding& binding, std::size_t i, LogSpec& spec) {
  const config::Word& word = binding.word(i);
  constexpr std::string_view kIf = "if=";
  if (word.text.starts_with(kIf)) {
    config::Word condition = word;
    condition.text.erase(0, kIf.size());
    condition.at.column += static_cast<std::uint32_t>(kIf.size());
    spec.condition = std::move(condition);
    return true;
  }
  const std::string_view name = std::string_view(word.text).substr(0, word.text.find('='));
  if (name == "buffer" || name == "flush" || name == "gzip") {
    binding.error_at(i, fmt::format("the \"{}\" parameter is not supported yet", name),
                     name == "gzip" ? "remove it; compress the file when it is rotated"
                                    : "remove it; lines are gathered for some milliseconds anyway");
    return false;
  }
  binding.error_at(i, fmt::format("invalid parameter \"{}\"", word.text),
                   "behind the format, only if=CONDITION may stand");
  return false;
}

/// Whether the path can be opened when the configuration is loaded.
bool is_plain_path(const Binding& binding) {
  const std::string& path = binding.argument(0);
  if (path.starts_with("syslog:")) {
    binding.error_at(0, "logging to syslog is not supported yet",
                     "log to a file, or to a pipe that a syslog client reads");
    return false;
  }
  if (script::has_variables(path)) {
    binding.error_at(0, "variables in the path of an access log are not supported yet",
                     "log to one file and write the variable into its lines");
    return false;
  }
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
  bool sound = is_plain_path(binding);
  spec.format = binding.count() > 1 ? binding.word(1) : combined_format().name;
  for (std::size_t i = 2; i < binding.count(); ++i)
    sound = read_parameter(binding, i, spec) && sound;
  if (!sound) return;
  auto file = binding.level.root().options<LogFiles>().open(binding.argument(0), binding.files);
  if (!file) {
    return binding.error_at(
        0, config::describe_failure(
               binding.files.full_name(binding.argument(0), config::Purpose::log_append),
               file.error()));
  }
  spec.file = *std::move(file);
  logs.append(std::move(spec), binding.where());
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
     .syntax = "off | PATH [FORMAT [if=CONDITION]]",
     .default_text = "off",
     .documentation = "A file that gets a line for each request; several may be given.",
     .set = add_log},
};

}  // namespace

constinit const config::Feature kAccessLogFeature{
    .name = "accesslog",
    .directives = kDirectives,
    .inherit = config::inherit_options<AccessLogOptions>,
};

}  // namespace accesslog
