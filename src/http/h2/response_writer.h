// ResponseWriter: http::Responder for HTTP/2. The framing is the stream's; what Content-Length
// promises is kept nevertheless.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/h2/stream.h"
#include "http/responder.h"

namespace http::h2 {

class ResponseWriter final : public Responder {
 public:
  ResponseWriter(Stream& stream, const Method& method) noexcept
      : stream_(stream), method_(method) {}

  [[nodiscard]] async::Task<base::Result<void>> send_interim(const ResponseHead& head,
                                                             io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> send_head(const ResponseHead& head,
                                                          std::string_view first, End end,
                                                          io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> send_body(std::string_view piece, End end,
                                                          io::Patience patience) override;
  [[nodiscard]] bool sends_files() const noexcept override { return false; }
  [[nodiscard]] async::Task<base::Result<void>> send_file(io::FileBytes bytes,
                                                          io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> finish(const Fields& trailers,
                                                       io::Patience patience) override;
  void close_after() noexcept override {}
  void limit_frames(std::size_t size) noexcept override { stream_.set_max_frame(size); }
  void forbid_chunks() noexcept override {}
  [[nodiscard]] bool head_sent() const noexcept override { return head_sent_; }
  [[nodiscard]] bool ended() const noexcept override { return ended_; }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept override { return stream_.bytes_sent(); }
  [[nodiscard]] std::uint64_t head_bytes_sent() const noexcept override {
    return stream_.head_bytes_sent();
  }

 private:
  [[nodiscard]] base::Result<void> account(std::size_t size, End end) noexcept;
  [[nodiscard]] base::Result<void> submit_head(const ResponseHead& head,
                                               std::optional<std::uint64_t> promised,
                                               Session::Ends ends);

  Stream& stream_;
  const Method& method_;
  std::optional<std::uint64_t> left_;  // of a promised length
  bool no_body_ = false;  // of an answer to HEAD, 204, 304
  bool head_sent_ = false;
  bool ended_ = false;
};

}  // namespace http::h2
