// What the directives of logs say, as written. access_log.h makes Logs of them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "accesslog/destinations.h"
#include "accesslog/format.h"
#include "accesslog/path_files.h"
#include "accesslog/target.h"
#include "config/directive.h"
#include "observe/error_log.h"

namespace accesslog {

/// `access_log PLACE [FORMAT [PARAMETER...]]`.
struct LogSpec {
  bool off = false;  // `access_log off`: none at this level, whatever else stands there
  std::shared_ptr<const Target> target;   // null where the path has variables
  std::optional<config::Word> path;       // the full one, with its variables
  config::Word format;                    // its name
  std::optional<config::Word> condition;  // behind "if="
};

struct AccessLogOptions {
  config::Setting<std::vector<LogSpec>> logs;
  auto settings(this auto& self) { return std::tie(self.logs); }
};

/// open_log_file_cache: one for each directive, shared by the levels below it.
struct LogFileCacheOptions {
  config::Setting<std::shared_ptr<PathFiles>> files;  // null: no cache
  auto settings(this auto& self) { return std::tie(self.files); }
};

/// The http level's own: its log_formats, in the order of the file.
struct FormatTable {
  std::vector<FormatSpec> formats;
};

struct ErrorLogOptions {
  /// Null where no error_log says otherwise: the program's own. All error_logs of a block are one.
  config::Setting<std::shared_ptr<const observe::ErrorLog>> log;
  auto settings(this auto& self) { return std::tie(self.log); }
};

/// Argument 0 of a log directive is "syslog:...".
[[nodiscard]] inline bool is_syslog(std::string_view place) { return place.starts_with("syslog:"); }
/// Reads it; what is wrong with it is reported and gives nothing.
[[nodiscard]] std::shared_ptr<const observe::Syslog> read_syslog(const config::Binding& binding);

/// log_format, access_log, open_log_file_cache.
extern const config::Feature kAccessLogFeature;
/// error_log, in all its contexts.
extern const config::Feature kErrorLogFeature;

}  // namespace accesslog
