// Standard error as systemd's journal has it: a line may begin with "<N>", its priority, which the
// journal takes off (sd-daemon(3)). Without one every line is of the same priority there, and
// `journalctl -p err` finds nothing.
//
// Only where the journal is known to be the reader: systemd names the device and inode of the
// socket in JOURNAL_STREAM (systemd.exec(5)), so a terminal, a pipe or a file that standard error
// was sent to since never shows the marks.
#pragma once

#include <string>
#include <string_view>

#include "observe/error_log.h"

namespace observe {

/// Whether standard error is, now, what JOURNAL_STREAM named at the first call: `env` may take the
/// variable away later.
[[nodiscard]] bool stderr_is_journal() noexcept;

/// "<3>". An emerg is an alert there: the journal shows an emergency on every terminal of the
/// machine, and a configuration with an error is none.
[[nodiscard]] std::string_view journal_mark(Level level) noexcept;

/// Marks each line: "sallyport: [LEVEL] ..." with its level, and what follows it likewise. Lines
/// before the first of that kind stay as they are.
[[nodiscard]] std::string mark_lines(std::string_view text);

/// Messages of the form "sallyport: [LEVEL] ...", for standard error: marked if the journal reads
/// it.
[[nodiscard]] std::string for_stderr(std::string text);

}  // namespace observe
