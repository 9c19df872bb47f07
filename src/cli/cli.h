// The program's commands. Whatever begins with a dash is nginx's command line (command_line.h); a
// word is a command of ours.
#pragma once

#include <string_view>
#include <vector>

namespace cli {

/// `words` as main() got them, the program's name first. Returns the exit status.
[[nodiscard]] int run(const std::vector<std::string_view>& words);

}  // namespace cli
