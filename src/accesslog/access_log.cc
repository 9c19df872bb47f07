#include "accesslog/access_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace accesslog {

LogCompiler::LogCompiler(const config::Level& http, script::Variables& variables,
                         config::Diagnostics& diagnostics,
                         std::shared_ptr<const LogFile> default_file)
    : variables_(variables), diagnostics_(diagnostics) {
  const auto add = [this](const FormatSpec& spec) {
    formats_.emplace(spec.name.text, std::make_shared<const Format>(
                                         Format::compile(spec, variables_, diagnostics_)));
  };
  add(combined_format());
  if (const auto* table = http.find<FormatTable>()) std::ranges::for_each(table->formats, add);

  std::vector<Log> logs;
  if (default_file != nullptr) {
    logs.push_back({std::move(default_file), formats_.find("combined")->second, std::nullopt});
  }
  default_ = std::make_shared<const std::vector<Log>>(std::move(logs));
}

Logs LogCompiler::compile(const config::Level& level) {
  const auto* options = level.find<AccessLogOptions>();
  if (options == nullptr || !options->logs.is_set) return default_;
  if (const auto found = made_.find(options); found != made_.end()) return found->second;
  std::vector<Log> logs;
  for (const LogSpec& spec : *options->logs) {
    if (spec.off) {
      logs.clear();
      break;
    }
    auto format = find_format(spec.format);
    if (format == nullptr) continue;
    Log log{spec.file, std::move(format), std::nullopt};
    if (spec.condition) {
      log.condition = script::Value::compile(*spec.condition, variables_, diagnostics_);
    }
    logs.push_back(std::move(log));
  }
  auto made = std::make_shared<const std::vector<Log>>(std::move(logs));
  made_.emplace(options, made);
  return made;
}

std::shared_ptr<const Format> LogCompiler::find_format(const config::Word& name) {
  if (const auto found = formats_.find(name.text); found != formats_.end()) return found->second;
  std::vector<std::string_view> known;
  known.reserve(formats_.size());
  for (const auto& entry : formats_) known.push_back(entry.first);
  const auto nearest = base::nearest(name.text, known);
  std::string hint;
  if (nearest) {
    hint = fmt::format("did you mean \"{}\"?", *nearest);
  } else if (name.text.find('=') != std::string::npos) {
    hint = "the format's name stands before all parameters";
  }
  diagnostics_.absent(name.at, fmt::format("unknown log format \"{}\"", name.text), hint);
  return nullptr;
}

void Writer::write(std::span<const Log> logs, exchange::Exchange& exchange) {
  if (logs.empty()) return;
  script::Subject subject(exchange);
  for (const Log& log : logs) {
    if (log.condition && !log.condition->is_true(subject)) continue;
    Sink& to = sink(log.file);
    log.format->append_line(subject, to.lines());
    to.added();
  }
}

void Writer::flush() noexcept {
  for (const auto& each : sinks_) {
    if (each != nullptr) each->flush();
  }
}

Sink& Writer::sink(const std::shared_ptr<const LogFile>& file) {
  if (file->index >= sinks_.size()) sinks_.resize(file->index + 1);
  auto& place = sinks_[file->index];
  if (place == nullptr) place = std::make_unique<Sink>(file, loop_, counters_);
  return *place;
}

std::shared_ptr<const observe::ErrorLog> error_log_of(
    const config::Level& level, const std::shared_ptr<const observe::ErrorLog>& fallback) {
  const auto* options = level.find<ErrorLogOptions>();
  return options != nullptr && *options->log != nullptr ? *options->log : fallback;
}

}  // namespace accesslog
