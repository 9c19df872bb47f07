// ClientRequest: one request to a backend and its response, on a stream of a shared connection.
//
// Its id comes with its HEADERS. When it goes before its end, the stream is reset and nghttp2
// forgets it: nothing is told to it any more.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "http/client_exchange.h"
#include "http/h2/client_core.h"
#include "http/h2/field_rules.h"
#include "http/h2/response_fields.h"
#include "http/h2/stream.h"

namespace http::h2 {

/// The content of a response.
class ResponseBody final : public ReceivedBody {
 public:
  ResponseBody(Stream& stream, const Fields& trailers) noexcept
      : stream_(stream), trailers_(trailers) {}
  void begin(const BodyFraming& framing) noexcept;

  [[nodiscard]] async::Task<base::Result<std::string_view>> read(base::Deadline deadline) override;
  [[nodiscard]] std::optional<base::Result<std::string_view>> try_read() override;
  [[nodiscard]] bool ended() const noexcept override { return ended_; }
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept override;
  [[nodiscard]] const Fields& trailers() const noexcept override { return trailers_; }
  [[nodiscard]] std::optional<base::Result<std::string_view>> next_received() override;
  void notice_end() override { ended_ = ended_ || stream_.is_read(); }
  [[nodiscard]] std::uint64_t delivered() const noexcept override { return delivered_; }
  [[nodiscard]] Refusal refusal() const noexcept override;

 private:
  Stream& stream_;
  const Fields& trailers_;
  BodyFraming framing_{};
  std::uint64_t delivered_ = 0;
  bool piece_is_out_ = false;  // a view of the stream's buffer, which the next one takes away
  bool ended_ = true;
};

class ClientRequest final : public ClientExchange, public Stream, public ListedExchange {
 public:
  ClientRequest(ClientConnection::Core& core, Method method, base::Arena& arena,
                const ResponseLimits& limits);
  ~ClientRequest() override;

  // ClientExchange
  [[nodiscard]] async::Task<base::Result<void>> send_head(const OutgoingRequest& request,
                                                          std::string_view first, End end,
                                                          base::Deadline deadline) override;
  [[nodiscard]] async::Task<base::Result<void>> send_body(std::string_view piece, End end,
                                                          io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> finish_body(const Fields& trailers,
                                                            io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> read_head(ResponseHead& head,
                                                          base::Deadline deadline) override;
  [[nodiscard]] io::Buffer take_head_buffer() noexcept override { return {}; }  // the arena has it
  [[nodiscard]] ReceivedBody& open_body(const ResponseHead& head) override;
  [[nodiscard]] io::Stream& stream() noexcept override { return *this; }
  [[nodiscard]] std::string_view after_head() const noexcept override { return {}; }
  [[nodiscard]] bool answered() const noexcept override { return Stream::bytes_received() > 0; }
  [[nodiscard]] bool unprocessed() const noexcept override { return unprocessed_; }
  [[nodiscard]] bool clean() const noexcept override { return end_sent() && is_read(); }
  [[nodiscard]] Refusal refusal() const noexcept override;
  [[nodiscard]] std::uint64_t bytes_received() const noexcept override {
    return Stream::bytes_received();
  }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept override { return Stream::bytes_sent(); }

  // Stream
  void on_block(Block block) noexcept override;
  void on_field(std::string_view name, std::string_view value) noexcept override;
  void on_block_end(bool end_stream) noexcept override;
  void on_closed(Code code) noexcept override;
  void on_head_not_sent() noexcept override;
  [[nodiscard]] bool may_be_ready(io::Direction direction) const noexcept override;

  /// The connection is over. What has come whole may still be read.
  void lose_connection(const base::Error& error) noexcept;

 private:
  [[nodiscard]] base::Result<void> submit(const OutgoingRequest& request, Session::Ends ends);
  [[nodiscard]] base::Result<void> account(std::size_t size, End end) noexcept;
  [[nodiscard]] bool was_sent() const noexcept { return head_bytes_sent() > 0; }
  void refuse(Refusal refusal, std::string_view rule) noexcept;

  ClientConnection::Core& core_;
  base::Arena& arena_;
  ResponseFields fields_;
  ResponseHead building_;
  std::vector<ResponseHead> heads_;  // complete, not read yet
  Fields trailers_;
  TrailerFields trailer_fields_;
  ResponseBody body_;
  std::optional<std::uint64_t> left_;  // of the length that the request promises
  base::TimePoint sent_at_{};
  std::size_t decoded_ = 0;
  Refusal refusal_ = Refusal::none;
  bool final_seen_ = false;
  bool unprocessed_ = false;
};

}  // namespace http::h2
