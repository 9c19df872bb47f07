// Destinations: every place that the logs of a configuration go to, each once. One of its own for
// each configuration, kept at the main level; access logs and error logs share it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "accesslog/target.h"
#include "base/fd.h"
#include "base/result.h"
#include "config/file_source.h"
#include "observe/log_file.h"
#include "observe/syslog.h"

namespace accesslog {

class Destinations {
 public:
  [[nodiscard]] base::Result<std::shared_ptr<const observe::LogFile>> open(
      std::string_view path, config::FileSource& files);
  /// The same one for the same `options.name`.
  [[nodiscard]] std::shared_ptr<const observe::Syslog> syslog(observe::SyslogOptions options);

  // Targets of access logs. Their gathering may be changed until the configuration is built.
  [[nodiscard]] std::shared_ptr<Target> target(std::shared_ptr<const observe::LogFile> file);
  [[nodiscard]] std::shared_ptr<Target> target(std::shared_ptr<const observe::Syslog> syslog);
  /// `path`: as configured, for messages.
  [[nodiscard]] std::shared_ptr<Target> target(std::string path, std::shared_ptr<PathFiles> files);

  /// The file of that full name is `fresh` from now on; nothing happens if it is not there.
  [[nodiscard]] base::Result<void> replace(const std::string& name, const base::Fd& fresh) const;
  /// Files whose paths have variables are opened again. Only on the thread that writes logs.
  void forget_paths() const;

 private:
  std::map<std::string, std::shared_ptr<const observe::LogFile>, std::less<>> files_;
  std::map<std::string, std::shared_ptr<const observe::Syslog>, std::less<>> syslogs_;
  std::map<std::string, std::shared_ptr<Target>, std::less<>> targets_;
  std::vector<std::shared_ptr<PathFiles>> paths_;
  std::size_t next_index_ = 0;
};

}  // namespace accesslog
