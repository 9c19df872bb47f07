// feed_head: what the request and the response parser have in common: scan, judge the first line as
// soon as it is there, parse everything once the head is complete.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/h1/head_scanner.h"

namespace http::h1 {

/// `parse_first_line(line)` and `parse_fields(section)` return a Refusal; the section reaches up to
/// and including the empty line.
template <class ParseFirstLine, class ParseFields>
[[nodiscard]] HeadProgress feed_head(HeadScanner& scanner, std::string_view buffered,
                                     ParseFirstLine parse_first_line, ParseFields parse_fields) {
  using Kind = HeadScanner::Event::Kind;
  const auto first_line = [&] {
    return buffered.substr(scanner.begin(), scanner.first_line_end() - scanner.begin());
  };
  bool first_line_parsed = false;
  HeadScanner::Event event = scanner.scan(buffered);
  Refusal refusal = event.refusal;
  if (event.kind == Kind::first_line) {
    refusal = parse_first_line(first_line());
    first_line_parsed = true;
    if (refusal == Refusal::none) {
      event = scanner.scan(buffered);
      refusal = event.refusal;
    }
  }
  if (refusal == Refusal::none) {
    if (event.kind == Kind::need_more) return {};
    // The buffer may have moved since an earlier call judged the first line.
    if (!first_line_parsed) refusal = parse_first_line(first_line());
    const std::size_t fields = scanner.first_line_end() + 2;
    if (refusal == Refusal::none) {
      refusal = parse_fields(buffered.substr(fields, scanner.head_end() - fields));
    }
  }
  if (refusal != Refusal::none) {
    // Logs show the first line: its views must be of where the buffer is now.
    if (!first_line_parsed && scanner.first_line_end() > 0) {
      static_cast<void>(parse_first_line(first_line()));
    }
    return {.state = HeadProgress::State::refused, .refusal = refusal};
  }
  return {.state = HeadProgress::State::done, .size = scanner.head_end()};
}

}  // namespace http::h1
