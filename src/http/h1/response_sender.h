// ResponseSender: http::Responder for HTTP/1. Chooses the framing (RFC 9112 §6.3): the length if it
// is known, chunks for HTTP/1.1, the end of the connection for HTTP/1.0.
#pragma once

#include "http/h1/body_writer.h"
#include "http/h1/head_writer.h"
#include "http/responder.h"
#include "io/buffer.h"
#include "io/stream.h"

namespace http::h1 {

class ResponseSender final : public Responder {
 public:
  /// `request` must outlive it.
  ResponseSender(io::Stream& stream, const RequestHead& request) noexcept
      : body_(stream), request_(request) {}

  [[nodiscard]] async::Task<base::Result<void>> send_interim(const ResponseHead& head,
                                                             io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> send_head(const ResponseHead& head,
                                                          std::string_view first, End end,
                                                          io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> send_body(std::string_view piece, End end,
                                                          io::Patience patience) override {
    return body_.send({}, piece, end, patience);
  }
  [[nodiscard]] bool sends_files() const noexcept override { return body_.sends_files(); }
  [[nodiscard]] async::Task<base::Result<void>> send_file(io::FileBytes bytes,
                                                          io::Patience patience) override {
    return body_.send_file(bytes, patience);
  }
  [[nodiscard]] async::Task<base::Result<void>> finish(const Fields& trailers,
                                                       io::Patience patience) override {
    return body_.finish(trailers, patience);
  }

  [[nodiscard]] bool head_sent() const noexcept override { return head_sent_; }
  [[nodiscard]] bool ended() const noexcept override { return head_sent_ && body_.ended(); }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept override { return body_.bytes_sent(); }
  [[nodiscard]] std::uint64_t head_bytes_sent() const noexcept override { return head_bytes_; }

  void close_after() noexcept override { keep_alive_ = false; }
  void forbid_chunks() noexcept override { may_chunk_ = false; }
  /// May the next request be read, as far as this response goes?
  [[nodiscard]] bool keeps_alive() const noexcept { return keep_alive_ && ended(); }

 private:
  [[nodiscard]] bool opens_tunnel(const ResponseHead& head) const noexcept;
  void choose_framing(const ResponseHead& head) noexcept;
  void write_head(HeadWriter& writer, const ResponseHead& head) const noexcept;

  BodyWriter body_;
  const RequestHead& request_;
  io::Buffer out_;
  std::uint64_t head_bytes_ = 0;
  bool keep_alive_ = true;
  bool may_chunk_ = true;
  bool head_sent_ = false;
};

}  // namespace http::h1
