// Responder: the way of one response to the client, whatever the protocol. The codec decides about
// framing; whoever responds only says what is known: `head.body` (none, a length, or chunked for "I
// don't know yet"), and when it ends.
//
//   send_interim*  send_head  (send_body | send_file)*  finish    or   send_head(..., End::yes)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "async/task.h"
#include "base/result.h"
#include "http/head.h"
#include "io/stream.h"

namespace http {

enum class End : bool { no, yes };

class Responder {
 public:
  Responder() = default;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;
  virtual ~Responder() = default;

  /// A 1xx response. Not for clients of HTTP/1.0, which never get one: it is left out.
  [[nodiscard]] virtual async::Task<base::Result<void>> send_interim(const ResponseHead& head,
                                                                     io::Patience patience) = 0;
  /// The head and, in the same write, the first bytes of the body. `head.fields` has no framing
  /// fields, except the Content-Length that answers to HEAD and 304 tell about. With End::yes,
  /// `first` is the whole body.
  [[nodiscard]] virtual async::Task<base::Result<void>> send_head(const ResponseHead& head,
                                                                  std::string_view first, End end,
                                                                  io::Patience patience) = 0;
  /// More of the body. `piece` may be empty with End::yes.
  [[nodiscard]] virtual async::Task<base::Result<void>> send_body(std::string_view piece, End end,
                                                                  io::Patience patience) = 0;
  /// Whether send_file works: the way to the client has no encryption in it, nor frames.
  [[nodiscard]] virtual bool sends_files() const noexcept = 0;
  /// More of a body of known length: these bytes of a file. Error end_of_stream: the file has
  /// become shorter.
  [[nodiscard]] virtual async::Task<base::Result<void>> send_file(io::FileBytes bytes,
                                                                  io::Patience patience) = 0;
  /// Ends the body with trailers (left out where the client can't take them).
  [[nodiscard]] virtual async::Task<base::Result<void>> finish(const Fields& trailers,
                                                               io::Patience patience) = 0;

  /// No further request is wanted after this one: said in the head, if that is still to be sent.
  virtual void close_after() noexcept = 0;

  /// A body of unknown length ends with the connection, not in chunks. Before the head.
  virtual void forbid_chunks() noexcept = 0;

  /// At most so many bytes of the body in a frame, where there are frames.
  virtual void limit_frames(std::size_t /*size*/) noexcept {}

  [[nodiscard]] virtual bool head_sent() const noexcept = 0;
  /// The response was sent whole, as its framing promised.
  [[nodiscard]] virtual bool ended() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t bytes_sent() const noexcept = 0;  // all
  [[nodiscard]] virtual std::uint64_t head_bytes_sent() const noexcept = 0;  // heads alone
};

}  // namespace http
