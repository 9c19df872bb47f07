// BodyWriter: the sending half of HTTP/1's body framing, the same for requests and responses. Heads
// and the first bytes behind them leave in one write. It keeps the promise of a Content-Length: a
// body that is longer would become the next message, so it is an Error and never sent.
#pragma once

#include <cstdint>
#include <string_view>

#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/fields.h"
#include "http/responder.h"
#include "io/stream.h"

namespace http::h1 {

class BodyWriter {
 public:
  enum class Framing : std::uint8_t { none, length, chunked, until_close };

  explicit BodyWriter(io::Stream& stream) noexcept : stream_(stream) {}

  /// `length` is that of Framing::length.
  void begin(Framing framing, std::uint64_t length) noexcept {
    framing_ = framing;
    left_ = framing == Framing::length ? length : 0;
  }
  /// The connection ends with the body.
  void end_stream_after() noexcept { ends_stream_ = true; }
  /// `head` goes first and is not framed. With Framing::none `piece` is dropped (an answer to
  /// HEAD).
  [[nodiscard]] async::Task<base::Result<void>> send(std::string_view head, std::string_view piece,
                                                     End end, io::Patience patience);
  /// Bytes of a file, with Framing::length over a stream that sends files; none if the body is left
  /// out (an answer to HEAD).
  [[nodiscard]] async::Task<base::Result<void>> send_file(io::FileBytes bytes,
                                                          io::Patience patience);
  [[nodiscard]] bool sends_files() const noexcept { return stream_.sends_files(); }
  /// The end with trailers, which only chunks can carry; elsewhere they are left out.
  [[nodiscard]] async::Task<base::Result<void>> finish(const Fields& trailers,
                                                       io::Patience patience);

  [[nodiscard]] Framing framing() const noexcept { return framing_; }
  [[nodiscard]] std::uint64_t length_left() const noexcept { return left_; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }

 private:
  [[nodiscard]] base::Result<void> account(std::size_t body_bytes, End end) noexcept;

  io::Stream& stream_;
  std::uint64_t left_ = 0;
  std::uint64_t bytes_sent_ = 0;
  Framing framing_ = Framing::none;
  bool ended_ = false;
  bool ends_stream_ = false;
};

}  // namespace http::h1
