// The built-in paths: where things are unless the configuration or the command line says otherwise.
//
//                    as root                       another user
//   prefix           /etc/sallyport                the same
//   configuration    PREFIX/sallyport.conf         the same
//   pid, socket      /run/sallyport                $XDG_RUNTIME_DIR/sallyport
//   state            /var/lib/sallyport            $XDG_STATE_HOME/sallyport,
//   ~/.local/state/sallyport temporary files  in the state directory
//
// With -p PREFIX the pid file and the admin socket are in PREFIX, so that instances don't collide.
// A user without a runtime directory has them in the state directory: /tmp would let another user
// be there first.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace server {

/// What the paths depend on, handed in for tests.
struct Surroundings {
  bool root = false;
  std::string home{};
  std::string runtime_directory{};  // $XDG_RUNTIME_DIR
  std::string state_home{};  // $XDG_STATE_HOME
  std::string working_directory{};

  [[nodiscard]] static Surroundings of_this_process();
};

struct Paths {
  std::string prefix;  // without a slash at its end, unless it is the root
  std::string configuration;
  std::string run_directory;  // of the next three; made at start, unless it is a prefix
  std::string pid_file;
  std::string admin_socket;
  std::string control_socket;
  std::string state_directory;
  std::string temporary_directory;  // started as root: with "-UID" of `user` added
};

/// `prefix` and `configuration` as -p and -c gave them, empty if they did not. A relative prefix
/// begins in the working directory; a relative configuration in the prefix, or, if there is no such
/// file and no -p, in the working directory.
[[nodiscard]] Paths resolve_paths(const Surroundings& surroundings, std::string_view prefix,
                                  std::string_view configuration);

/// `path`, or if it is relative, `path` below `directory`.
[[nodiscard]] std::string below(std::string_view directory, std::string_view path);
/// Everything before the last slash: "/" for "/x", "." for "x".
[[nodiscard]] std::string directory_of(std::string_view path);

/// Makes a directory and those above it. Existing ones stay as they are; the error is the first's.
[[nodiscard]] base::Result<void> make_directories(const std::string& path, unsigned mode);

}  // namespace server
