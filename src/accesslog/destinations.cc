#include "accesslog/destinations.h"

#include <utility>

namespace accesslog {

base::Result<std::shared_ptr<const observe::LogFile>> Destinations::open(
    std::string_view path, config::FileSource& files) {
  std::string name = files.full_name(path, config::Purpose::log_append);
  if (const auto found = files_.find(name); found != files_.end()) return found->second;
  TRY(base::Fd fd, files.open(path, config::Purpose::log_append));
  auto file = std::make_shared<const observe::LogFile>(std::move(fd), name);
  files_.emplace(std::move(name), file);
  return file;
}

std::shared_ptr<const observe::Syslog> Destinations::syslog(observe::SyslogOptions options) {
  auto& place = syslogs_[options.name];
  if (place == nullptr) place = std::make_shared<const observe::Syslog>(std::move(options));
  return place;
}

std::shared_ptr<Target> Destinations::target(std::shared_ptr<const observe::LogFile> file) {
  auto& place = targets_[file->name()];
  if (place == nullptr) {
    place = std::make_shared<Target>(next_index_++, file->name(), std::move(file));
  }
  return place;
}

std::shared_ptr<Target> Destinations::target(std::shared_ptr<const observe::Syslog> syslog) {
  auto& place = targets_[syslog->options().name];
  if (place == nullptr) {
    place =
        std::make_shared<Target>(next_index_++, syslog->options().name, nullptr, std::move(syslog));
  }
  return place;
}

std::shared_ptr<Target> Destinations::target(std::string path, std::shared_ptr<PathFiles> files) {
  paths_.push_back(files);
  return std::make_shared<Target>(next_index_++, std::move(path), nullptr, nullptr,
                                  std::move(files));
}

base::Result<void> Destinations::replace(const std::string& name, const base::Fd& fresh) const {
  const auto found = files_.find(name);
  return found == files_.end() ? base::Result<void>{} : found->second->replace(fresh);
}

void Destinations::forget_paths() const {
  for (const auto& files : paths_) files->clear();
}

}  // namespace accesslog
