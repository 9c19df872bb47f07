// ClientExchange: one request to a backend and its response, whatever the protocol. The two halves
// are independent, since a backend may answer while the request's body is still on its way.
//
//   send_head  send_body*  finish_body         or   send_head(..., End::yes)
//   read_head (again after an interim one)  open_body  or, after a switch of protocols, stream()
#pragma once

#include <cstdint>
#include <string_view>

#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/head.h"
#include "http/outgoing_request.h"
#include "http/received_body.h"
#include "http/refusal.h"
#include "http/responder.h"
#include "io/buffer.h"
#include "io/patience.h"
#include "io/stream.h"

namespace http {

class ClientExchange {
 public:
  ClientExchange() = default;
  ClientExchange(const ClientExchange&) = delete;
  ClientExchange& operator=(const ClientExchange&) = delete;
  virtual ~ClientExchange() = default;

  /// The head and the first bytes of the body in one write. Errors invalid and too_large: nothing
  /// was sent, since the request can't be written down.
  [[nodiscard]] virtual async::Task<base::Result<void>> send_head(const OutgoingRequest& request,
                                                                  std::string_view first, End end,
                                                                  base::Deadline deadline) = 0;
  /// More of the request's body, as its framing promised. `piece` may be empty with End::yes.
  [[nodiscard]] virtual async::Task<base::Result<void>> send_body(std::string_view piece, End end,
                                                                  io::Patience patience) = 0;
  /// Ends it with trailers, which are left out where the request can carry none.
  [[nodiscard]] virtual async::Task<base::Result<void>> finish_body(const Fields& trailers,
                                                                    io::Patience patience) = 0;

  /// The next response head, interim ones included. Its views are valid until the next one is read,
  /// and as long as the buffer that take_head_buffer() gives away, and the arena. Errors: protocol
  /// (refusal() says which rule), too_large, end_of_stream, and those of streams.
  [[nodiscard]] virtual async::Task<base::Result<void>> read_head(ResponseHead& head,
                                                                  base::Deadline deadline) = 0;
  /// Gives away what the last head's views point into. The exchange is over then.
  [[nodiscard]] virtual io::Buffer take_head_buffer() noexcept = 0;
  /// The body of the last head, which was not an interim one. Once.
  [[nodiscard]] virtual ReceivedBody& open_body(const ResponseHead& head) = 0;

  /// After a switch of protocols: the bytes both ways, those in after_head() first.
  [[nodiscard]] virtual io::Stream& stream() noexcept = 0;
  [[nodiscard]] virtual std::string_view after_head() const noexcept = 0;

  /// Has any byte of the response arrived? Before that a reused connection may just have been
  /// closed.
  [[nodiscard]] virtual bool answered() const noexcept = 0;
  /// It is certain that the backend has done nothing with the request: any may be sent again.
  [[nodiscard]] virtual bool unprocessed() const noexcept = 0;
  /// Both messages ended as framed, and the backend sent nothing beyond: the connection may serve
  /// another request if `head` keeps it alive.
  [[nodiscard]] virtual bool clean() const noexcept = 0;
  /// Of the head or the body, whichever was refused.
  [[nodiscard]] virtual Refusal refusal() const noexcept = 0;

  [[nodiscard]] virtual std::uint64_t bytes_received() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t bytes_sent() const noexcept = 0;
};

}  // namespace http
