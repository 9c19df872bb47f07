// SendingStreams: those that the client has begun and not ended itself. Of what has ended, nghttp2
// drops DATA and tells nobody (RFC 9113 §5.1 asks for STREAM_CLOSED).
//
// A stream that we have reset is still in it: DATA may be on its way.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace http::h2 {

class SendingStreams {
 public:
  /// HEADERS came for it.
  void begin(std::uint32_t id) {
    if (id <= last_ || id % 2 == 0) return;
    last_ = id;
    if (ids_.size() == kMost) return forget();
    ids_.push_back(id);
  }
  /// END_STREAM, or RST_STREAM.
  void end(std::uint32_t id) noexcept {
    const auto found = std::ranges::find(ids_, id);
    if (found == ids_.end()) return;
    *found = ids_.back();
    ids_.pop_back();
    if (ids_.empty()) ids_ = {};  // an idle connection holds nothing
  }
  [[nodiscard]] bool has_ended(std::uint32_t id) const noexcept {
    return id > forgotten_ && id <= last_ && id % 2 == 1 &&
           std::ranges::find(ids_, id) == ids_.end();
  }

 private:
  // More are not allowed at a time, but those that we have refused may be among them.
  static constexpr std::size_t kMost = 1000;
  void forget() noexcept {
    ids_ = {};
    forgotten_ = last_;
  }

  std::vector<std::uint32_t> ids_;
  std::uint32_t last_ = 0;
  std::uint32_t forgotten_ = 0;  // nothing is known of those up to it
};

}  // namespace http::h2
