#include "server/marks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "server/pid_file.h"

namespace server {

base::Result<void> Marks::write_pid_file(const std::string& path) {
  if (path == pid_file_) return {};
  TRY_VOID(server::write_pid_file(path, ::getpid()));
  remove_pid_file();
  pid_file_ = path;
  return {};
}

std::vector<std::string> Marks::rename(const std::string& pid_file, std::string_view from,
                                       std::string_view to) {
  std::vector<std::string> failures;
  for (const std::string& path : {pid_file, paths_.admin_socket, paths_.control_socket}) {
    const std::string old_name = path + std::string(from);
    const std::string new_name = path + std::string(to);
    if (std::rename(old_name.c_str(), new_name.c_str()) != 0) {
      failures.push_back(fmt::format("rename() \"{}\" to \"{}\" {}", old_name, new_name,
                                     base::describe(base::error_from_errno(errno, "failed"))));
    }
  }
  suffix_ = to;
  pid_file_ = pid_file + suffix_;
  return failures;
}

void Marks::remove_pid_file() noexcept {
  if (!pid_file_.empty()) server::remove_pid_file(pid_file_, ::getpid());
}

void Marks::remove_sockets() noexcept {
  ::unlink((paths_.admin_socket + suffix_).c_str());
  ::unlink((paths_.control_socket + suffix_).c_str());
}

}  // namespace server
