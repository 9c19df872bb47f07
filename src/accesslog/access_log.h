// Access logs: what one level logs to, and a worker's writer of it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "accesslog/destinations.h"
#include "accesslog/format.h"
#include "accesslog/log_path.h"
#include "accesslog/log_thread.h"
#include "accesslog/options.h"
#include "accesslog/sink.h"
#include "config/level.h"
#include "exchange/exchange.h"
#include "script/value.h"

namespace accesslog {

/// One access_log, ready for use.
struct Log {
  std::shared_ptr<const Target> target;
  std::optional<LogPath> path;  // where the target has paths
  std::shared_ptr<const Format> format;
  std::optional<script::Value> condition;
};
/// What a level logs to. Levels that inherit share one. Never null.
using Logs = std::shared_ptr<const std::vector<Log>>;

/// Makes Logs of options. One for each configuration; the levels and `variables` outlive it.
class LogCompiler {
 public:
  /// Compiles all formats of the http level, also those that nobody uses: their errors are errors.
  /// `destinations` are the main level's. `default_target`: where a level logs, as `combined`, that
  /// no access_log concerns; null for nowhere.
  LogCompiler(const config::Level& http, Destinations& destinations, script::Variables& variables,
              config::Diagnostics& diagnostics,
              std::shared_ptr<const Target> default_target = nullptr);

  /// After the inheritance was resolved.
  [[nodiscard]] Logs compile(const config::Level& level);

 private:
  [[nodiscard]] std::shared_ptr<const Format> find_format(const config::Word& name);
  /// The files of paths with variables that a level logs to.
  [[nodiscard]] std::shared_ptr<const Target> target_of(const LogSpec& spec,
                                                        const config::Level& level);

  Destinations& destinations_;
  script::Variables& variables_;
  config::Diagnostics& diagnostics_;
  std::map<std::string, std::shared_ptr<const Format>, std::less<>> formats_;
  /// By what both were inherited from: levels that inherit share one.
  std::map<std::pair<const AccessLogOptions*, const LogFileCacheOptions*>, Logs> made_;
  Logs default_;
};

/// One worker's access logs under one configuration. Flushes when it dies.
class Writer {
 public:
  /// `thread` writes what this gathers, and outlives it. Null, for tests: written at once.
  Writer(io::EventLoop& loop, observe::Counters& counters, LogThread* thread = nullptr) noexcept
      : loop_(loop), counters_(counters), thread_(thread) {}

  /// Logs an exchange that has ended, once, to each log whose condition holds.
  void write(std::span<const Log> logs, exchange::Exchange& exchange);
  /// Hands over what is waiting, now.
  void flush() noexcept;
  /// Another configuration has taken over: `buffer` no longer holds lines back.
  void retire() noexcept;

 private:
  [[nodiscard]] Sink& sink(const std::shared_ptr<const Target>& target);

  io::EventLoop& loop_;
  observe::Counters& counters_;
  LogThread* thread_;
  std::unique_ptr<LogThread> own_thread_;
  std::vector<std::unique_ptr<Sink>> sinks_;  // by Target::index; made on first use
  bool retired_ = false;
};

/// The error log of a level (or `fallback`, where none is configured).
[[nodiscard]] std::shared_ptr<const observe::ErrorLog> error_log_of(
    const config::Level& level, const std::shared_ptr<const observe::ErrorLog>& fallback);

}  // namespace accesslog
