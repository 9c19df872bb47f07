// StreamBody: the content of a message that comes over a stream.
#pragma once

#include <optional>
#include <string_view>

#include "http/body.h"
#include "http/h2/stream.h"
#include "http/head.h"

namespace http::h2 {

class StreamBody final : public Body {
 public:
  /// Both must outlive it.
  StreamBody(Stream& stream, const Fields& trailers) noexcept
      : stream_(stream), trailers_(trailers) {}

  /// Once the head is known.
  void begin(const BodyFraming& framing) noexcept {
    framing_ = framing;
    ended_ = !framing.has_body();
  }

  [[nodiscard]] async::Task<base::Result<std::string_view>> read(base::Deadline deadline) override;
  [[nodiscard]] std::optional<base::Result<std::string_view>> try_read() override;
  [[nodiscard]] bool ended() const noexcept override { return ended_; }
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept override;
  [[nodiscard]] const Fields& trailers() const noexcept override { return trailers_; }

 private:
  Stream& stream_;
  const Fields& trailers_;
  BodyFraming framing_{};
  bool ended_ = true;
};

}  // namespace http::h2
