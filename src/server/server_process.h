// The server process: unprivileged, holds the listeners and the clients. It is this same program,
// exec'd by the supervisor with one descriptor, over which all else comes.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace server {

/// The first argument that makes main() call run_server_process; nobody types it.
inline constexpr std::string_view kServerProcessArgument = "server-process";

/// In the child after fork: never returns. `channel` becomes the new program's descriptor 3, and
/// `environment` ("NAME=VALUE") its environment.
[[noreturn]] void exec_server_process(int channel, std::span<std::string> environment);

/// The exit status.
[[nodiscard]] int run_server_process();

}  // namespace server
