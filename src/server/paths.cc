#include "server/paths.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace server {
namespace {

std::string from_environment(const char* name) {
  const char* value = ::getenv(name);
  // The XDG specification: a relative path is invalid and ignored.
  return value != nullptr && value[0] == '/' ? value : "";
}

/// Without "." and "..", and without a slash at the end.
std::string tidy(const std::string& path) {
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string state_directory(const Surroundings& surroundings) {
  if (surroundings.root) return "/var/lib/sallyport";
  if (!surroundings.state_home.empty()) return below(surroundings.state_home, "sallyport");
  return below(surroundings.home.empty() ? "/var/empty" : surroundings.home,
               ".local/state/sallyport");
}

}  // namespace

Surroundings Surroundings::of_this_process() {
  Surroundings surroundings;
  surroundings.root = ::geteuid() == 0;
  surroundings.home = from_environment("HOME");
  if (surroundings.home.empty()) {
    const passwd* entry = ::getpwuid(::geteuid());
    if (entry != nullptr) surroundings.home = entry->pw_dir;
  }
  surroundings.runtime_directory = from_environment("XDG_RUNTIME_DIR");
  surroundings.state_home = from_environment("XDG_STATE_HOME");
  std::array<char, 4096> directory{};
  if (::getcwd(directory.data(), directory.size()) != nullptr) {
    surroundings.working_directory = directory.data();
  }
  return surroundings;
}

std::string below(std::string_view directory, std::string_view path) {
  if (path.starts_with('/') || directory.empty()) return std::string(path);
  std::string full(directory);
  if (!full.ends_with('/')) full += '/';
  return full += path;
}

std::string directory_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

Paths resolve_paths(const Surroundings& surroundings, std::string_view prefix,
                    std::string_view configuration) {
  Paths paths;
  paths.prefix =
      prefix.empty() ? "/etc/sallyport" : tidy(below(surroundings.working_directory, prefix));
  paths.configuration =
      below(paths.prefix, configuration.empty() ? "sallyport.conf" : configuration);
  if (prefix.empty() && !configuration.empty() && !exists(paths.configuration)) {
    const std::string here = below(surroundings.working_directory, configuration);
    if (exists(here)) paths.configuration = here;
  }
  paths.state_directory = state_directory(surroundings);
  paths.temporary_directory = below(paths.state_directory, "temporary");
  if (!prefix.empty()) {
    paths.run_directory = paths.prefix;
  } else if (surroundings.root) {
    paths.run_directory = "/run/sallyport";
  } else if (!surroundings.runtime_directory.empty()) {
    paths.run_directory = below(surroundings.runtime_directory, "sallyport");
  } else {
    paths.run_directory = below(paths.state_directory, "run");
  }
  paths.pid_file = below(paths.run_directory, "sallyport.pid");
  paths.admin_socket = below(paths.run_directory, "sallyport.sock");
  paths.control_socket = below(paths.run_directory, "sallyport.control");
  return paths;
}

base::Result<void> make_directories(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT || path.empty() || path == "/") {
    return base::fail(base::error_from_errno(errno, "mkdir() failed"));
  }
  TRY_VOID(make_directories(directory_of(path), mode));
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  return base::fail(base::error_from_errno(errno, "mkdir() failed"));
}

}  // namespace server
