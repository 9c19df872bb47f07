// Access logs: what one level logs to, and a worker's writer of it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "accesslog/format.h"
#include "accesslog/options.h"
#include "accesslog/sink.h"
#include "config/level.h"
#include "exchange/exchange.h"
#include "script/value.h"

namespace accesslog {

/// One access_log, ready for use.
struct Log {
  std::shared_ptr<const LogFile> file;
  std::shared_ptr<const Format> format;
  std::optional<script::Value> condition;
};
/// What a level logs to. Levels that inherit share one. Never null.
using Logs = std::shared_ptr<const std::vector<Log>>;

/// Makes Logs of options. One for each configuration; the levels and `variables` outlive it.
class LogCompiler {
 public:
  /// Compiles all formats of the http level, also those that nobody uses: their errors are errors.
  /// `default_file`: where a level logs, as `combined`, that no access_log concerns; null for
  /// nowhere.
  LogCompiler(const config::Level& http, script::Variables& variables,
              config::Diagnostics& diagnostics,
              std::shared_ptr<const LogFile> default_file = nullptr);

  /// After the inheritance was resolved.
  [[nodiscard]] Logs compile(const config::Level& level);

 private:
  [[nodiscard]] std::shared_ptr<const Format> find_format(const config::Word& name);

  script::Variables& variables_;
  config::Diagnostics& diagnostics_;
  std::map<std::string, std::shared_ptr<const Format>, std::less<>> formats_;
  std::map<const AccessLogOptions*, Logs> made_;
  Logs default_;
};

/// One worker's access logs under one configuration. Flushes when it dies.
class Writer {
 public:
  Writer(io::EventLoop& loop, observe::Counters& counters) noexcept
      : loop_(loop), counters_(counters) {}

  /// Logs an exchange that has ended, once, to each log whose condition holds.
  void write(std::span<const Log> logs, exchange::Exchange& exchange);
  /// Writes what is waiting in all files, now.
  void flush() noexcept;

 private:
  [[nodiscard]] Sink& sink(const std::shared_ptr<const LogFile>& file);

  io::EventLoop& loop_;
  observe::Counters& counters_;
  std::vector<std::unique_ptr<Sink>> sinks_;  // by LogFile::index; made on first use
};

/// The error log of a level (or `fallback`, where none is configured).
[[nodiscard]] std::shared_ptr<const observe::ErrorLog> error_log_of(
    const config::Level& level, const std::shared_ptr<const observe::ErrorLog>& fallback);

}  // namespace accesslog
