// ResponseFields: the header blocks of a response, field by field, into ResponseHeads: interim ones
// and the final one (RFC 9113 §8.3.2). A backend is no friend: whatever breaks a rule is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/h2/response_limits.h"
#include "http/head.h"
#include "http/refusal.h"

namespace http::h2 {

class ResponseFields {
 public:
  ResponseFields(Method method, const ResponseLimits& limits) noexcept
      : method_(method), limits_(limits) {}

  /// A block begins: its fields go into `head`, text into the arena of that.
  void begin(ResponseHead& head) noexcept;
  /// The views need only live for the call.
  void add(std::string_view name, std::string_view value);
  /// The block has ended; `end_stream`: and so has the response.
  void finish(bool end_stream);

  /// The rule that was broken, if one was, and words for it of static lifetime.
  [[nodiscard]] Refusal refusal() const noexcept { return refusal_; }
  [[nodiscard]] std::string_view rule() const noexcept { return rule_; }
  [[nodiscard]] bool sound() const noexcept { return refusal_ == Refusal::none; }
  /// What DATA must have in all, if that is known.
  [[nodiscard]] std::optional<std::uint64_t> data_length() const noexcept { return data_length_; }

 private:
  void add_status(std::string_view value);
  void add_regular(std::string_view name, std::string_view value);
  void read_framing(bool end_stream);
  void refuse(Refusal refusal, std::string_view rule = {}) noexcept;

  Method method_;
  ResponseLimits limits_;
  ResponseHead* head_ = nullptr;
  std::size_t bytes_ = 0;  // of this head
  std::size_t interim_bytes_ = 0;  // of those before it
  std::size_t count_ = 0;
  std::optional<std::uint64_t> data_length_;
  std::string_view rule_;
  Refusal refusal_ = Refusal::none;
  bool has_status_ = false;
  bool regular_seen_ = false;
};

}  // namespace http::h2
