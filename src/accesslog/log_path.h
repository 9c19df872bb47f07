// LogPath: the path of an access log that has variables in it.
//
// What clients send must not choose where on the disk a file is made: a value with a slash or a
// control character in it, or one that makes "." or ".." of its part of the path, is refused, and
// the line is lost. nginx takes any value.
#pragma once

#include <optional>
#include <string>

#include "config/diagnostics.h"
#include "config/tree.h"
#include "script/value.h"

namespace accesslog {

class LogPath {
 public:
  /// `word` is a full path. Credentials are refused: names of files are seen by many.
  [[nodiscard]] static LogPath compile(const config::Word& word, script::Variables& variables,
                                       config::Diagnostics& diagnostics);

  /// Nothing if the values of this request make no good name.
  [[nodiscard]] std::optional<std::string> evaluate(script::Subject& subject) const;

 private:
  script::Value value_;
};

}  // namespace accesslog
