// ClientExchange: one request and its response on a connection to a backend. The two halves are
// independent, since a backend may answer while the request's body is still on its way.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "base/arena.h"
#include "http/h1/body_reader.h"
#include "http/h1/body_writer.h"
#include "http/h1/response_parser.h"
#include "http/head.h"
#include "io/buffer.h"
#include "io/stream.h"

namespace http::h1 {

/// A request as it is sent to a backend. `fields` have no framing fields: `body` says it.
struct OutgoingRequest {
  explicit OutgoingRequest(base::Arena& arena) noexcept : fields(arena) {}
  std::string_view method;
  std::string_view target;
  Version version = Version::http_1_1;  // or http_1_0, which allows no chunks
  BodyFraming body;
  Fields fields;
};

class ClientExchange {
 public:
  /// `arena` takes trailers. The method decides how the answer is framed.
  ClientExchange(io::Stream& stream, Method method, base::Arena& arena,
                 const HeadLimits& limits) noexcept
      : stream_(stream),
        arena_(arena),
        parser_(method, limits),
        writer_(stream),
        max_head_(limits.max_total) {}

  /// The head and the first bytes of the body in one write.
  [[nodiscard]] async::Task<base::Result<void>> send_head(const OutgoingRequest& request,
                                                          std::string_view first, End end,
                                                          base::Deadline deadline);
  [[nodiscard]] BodyWriter& request_body() noexcept { return writer_; }

  /// The next response head, interim ones included. `head` has views into a buffer of this object.
  /// Errors: protocol (refusal() says which rule), too_large, end_of_stream.
  [[nodiscard]] async::Task<base::Result<void>> read_head(ResponseHead& head,
                                                          base::Deadline deadline);
  /// Gives away what the last head's views point into. The exchange is over then.
  [[nodiscard]] io::Buffer take_head_buffer() noexcept { return std::move(in_); }
  /// The body of the last head, which was not an interim one.
  [[nodiscard]] BodyReader& open_body(const ResponseHead& head, const ChunkedLimits& limits = {});

  /// Has any byte of the response arrived? Before that a reused connection may just have been
  /// closed.
  [[nodiscard]] bool answered() const noexcept { return received_ > 0; }
  [[nodiscard]] std::uint64_t bytes_received() const noexcept {
    return received_ + (body_ ? body_->read_from_stream() : 0);
  }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept { return writer_.bytes_sent(); }
  [[nodiscard]] Refusal refusal() const noexcept {
    return refusal_ == Refusal::none && body_ ? body_->refusal() : refusal_;
  }
  /// Bytes behind a 101's head: the tunnel's first.
  [[nodiscard]] std::string_view after_head() const noexcept {
    return in_.readable().substr(head_end_);
  }
  /// Both messages ended as framed, and the backend sent nothing beyond: the connection may serve
  /// another request if `head` keeps it alive.
  [[nodiscard]] bool clean() const noexcept {
    return writer_.ended() && body_ && body_->ended() && body_->leftover().empty();
  }

 private:
  io::Stream& stream_;
  base::Arena& arena_;
  ResponseHeadParser parser_;
  BodyWriter writer_;
  io::Buffer in_;
  std::optional<BodyReader> body_;
  std::size_t head_begin_ = 0;  // of the head being read, in in_: interim ones lie before it
  std::size_t head_end_ = 0;
  std::size_t max_head_;
  std::uint64_t received_ = 0;
  Refusal refusal_ = Refusal::none;
};

}  // namespace http::h1
