// Stream: one HTTP/2 stream, of either side: DATA both ways as an io::Stream, and what a Body and a
// sender are made of.
//
// Received bytes wait in `incoming_`; whoever reads is given all of them at once as a view, and the
// window back for them when it comes for the next. Sent bytes are not kept: `pending_` is a view of
// the sender's own, who waits until they are in frames.
//
//   peer ── DATA ──▶ incoming_ ── take() ──▶ given_ ── next take(): consume ──▶ WINDOW_UPDATE
//   sender ── pending_ ──▶ next_piece(), take_piece() ──▶ the connection's buffer
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "async/intrusive_list.h"
#include "base/result.h"
#include "http/body.h"
#include "http/h2/session.h"
#include "io/buffer.h"
#include "io/stream.h"

namespace http::h2 {

class Connection;

/// Streams to which something has happened inside nghttp2, and who waits has not been told yet.
class Touched : public async::Link {};

class Stream : public io::Stream, public Touched {
 public:
  Stream(Connection& connection, std::int32_t id) noexcept : connection_(connection), id_(id) {}
  ~Stream() override;

  [[nodiscard]] std::int32_t id() const noexcept { return id_; }
  [[nodiscard]] Connection& connection() const noexcept { return connection_; }

  // io::Stream: tunnels, and whoever watches the peer.
  [[nodiscard]] base::Result<std::size_t> try_read(std::span<char> into) noexcept override;
  [[nodiscard]] base::Result<std::size_t> try_write(
      std::span<const iovec> pieces) noexcept override;
  [[nodiscard]] bool may_be_ready(io::Direction direction) const noexcept override;
  void set_waiter(io::Direction direction, io::Waiter* waiter) noexcept override;
  void end_with_next_write() noexcept override { end_with_next_ = true; }
  void shutdown_write() noexcept override;
  void abort() noexcept override;
  [[nodiscard]] bool is_early() const noexcept override;
  [[nodiscard]] bool peer_closed() const noexcept override { return send_failed(); }
  [[nodiscard]] io::EventLoop& loop() const noexcept override;

  // For bodies.
  /// What has been received since the last call; empty at the end; nothing if it has not come yet.
  [[nodiscard]] std::optional<base::Result<std::string_view>> take() noexcept;
  /// DATA in all must have this length; otherwise the stream ends in PROTOCOL_ERROR.
  void expect_length(std::optional<std::uint64_t> length) noexcept { expected_ = length; }
  [[nodiscard]] bool receive_ended() const noexcept { return receive_ended_; }
  /// All has been received, and taken.
  [[nodiscard]] bool is_read() const noexcept { return receive_ended_ && incoming_.empty(); }

  // For senders.
  /// `piece` is to be sent, and must stay in place until taken() or withdraw(). False: another is
  /// on its way, or our side has ended.
  [[nodiscard]] bool offer(std::string_view piece, bool end) noexcept;
  /// Fields were submitted; taken() once they are in the buffer.
  enum class After : std::uint8_t { heads, data, nothing };
  void note_submitted(After after) noexcept;
  [[nodiscard]] bool taken() const noexcept {
    return heads_queued_ == 0 && pending_.empty() && (!end_wanted_ || end_sent_);
  }
  void withdraw() noexcept { pending_ = {}; }
  void set_max_frame(std::size_t size) noexcept { max_frame_ = size; }
  [[nodiscard]] std::size_t max_frame() const noexcept { return max_frame_; }
  /// All that is left to be sent is the end.
  [[nodiscard]] bool is_ending() const noexcept { return end_wanted_ && pending_.empty(); }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }
  [[nodiscard]] std::uint64_t head_bytes_sent() const noexcept { return head_bytes_sent_; }
  [[nodiscard]] std::uint64_t bytes_received() const noexcept { return bytes_received_; }
  [[nodiscard]] bool end_sent() const noexcept { return end_sent_; }

  /// Ends it in both directions. `code` by our own wish, or for what the peer did.
  enum class Because : bool { own, peer };
  void reset(Code code, Because because) noexcept;
  [[nodiscard]] bool reset_is_own() const noexcept { return reset_is_own_; }
  /// Nothing more is wanted from the peer, which is told so behind our end, not before it.
  void reset_after_end() noexcept;
  /// It has ended before its time: read() and sends give the error from now on.
  void fail(const base::Error& error) noexcept;
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  /// Nothing can be sent any more; what was received may still be read.
  [[nodiscard]] bool send_failed() const noexcept { return failed_ || send_failed_; }
  [[nodiscard]] const base::Error& failure() const noexcept { return failure_; }
  [[nodiscard]] bool closed() const noexcept { return closed_; }

  // For Session, inside nghttp2.
  enum class Block : std::uint8_t { first, later };  // of header blocks on this stream
  virtual void on_block(Block block) noexcept = 0;
  virtual void on_field(std::string_view name, std::string_view value) noexcept = 0;
  virtual void on_block_end(bool end_stream) noexcept = 0;
  void on_frame(std::size_t size) noexcept { bytes_received_ += size; }
  void on_data(std::string_view data) noexcept;
  void on_end() noexcept;
  virtual void on_closed(Code code) noexcept;
  struct Piece {
    std::size_t size;
    bool end;
  };
  [[nodiscard]] std::optional<Piece> next_piece(std::size_t most) noexcept;
  [[nodiscard]] std::string_view take_piece(std::size_t size, std::size_t frame, bool end) noexcept;
  void on_head_sent(bool end) noexcept;
  virtual void on_head_not_sent() noexcept;
  void count_head_bytes(std::size_t size) noexcept {
    bytes_sent_ += size;
    head_bytes_sent_ += size;
  }

  // For Connection: tells whoever waits.
  void tell_waiters() noexcept;

 protected:
  void set_id(std::int32_t id) noexcept { id_ = id; }  // a client's, once it is submitted
  /// Sends give the error from now on; what was received, to its end, is still to be read.
  void fail_sending(const base::Error& error) noexcept;
  void touch() noexcept;
  [[nodiscard]] bool has_unread() const noexcept { return !incoming_.empty(); }

 private:
  void release_given() noexcept;

  Connection& connection_;
  std::int32_t id_;
  io::Buffer incoming_;
  io::Buffer given_;
  std::string_view pending_;
  std::optional<std::uint64_t> expected_;
  io::Waiter* reader_ = nullptr;
  io::Waiter* writer_ = nullptr;
  base::Error failure_{};
  std::uint64_t data_received_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t head_bytes_sent_ = 0;
  std::size_t max_frame_ = 16 * 1024;
  std::uint32_t heads_queued_ = 0;
  bool receive_ended_ = false;
  bool end_wanted_ = false;  // of what we send
  bool end_sent_ = false;
  bool end_with_next_ = false;
  bool wants_room_ = false;  // a writer got would_block
  bool data_submitted_ = false;  // nghttp2 asks next_piece() once there is a window
  bool reset_is_own_ = false;
  bool reset_after_end_ = false;
  bool failed_ = false;
  bool send_failed_ = false;
  bool closed_ = false;  // nghttp2 has forgotten it
};

}  // namespace http::h2
