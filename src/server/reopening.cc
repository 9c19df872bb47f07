#include "server/reopening.h"

#include <fmt/format.h>

#include "config/disk_files.h"

namespace server {

std::vector<snapshot::ReopenedLog> reopen_logs(Opening& opening, const observe::ErrorLog& log) {
  config::DiskFiles disk(opening.message.prefixes);
  std::vector<snapshot::ReopenedLog> reopened;
  for (config::FileRecord& record : opening.message.files) {
    if (record.purpose != config::Purpose::log_append || !record.fd) continue;
    auto fresh = disk.open(record.name, record.purpose);
    if (!fresh) {
      log.write(observe::Level::emerg, config::describe_failure(record.name, fresh.error()));
      continue;
    }
    record.fd = fresh->duplicate();
    reopened.push_back({.name = record.name, .file = *std::move(fresh)});
  }
  return reopened;
}

}  // namespace server
