// nginx's command line, letter by letter: what an administrator's fingers and scripts know.
//
//   -?, -h  -v  -V  -t  -T  -q  -s SIGNAL  -p PREFIX  -e FILE  -c FILE  -g DIRECTIVES
//
// As in nginx, letters may share a dash (-tq) and a value may follow at once (-p/srv) or as the
// next word.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace cli {

struct CommandLine {
  bool show_help = false;
  bool show_version = false;
  bool show_build = false;  // -V: version and build
  bool test = false;
  bool dump = false;  // -T: test and dump
  bool bind = true;   // testing binds the listeners' addresses
  bool quiet = false;
  std::string signal{};  // stop, quit, reload, reopen; empty: none
  std::string prefix{};
  std::string error_log{};
  std::string configuration{};
  std::string directives{};

  bool operator==(const CommandLine&) const = default;
};

/// The words after the program's name. The error is nginx's sentence.
[[nodiscard]] std::expected<CommandLine, std::string> parse_command_line(
    std::span<const std::string_view> words);

/// What -h prints.
[[nodiscard]] std::string help_text();

}  // namespace cli
