// Signals as something to wait for.
#pragma once

#include <optional>

#include "base/fd.h"

namespace server {

/// Blocks what a supervisor is told by, for this thread and those it will start, and gives a
/// signalfd.
[[nodiscard]] base::Fd take_signals();
/// The next one that came, if any.
[[nodiscard]] std::optional<int> next_signal(const base::Fd& signals);
/// As at the start of a program: for a child between fork and exec.
void restore_signals() noexcept;
/// For a child in the terminal's process group: Ctrl-C is the supervisor's business.
void ignore_signals() noexcept;

}  // namespace server
