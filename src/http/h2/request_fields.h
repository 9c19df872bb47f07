// RequestFields: the header block of a request, field by field, into a RequestHead (RFC 9113 §8.3).
//
// Two ways to say no. What RFC 9113 calls malformed makes the stream end in PROTOCOL_ERROR. What an
// HTTP/1 request would be answered 400, 414 or 431 for is a Refusal, and answered here, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/h2/limits.h"
#include "http/head.h"
#include "http/refusal.h"

namespace http::h2 {

class RequestFields {
 public:
  /// Both must outlive it. Text goes to the arena of head.fields.
  RequestFields(RequestHead& head, const Limits& limits) noexcept : head_(head), limits_(limits) {}

  /// The views need only live for the call.
  void add(std::string_view name, std::string_view value);

  /// The block has ended; `end_stream`: and so has the request.
  void finish(bool end_stream);

  /// The rule that makes it malformed; empty if it is not.
  [[nodiscard]] std::string_view malformed() const noexcept { return malformed_; }
  [[nodiscard]] Refusal refusal() const noexcept { return refusal_; }
  /// All names and values so far, also of what was not kept.
  [[nodiscard]] std::size_t decoded() const noexcept { return decoded_; }
  /// What Content-Length says, which DATA must match.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept {
    return content_length_;
  }

 private:
  void add_pseudo(std::string_view name, std::string_view value);
  void take_pseudo(std::uint8_t which, std::string_view& into, std::string_view value);
  void add_regular(std::string_view name, std::string_view value);
  void check_pseudo();
  void read_target();
  void read_host();
  void read_length(bool end_stream);
  void join_cookies();
  void malform(std::string_view rule) noexcept {
    if (malformed_.empty()) malformed_ = rule;
  }
  void refuse(Refusal refusal) noexcept {
    if (refusal_ == Refusal::none) refusal_ = refusal;
  }
  [[nodiscard]] bool sound() const noexcept {
    return malformed_.empty() && refusal_ == Refusal::none;
  }

  RequestHead& head_;
  const Limits& limits_;
  std::string_view malformed_;
  Refusal refusal_ = Refusal::none;
  std::size_t decoded_ = 0;
  std::size_t count_ = 0;
  std::optional<std::uint64_t> content_length_;
  std::uint8_t seen_ = 0;  // pseudo-header fields, one bit each
  bool regular_seen_ = false;
};

}  // namespace http::h2
