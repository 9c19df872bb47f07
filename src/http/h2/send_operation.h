// SendOperation: waits until what was submitted on a stream, and a piece of DATA, are in frames. As
// io::write_all, but in one go with the end of the stream, and in the order of priorities.
#pragma once

#include <string_view>

#include "http/h2/stream.h"
#include "io/stream.h"

namespace http::h2 {

class SendOperation final : public io::StreamOperation {
 public:
  /// `piece` must stay in place. `end`: it is the last.
  SendOperation(Stream& stream, std::string_view piece, bool end, io::Patience patience) noexcept
      : StreamOperation(stream, io::Direction::write, patience.until(stream.loop().now()),
                        io::Waiting::busy),
        sender_(stream),
        piece_(piece),
        patience_(patience),
        seen_(stream.bytes_sent()),
        end_(end) {}
  /// Errors: reset; timed_out and cancelled, after which the stream has been reset.
  [[nodiscard]] base::Result<void> await_resume() const noexcept { return result_; }

 private:
  bool attempt() noexcept override;
  void store(const base::Error& error) noexcept override;

  Stream& sender_;
  std::string_view piece_;
  io::Patience patience_;
  std::uint64_t seen_;
  base::Result<void> result_;
  bool end_;
  bool offered_ = false;
};

}  // namespace http::h2
