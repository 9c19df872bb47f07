// The parser makes the directive tree of a configuration file and all that it includes. Errors of
// form go to Diagnostics in nginx's words, and parsing goes on behind them where that is sensible.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "config/diagnostics.h"
#include "config/file_source.h"
#include "config/tree.h"

namespace config {

/// Bounds on what one configuration may hold; passing one is an error.
struct Limits {
  std::size_t block_depth = 64;
  std::size_t include_depth = 16;
  std::size_t files = 10'000;
  std::size_t bytes = std::size_t{256} << 20;
  std::size_t directives = 2'000'000;
};

/// Appends the directives of the file and of its includes.
void parse_file(std::string_view path, FileSource& files, Diagnostics& diagnostics, Tree& tree,
                const Limits& limits = {});

/// The same for a text that is no file: the program's embedded default, a test.
void parse_text(std::string name, std::string text, FileSource& files, Diagnostics& diagnostics,
                Tree& tree, const Limits& limits = {});

/// The directives of the command line's `-g`: no blocks. Parsed before the file, into the same
/// tree.
void parse_command_line(std::string text, FileSource& files, Diagnostics& diagnostics, Tree& tree,
                        const Limits& limits = {});

}  // namespace config
