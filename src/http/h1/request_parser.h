// RequestHeadParser: an HTTP/1 request head from a growing buffer (RFC 9112), strict and zero copy.
//
// The caller keeps the unread bytes of the connection in one contiguous buffer, which may move
// while it grows, and gives all of it each time. Views are made when the head is complete, so the
// buffer must stay where it is from then until the last use of the RequestHead.
#pragma once

#include <string_view>

#include "http/h1/head_scanner.h"
#include "http/head.h"

namespace http::h1 {

class RequestHeadParser {
 public:
  explicit RequestHeadParser(const HeadLimits& limits = {}) noexcept : scanner_(limits) {}

  /// `buffered` begins with the same bytes as before. On `done` `head` is filled and `size` bytes
  /// are used up; otherwise `head` holds nothing that may be used. Up to four empty lines before
  /// the request line are skipped (RFC 9112 §2.2).
  [[nodiscard]] HeadProgress feed(std::string_view buffered, RequestHead& head);

  /// For the log of a head that will not be complete any more: what is known of the request line,
  /// if that has come whole, goes into `head`.
  void take_line(std::string_view buffered, RequestHead& head) const;

  /// Whether any byte of a request has arrived: decides between an idle and a header timeout.
  [[nodiscard]] bool started(std::string_view buffered) const noexcept {
    return buffered.size() > scanner_.begin();
  }
  /// For the next request on the connection.
  void reset() noexcept { scanner_.reset(); }

 private:
  HeadScanner scanner_;
};

}  // namespace http::h1
