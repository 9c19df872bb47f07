// Marks: the files by which others find the instance: the pid file, and the sockets for questions
// (admin) and for commands (control). Beside a new binary, which makes files of these names, those
// of the old one have the suffix ".oldbin", as nginx has it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/paths.h"

namespace server {

class Marks {
 public:
  static constexpr std::string_view kOldBinary = ".oldbin";

  /// `paths` outlives it.
  explicit Marks(const Paths& paths) noexcept : paths_(paths) {}

  /// Of this process, from now on there; the one before, if it was elsewhere, is removed.
  [[nodiscard]] base::Result<void> write_pid_file(const std::string& path);
  /// All three, from one suffix to another; `pid_file` is its name without any. What fails is told
  /// in sentences, and the others are renamed.
  [[nodiscard]] std::vector<std::string> rename(const std::string& pid_file, std::string_view from,
                                                std::string_view to);
  /// The pid file goes if it names this process.
  void remove_pid_file() noexcept;
  void remove_sockets() noexcept;

 private:
  const Paths& paths_;
  std::string pid_file_;  // as it is now; empty: none
  std::string suffix_;
};

}  // namespace server
