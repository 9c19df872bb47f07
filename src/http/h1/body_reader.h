// BodyReader: an HTTP/1 body from a connection, on either side. Begins with the bytes that came
// behind the head and then reads into a buffer of its own, so that the head stays where it is.
//
//   head buffer   | head | body ...            |      pending_ is what was received and not yet
//   given: own buffer    | ... body ... | next message |     a view into one of the two
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "http/h1/chunked_decoder.h"
#include "http/head.h"
#include "http/received_body.h"
#include "io/buffer.h"
#include "io/stream.h"

namespace http::h1 {

class BodyReader final : public ReceivedBody {
 public:
  /// `received`: what lies in the head's buffer behind the head. `trailers` go to `arena`.
  BodyReader(io::Stream& stream, BodyFraming framing, std::string_view received, base::Arena& arena,
             const ChunkedLimits& limits = {},
             std::size_t buffer_size = io::Buffer::kLarge) noexcept;

  [[nodiscard]] async::Task<base::Result<std::string_view>> read(base::Deadline deadline) override;
  [[nodiscard]] std::optional<base::Result<std::string_view>> try_read() override;
  [[nodiscard]] bool ended() const noexcept override { return ended_; }
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept override;
  [[nodiscard]] const Fields& trailers() const noexcept override { return trailers_; }

  [[nodiscard]] unsigned refusal_status() const noexcept override { return status_of(refusal_); }

  [[nodiscard]] std::optional<base::Result<std::string_view>> next_received() override;
  void notice_end() override;

  [[nodiscard]] std::uint64_t delivered() const noexcept override { return delivered_; }
  /// Bytes taken from the stream so far, those in `received` not counted.
  [[nodiscard]] std::uint64_t read_from_stream() const noexcept { return read_from_stream_; }
  /// Once ended: bytes of whatever follows on the connection. A view into one of the buffers.
  [[nodiscard]] std::string_view leftover() const noexcept { return pending_; }
  [[nodiscard]] Refusal refusal() const noexcept override { return refusal_; }

 private:
  enum class Outcome : std::uint8_t { piece, need_more };
  [[nodiscard]] base::Result<Outcome> take_pending(std::string_view& piece);
  [[nodiscard]] base::Result<void> at_end_of_stream();
  [[nodiscard]] std::span<char> room();
  void received(std::size_t count) noexcept;

  io::Stream& stream_;
  BodyFraming framing_;
  std::string_view pending_;
  std::uint64_t left_ = 0;  // of Kind::length
  std::uint64_t delivered_ = 0;
  std::uint64_t read_from_stream_ = 0;
  std::size_t buffer_size_;
  ChunkedDecoder chunked_;
  Fields trailers_;
  io::Buffer buffer_;
  Refusal refusal_ = Refusal::none;
  bool ended_ = false;
};

}  // namespace http::h1
