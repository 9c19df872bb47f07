// The pid file: made in one step (a reader sees a whole number or nothing), removed by who made it.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>

#include "base/result.h"

namespace server {

/// Replaces the file.
[[nodiscard]] base::Result<void> write_pid_file(const std::string& path, pid_t pid);

/// Removes it if it still names `pid`: another instance may have replaced it.
void remove_pid_file(const std::string& path, pid_t pid) noexcept;

/// The pid in it. The error is nginx's sentence.
[[nodiscard]] std::expected<pid_t, std::string> read_pid_file(const std::string& path);

}  // namespace server
