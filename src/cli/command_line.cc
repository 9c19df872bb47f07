#include "cli/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "server/paths.h"

namespace cli {
namespace {

constexpr std::array<std::string_view, 4> kSignals{"stop", "quit", "reopen", "reload"};

/// Where the value of an option that takes one goes, and what nginx says when it is missing.
struct Valued {
  char letter;
  std::string CommandLine::* slot;
  std::string_view wants;
};
constexpr std::array kValued{
    Valued{'p', &CommandLine::prefix, "directory name"},
    Valued{'e', &CommandLine::error_log, "file name"},
    Valued{'c', &CommandLine::configuration, "file name"},
    Valued{'g', &CommandLine::directives, "parameter"},
    Valued{'s', &CommandLine::signal, "parameter"},
};

/// False if it is no such letter.
bool set_flag(CommandLine& line, char letter) {
  switch (letter) {
    case '?':
    case 'h': return line.show_version = line.show_help = true;
    case 'v': return line.show_version = true;
    case 'V': return line.show_version = line.show_build = true;
    case 't': return line.test = true;
    case 'T': return line.test = line.dump = true;
    case 'q': return line.quiet = true;
    default: return false;
  }
}

}  // namespace

std::expected<CommandLine, std::string> parse_command_line(
    std::span<const std::string_view> words) {
  CommandLine line;
  while (!words.empty()) {
    const std::string_view word = words.front();
    words = words.subspan(1);
    if (!word.starts_with('-') || word.size() < 2) {
      return std::unexpected(fmt::format("invalid option: \"{}\"", word));
    }
    for (std::string_view letters = word.substr(1); !letters.empty();) {
      const char letter = letters.front();
      letters.remove_prefix(1);
      if (set_flag(line, letter)) continue;
      const auto* valued = std::ranges::find(kValued, letter, &Valued::letter);
      if (valued == kValued.end()) {
        return std::unexpected(fmt::format("invalid option: \"{}\"", letter));
      }
      if (letters.empty() && (words.empty() || words.front().empty())) {
        return std::unexpected(fmt::format("option \"-{}\" requires {}", letter, valued->wants));
      }
      line.*valued->slot = letters.empty() ? words.front() : letters;
      if (letters.empty()) words = words.subspan(1);
      break;
    }
  }
  if (!line.signal.empty() && std::ranges::find(kSignals, line.signal) == kSignals.end()) {
    return std::unexpected(fmt::format("invalid option: \"-s {}\"", line.signal));
  }
  return line;
}

std::string help_text() {
  const auto paths = server::resolve_paths(server::Surroundings::of_this_process(), "", "");
  return fmt::format(
      "Usage: sallyport [-?hvVtTq] [-s signal] [-p prefix]\n"
      "                 [-e filename] [-c filename] [-g directives]\n"
      "       sallyport COMMAND [options]\n"
      "\n"
      "Options:\n"
      "  -?,-h         : this help\n"
      "  -v            : show version and exit\n"
      "  -V            : show version and built-in paths, then exit\n"
      "  -t            : test configuration and exit\n"
      "  -T            : test configuration, dump it and exit\n"
      "  -q            : suppress non-error messages during configuration testing\n"
      "  -s signal     : send signal to a running process: stop, quit, reopen, reload\n"
      "  -p prefix     : set prefix path (default: {})\n"
      "  -e filename   : set error log file (default: stderr)\n"
      "  -c filename   : set configuration file\n                  (default: {})\n"
      "  -g directives : set global directives out of configuration file\n"
      "\n"
      "Commands:\n"
      "  run           : run; takes the options above\n"
      "  check         : test a configuration, all errors at once\n"
      "  status        : what a running instance does\n"
      "  reload        : read the configuration again, and wait for the outcome\n"
      "  diff          : what another configuration would change\n"
      "  apply         : serve another configuration on trial\n"
      "  explain       : which way a request would take, and why\n"
      "  directives    : every directive and variable, or one of them\n"
      "  reopen        : open the logs anew, after a rotation\n"
      "  version       : show version\n"
      "`sallyport COMMAND --help` shows a command's options.\n"
      "\n"
      "Without a configuration it runs a demonstration: https on 8443, http on 8080.\n",
      paths.prefix, paths.configuration);
}

}  // namespace cli
