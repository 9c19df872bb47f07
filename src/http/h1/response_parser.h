// ResponseHeadParser: the head of a backend's answer, as strict as for requests: a backend may be
// taken over too, and whatever two parsers read differently splits responses.
#pragma once

#include <string_view>

#include "http/h1/head_scanner.h"
#include "http/head.h"

namespace http::h1 {

class ResponseHeadParser {
 public:
  /// `method` is that of the request being answered: it decides whether there is a body (RFC 9112
  /// §6.3).
  explicit ResponseHeadParser(Method method, const HeadLimits& limits = {}) noexcept
      : scanner_(limits), method_(method) {}

  /// As RequestHeadParser::feed. An interim response (1xx) is `done` like any other: pass it on,
  /// then reset() and feed what follows. An empty line before the status line is refused.
  [[nodiscard]] HeadProgress feed(std::string_view buffered, ResponseHead& head);

  void reset() noexcept { scanner_.reset(); }

 private:
  HeadScanner scanner_;
  Method method_;
};

}  // namespace http::h1
