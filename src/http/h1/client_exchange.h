// ClientExchange: one request and its response on a connection to a backend that has no other
// meanwhile.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "base/arena.h"
#include "http/client_exchange.h"
#include "http/h1/body_reader.h"
#include "http/h1/body_writer.h"
#include "http/h1/response_parser.h"
#include "http/head.h"
#include "io/buffer.h"
#include "io/stream.h"

namespace http::h1 {

class ClientExchange final : public http::ClientExchange {
 public:
  /// `arena` takes trailers. The method decides how the answer is framed.
  ClientExchange(io::Stream& stream, Method method, base::Arena& arena, const HeadLimits& limits,
                 const ChunkedLimits& body_limits = {}) noexcept
      : stream_(stream),
        arena_(arena),
        parser_(method, limits),
        writer_(stream),
        body_limits_(body_limits),
        max_head_(limits.max_total) {}

  [[nodiscard]] async::Task<base::Result<void>> send_head(const OutgoingRequest& request,
                                                          std::string_view first, End end,
                                                          base::Deadline deadline) override;
  [[nodiscard]] async::Task<base::Result<void>> send_body(std::string_view piece, End end,
                                                          io::Patience patience) override {
    return writer_.send({}, piece, end, patience);
  }
  [[nodiscard]] async::Task<base::Result<void>> finish_body(const Fields& trailers,
                                                            io::Patience patience) override {
    return writer_.finish(trailers, patience);
  }

  /// `head` has views into a buffer of this object.
  [[nodiscard]] async::Task<base::Result<void>> read_head(ResponseHead& head,
                                                          base::Deadline deadline) override;
  [[nodiscard]] io::Buffer take_head_buffer() noexcept override { return std::move(in_); }
  [[nodiscard]] BodyReader& open_body(const ResponseHead& head) override;

  [[nodiscard]] io::Stream& stream() noexcept override { return stream_; }
  [[nodiscard]] std::string_view after_head() const noexcept override {
    return in_.readable().substr(head_end_);
  }

  [[nodiscard]] bool answered() const noexcept override { return received_ > 0; }
  [[nodiscard]] bool unprocessed() const noexcept override { return false; }  // never certain
  [[nodiscard]] std::uint64_t bytes_received() const noexcept override {
    return received_ + (body_ ? body_->read_from_stream() : 0);
  }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept override { return writer_.bytes_sent(); }
  [[nodiscard]] Refusal refusal() const noexcept override {
    return refusal_ == Refusal::none && body_ ? body_->refusal() : refusal_;
  }
  [[nodiscard]] bool clean() const noexcept override {
    return writer_.ended() && body_ && body_->ended() && body_->leftover().empty();
  }

 private:
  io::Stream& stream_;
  base::Arena& arena_;
  ResponseHeadParser parser_;
  BodyWriter writer_;
  io::Buffer in_;
  ChunkedLimits body_limits_;
  std::optional<BodyReader> body_;
  std::size_t head_begin_ = 0;  // of the head being read, in in_: interim ones lie before it
  std::size_t head_end_ = 0;
  std::size_t max_head_;
  std::uint64_t received_ = 0;
  Refusal refusal_ = Refusal::none;
};

}  // namespace http::h1
