// What the directives of logs say, as written. access_log.h makes Logs of them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "accesslog/format.h"
#include "accesslog/sink.h"
#include "config/directive.h"
#include "observe/error_log.h"

namespace accesslog {

/// `access_log PATH [FORMAT [if=CONDITION]]`.
struct LogSpec {
  bool off = false;  // `access_log off`: none at this level, whatever else stands there
  std::shared_ptr<const LogFile> file;
  config::Word format;                    // its name
  std::optional<config::Word> condition;  // behind "if="
};

struct AccessLogOptions {
  config::Setting<std::vector<LogSpec>> logs;
  auto settings(this auto& self) { return std::tie(self.logs); }
};

/// The http level's own: its log_formats, in the order of the file.
struct FormatTable {
  std::vector<FormatSpec> formats;
};

struct ErrorLogOptions {
  /// Null where no error_log says otherwise: the program's own.
  config::Setting<std::shared_ptr<const observe::ErrorLog>> log;
  auto settings(this auto& self) { return std::tie(self.log); }
};

/// log_format, access_log.
extern const config::Feature kAccessLogFeature;
/// error_log, in all its contexts.
extern const config::Feature kErrorLogFeature;

}  // namespace accesslog
