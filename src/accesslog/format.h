// Format: a log_format, compiled. Writes one line of an access log in nginx's very bytes.
//
// Values that carry credentials are written as "[redacted]", whoever configured what.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "config/tree.h"
#include "script/value.h"

namespace accesslog {

/// What becomes of '"', '\' and bytes below 32 and above 126 in values: \xNN; JSON's escapes (bytes
/// above 126 stay); nothing. Variables without a value are "-" in the first, else empty.
enum class Escape : std::uint8_t { text, json, none };

/// A log_format as written. Its texts are one after another, without anything between.
struct FormatSpec {
  config::Word name;
  Escape escape = Escape::text;
  std::vector<config::Word> texts{};
};

class Format {
 public:
  /// A line is cut there. Far above what the limits of requests let through.
  static constexpr std::size_t kMaxLine = std::size_t{256} << 10;

  [[nodiscard]] static Format compile(const FormatSpec& spec, script::Variables& variables,
                                      config::Diagnostics& diagnostics);

  /// The line with its line feed, behind what `out` has already.
  void append_line(script::Subject& subject, std::string& out) const;

 private:
  Escape escape_ = Escape::text;
  std::vector<script::Piece> pieces_;
};

/// nginx's predefined format `combined`.
[[nodiscard]] const FormatSpec& combined_format();

void append_escaped(Escape escape, std::string_view text, std::string& out);

}  // namespace accesslog
