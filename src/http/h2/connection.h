// Connection: what both sides of HTTP/2 have in common: an nghttp2 session over an io::Stream, its
// one reader, its one writer, and the memory that it may use.
//
// Sends gather frames into `out_` at once, as far as windows and room allow; the writer, woken
// behind what else is ready in this turn, writes all of it in one call. While it waits for the
// peer's TCP, nothing is gathered: that is the back-pressure on every stream.
//
// Nothing is told to waiting coroutines from inside nghttp2: streams are listed in `touched_`, and
// settle() tells them when nghttp2 has returned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "async/intrusive_list.h"
#include "async/scope.h"
#include "async/task.h"
#include "base/clock.h"
#include "http/h2/frame_watch.h"
#include "http/h2/limits.h"
#include "http/h2/session.h"
#include "http/h2/stream.h"
#include "io/buffer.h"
#include "io/stream.h"
#include "observe/counters.h"

namespace http::h2 {

class Connection : public SessionOwner {
 public:
  Connection(io::Stream& stream, Session::Side side, const Limits& limits, SharedBudget* budget,
             observe::Counters& counters);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection();

  [[nodiscard]] Session& session() noexcept { return session_; }
  [[nodiscard]] io::Stream& below() const noexcept { return stream_; }
  [[nodiscard]] io::EventLoop& loop() const noexcept { return stream_.loop(); }
  [[nodiscard]] const Limits& limits() const noexcept { return limits_; }
  [[nodiscard]] observe::Counters& counters() const noexcept { return counters_; }

  /// Gathers what can be sent now, and sees to its being written. Does nothing inside nghttp2, nor
  /// while a write waits: then it comes by itself.
  void pump() noexcept;
  /// Something was submitted: gathered and written later in this turn.
  void wake_writer() noexcept;
  void touch(Touched& stream) noexcept { touched_.push_back(stream); }

  /// What streams hold. May pass the limit a little: new streams are refused then.
  void charge(std::size_t bytes) noexcept;
  void discharge(std::size_t bytes) noexcept;
  [[nodiscard]] bool is_over_budget() const noexcept;
  [[nodiscard]] bool is_over_own_budget() const noexcept;  // not that of all connections

  /// Ends the connection with ENHANCE_YOUR_CALM.
  void offend(Offence offence) noexcept;

  [[nodiscard]] bool over() const noexcept { return over_; }
  [[nodiscard]] std::uint64_t bytes_received() const noexcept { return bytes_received_; }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }
  [[nodiscard]] std::size_t memory() const noexcept { return memory_; }

  // SessionOwner, as far as both sides do the same.
  void on_reset_sent(bool own) noexcept override;
  void on_reset_received() noexcept override;
  void on_decoded_for_nobody(std::size_t size) noexcept override;
  void on_data_sent(std::size_t size, bool cut_by_window) noexcept override;
  void on_failed(std::string_view reason) noexcept override;

 protected:
  /// Why it is over; the first reason counts.
  enum class Ending : std::uint8_t {
    none,
    closed,
    idle,
    silent,
    stalled,
    failed,
    protocol,
    flood,
    cancelled
  };
  /// Nothing more is read. What is queued is still written.
  void end(Ending ending, std::string_view reason = {}, const base::Error& error = {}) noexcept;
  [[nodiscard]] Ending ending() const noexcept { return ending_; }
  [[nodiscard]] std::string_view reason() const noexcept { return reason_; }
  [[nodiscard]] const base::Error& error() const noexcept { return error_; }

  /// Feeds what has been received, pieces of any size. False: it is over.
  bool receive(std::string_view bytes) noexcept;
  /// Reads what is there. True: go on; false: it is over.
  [[nodiscard]] async::Task<bool> read_available();
  /// The writer, until close_writer() and all that was gathered is written.
  [[nodiscard]] async::Task<void> write(base::Duration patience);
  void close_writer() noexcept;
  /// When the writer has returned: why it is over may be in a GOAWAY that could not leave.
  void read_own_last_words() noexcept;
  [[nodiscard]] bool is_writing() const noexcept { return writing_; }
  [[nodiscard]] const FrameWatch& watch() const noexcept { return watch_; }

  /// How the wait for input is to go on: until when, and whether a drain may end it.
  struct Wait {
    base::Deadline until = base::kNoDeadline;
    io::Waiting waiting = io::Waiting::busy;
  };
  class InputWait;
  /// Waits until there is input, or it is over. Errors: timed_out, cancelled.
  [[nodiscard]] InputWait input(Wait wait) noexcept;
  /// Changes the wait that is going on, if there is one.
  void rewait(Wait wait) noexcept;
  void set_scope(async::Scope* scope) noexcept { scope_ = scope; }

  /// After what was fed: the side's turn to begin what is new. Outside of nghttp2.
  virtual void on_fed() noexcept = 0;
  /// A stream is closed in nghttp2 and all have been told: its object may go.
  virtual void on_gone(Stream& stream) noexcept = 0;

 private:
  class WriterWait;
  void settle() noexcept;

  io::Stream& stream_;
  const Limits limits_;
  observe::Counters& counters_;
  SharedBudget* budget_;
  FrameWatch watch_;
  Session session_;
  io::Buffer in_;
  io::Buffer out_;
  async::List<Touched> touched_;
  async::Scope* scope_ = nullptr;  // of the reader
  InputWait* input_wait_ = nullptr;
  WriterWait* writer_wait_ = nullptr;
  std::string_view reason_;
  base::Error error_{};
  std::size_t memory_ = 0;
  std::size_t out_hint_ = io::Buffer::kSmall;
  std::size_t in_size_ = io::Buffer::kLarge / 4;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
  Ending ending_ = Ending::none;
  bool inside_ = false;  // of nghttp2
  bool settling_ = false;
  bool writing_ = false;  // out_ must not be touched
  bool write_soon_ = false;  // the writer has been woken
  bool writer_closing_ = false;
  bool over_ = false;
};

/// The wait for input: as io::ready, but ends also when the connection is over, and can be turned
/// from a busy into an idle one while it goes on.
class Connection::InputWait final : public io::StreamOperation {
 public:
  InputWait(Connection& connection, Wait wait) noexcept
      : StreamOperation(connection.stream_, io::Direction::read, wait.until, wait.waiting),
        connection_(connection) {
    connection_.input_wait_ = this;
  }
  ~InputWait() { connection_.input_wait_ = nullptr; }
  [[nodiscard]] base::Result<void> await_resume() const noexcept { return result_; }
  void rewait(async::Scope* scope, Wait wait) noexcept;
  [[nodiscard]] bool done() const noexcept { return done_; }

 private:
  bool attempt() noexcept override;
  void store(const base::Error& error) noexcept override {
    result_ = std::unexpected(error);
    done_ = true;
  }
  Connection& connection_;
  base::Result<void> result_;
  bool done_ = false;
};

inline Connection::InputWait Connection::input(Wait wait) noexcept { return {*this, wait}; }

}  // namespace http::h2
