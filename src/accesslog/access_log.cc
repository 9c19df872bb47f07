#include "accesslog/access_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace accesslog {

LogCompiler::LogCompiler(const config::Level& http, Destinations& destinations,
                         script::Variables& variables, config::Diagnostics& diagnostics,
                         std::shared_ptr<const Target> default_target)
    : destinations_(destinations), variables_(variables), diagnostics_(diagnostics) {
  const auto add = [this](const FormatSpec& spec) {
    formats_.emplace(spec.name.text, std::make_shared<const Format>(
                                         Format::compile(spec, variables_, diagnostics_)));
  };
  add(combined_format());
  if (const auto* table = http.find<FormatTable>()) std::ranges::for_each(table->formats, add);

  std::vector<Log> logs;
  if (default_target != nullptr) {
    logs.push_back({.target = std::move(default_target),
                    .path = std::nullopt,
                    .format = formats_.find("combined")->second,
                    .condition = std::nullopt});
  }
  default_ = std::make_shared<const std::vector<Log>>(std::move(logs));
}

Logs LogCompiler::compile(const config::Level& level) {
  const auto* options = level.find<AccessLogOptions>();
  if (options == nullptr || !options->logs.is_set) return default_;
  const std::pair key(options, level.find<LogFileCacheOptions>());
  if (const auto found = made_.find(key); found != made_.end()) return found->second;
  std::vector<Log> logs;
  for (const LogSpec& spec : *options->logs) {
    if (spec.off) {
      logs.clear();
      break;
    }
    auto format = find_format(spec.format);
    if (format == nullptr) continue;
    Log log{.target = target_of(spec, level),
            .path = std::nullopt,
            .format = std::move(format),
            .condition = std::nullopt};
    if (spec.path) log.path = LogPath::compile(*spec.path, variables_, diagnostics_);
    if (spec.condition) {
      log.condition = script::Value::compile(*spec.condition, variables_, diagnostics_);
    }
    logs.push_back(std::move(log));
  }
  auto made = std::make_shared<const std::vector<Log>>(std::move(logs));
  made_.emplace(key, made);
  return made;
}

std::shared_ptr<const Target> LogCompiler::target_of(const LogSpec& spec,
                                                     const config::Level& level) {
  if (!spec.path) return spec.target;
  const auto* cache = level.find<LogFileCacheOptions>();
  auto files = cache != nullptr ? *cache->files : nullptr;
  if (files == nullptr) files = std::make_shared<PathFiles>(PathFiles::Options{});
  return destinations_.target(spec.path->text, std::move(files));
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
    Sink& to = sink(log.target);
    if (!log.path) {
      log.format->append_line(subject, to.lines());
      to.added();
    } else if (auto path = log.path->evaluate(subject)) {
      log.format->append_line(subject, to.lines());
      to.added_to(*std::move(path));
    } else {
      to.lose_line();
    }
  }
}

void Writer::flush() noexcept {
  for (const auto& each : sinks_) {
    if (each != nullptr) each->flush();
  }
}

void Writer::retire() noexcept {
  retired_ = true;
  for (const auto& each : sinks_) {
    if (each != nullptr) each->retire();
  }
}

Sink& Writer::sink(const std::shared_ptr<const Target>& target) {
  if (target->index >= sinks_.size()) sinks_.resize(target->index + 1);
  auto& place = sinks_[target->index];
  if (place != nullptr) return *place;
  if (thread_ == nullptr) {
    static const observe::CounterLayout kNone;
    own_thread_ = std::make_unique<LogThread>(loop_.clock(), kNone, LogThread::Mode::at_once);
    thread_ = own_thread_.get();
  }
  place = std::make_unique<Sink>(target, *thread_, loop_, counters_);
  if (retired_) place->retire();
  return *place;
}

std::shared_ptr<const observe::ErrorLog> error_log_of(
    const config::Level& level, const std::shared_ptr<const observe::ErrorLog>& fallback) {
  const auto* options = level.find<ErrorLogOptions>();
  return options != nullptr && *options->log != nullptr ? *options->log : fallback;
}

}  // namespace accesslog
