#include "http/h2/connection.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/check.h"

namespace http::h2 {

using base::ErrorCode;
using observe::Counter;

namespace {

constexpr std::size_t kFrameCost = 200;     // of a frame that waits in nghttp2
constexpr std::size_t kTurn = 256 * 1024;  // then the other connections have theirs
constexpr base::Duration kFarewell = std::chrono::seconds(2);

}  // namespace

/// The writer's wait for something to write.
class Connection::WriterWait final : public async::Cancellable {
 public:
  explicit WriterWait(Connection& connection) noexcept : connection_(connection) {}
  [[nodiscard]] bool await_ready() const noexcept {
    return connection_.write_soon_ || connection_.writer_closing_;
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    async::Scope* scope = self.promise().scope;
    if (scope != nullptr && !scope->enlist(*this, async::Scope::Waiting::busy)) {
      cancelled_ = true;
      return false;
    }
    handle_ = self;
    connection_.writer_wait_ = this;
    return true;
  }
  /// False: cancelled.
  [[nodiscard]] bool await_resume() const noexcept { return !cancelled_; }
  void cancel() noexcept override {
    cancelled_ = true;
    wake();
  }
  void wake() noexcept {
    unlink();
    connection_.writer_wait_ = nullptr;
    connection_.loop().executor().post(handle_);
  }

 private:
  Connection& connection_;
  std::coroutine_handle<> handle_;
  bool cancelled_ = false;
};

Connection::Connection(io::Stream& stream, Session::Side side, const Limits& limits,
                       SharedBudget* budget, observe::Counters& counters)
    : stream_(stream),
      limits_(limits),
      counters_(counters),
      budget_(budget),
      watch_(limits_, side == Session::Side::server ? 24 : 0, stream.loop().now()),
      session_(side, limits_, *this) {}

Connection::~Connection() { CHECK(memory_ == 0); }

// --- memory ---

void Connection::charge(std::size_t bytes) noexcept {
  memory_ += bytes;
  if (budget_ != nullptr) budget_->used += bytes;
}

void Connection::discharge(std::size_t bytes) noexcept {
  CHECK(bytes <= memory_);
  memory_ -= bytes;
  if (budget_ != nullptr) budget_->used -= bytes;
}

bool Connection::is_over_budget() const noexcept {
  return is_over_own_budget() || (budget_ != nullptr && budget_->used > budget_->limit);
}

bool Connection::is_over_own_budget() const noexcept {
  return memory_ + session_.queued() * kFrameCost > limits_.memory;
}

// --- its end ---

void Connection::end(Ending ending, std::string_view reason, const base::Error& error) noexcept {
  if (over_) return;
  over_ = true;
  ending_ = ending;
  reason_ = reason;
  error_ = error;
  if (input_wait_ != nullptr && !input_wait_->done()) input_wait_->on_ready();
  wake_writer();
}

void Connection::offend(Offence offence) noexcept {
  if (over_) return;
  counters_.add(Counter::h2_connections_calmed);
  counters_.add(counter_of(offence));
  session_.terminate(Code::enhance_your_calm);
  end(Ending::flood, name_of(offence));
}

// The GOAWAY may leave late, or not at all: behind a write that waits, the peer's end is seen
// first.
void Connection::on_failed(std::string_view reason) noexcept {
  const bool is_known =
      ending_ == Ending::flood || ending_ == Ending::protocol || ending_ == Ending::cancelled;
  if (over_ && !is_known) {
    ending_ = Ending::protocol;
    reason_ = reason;
  }
  end(Ending::protocol, reason);
}

void Connection::on_reset_sent(bool own) noexcept {
  counters_.add(Counter::h2_resets_sent);
  if (own) return;
  if (const Offence offence = watch_.count_provoked_reset(loop().now()); offence != Offence::none) {
    offend(offence);
  }
}

void Connection::on_decoded_for_nobody(std::size_t size) noexcept {
  if (size > limits_.max_decoded) offend(Offence::header_bomb);
}

void Connection::on_reset_received() noexcept { counters_.add(Counter::h2_resets_received); }

void Connection::on_data_sent(std::size_t size, bool cut_by_window) noexcept {
  watch_.earn_by_data(size, cut_by_window);
}

// --- in ---

bool Connection::receive(std::string_view bytes) noexcept {
  if (over_) return false;
  bytes_received_ += bytes.size();
  const Offence offence = watch_.scan(bytes, loop().now());
  if (offence != Offence::none) {
    offend(offence);
    return false;
  }
  if (watch_.broke_stream()) {
    session_.terminate(Code::stream_closed);
    pump();
    end(Ending::protocol, "STREAM_CLOSED");  // if the GOAWAY could not leave
    return false;
  }
  inside_ = true;
  const bool goes_on = session_.feed(bytes);
  inside_ = false;
  if (session_.queued() > limits_.max_queued_frames) offend(Offence::queue_flood);
  if (!goes_on) {
    pump();  // the GOAWAY says why, if it was an error
    end(Ending::closed);
  }
  on_fed();
  settle();
  if (session_.wants_write()) wake_writer();
  return !over_;
}

async::Task<bool> Connection::read_available() {
  std::size_t turn = 0;
  while (!over_) {
    in_.grow(in_size_);
    const auto count = stream_.try_read(in_.writable());
    if (!count) {
      if (count.error().is(ErrorCode::would_block)) break;
      end(Ending::failed, {}, count.error());
      break;
    }
    if (*count == 0) {
      end(Ending::closed);
      break;
    }
    if (*count == in_.capacity()) in_size_ = io::Buffer::kLarge;  // a bulk of data: fewer calls
    in_.commit(*count);
    receive(in_.readable());
    in_.clear();
    turn += *count;
    if (turn >= kTurn) {
      turn = 0;
      co_await io::NextTurn(loop());
      if (scope_ != nullptr && scope_->stop_requested()) {
        end(Ending::cancelled);
        break;
      }
    }
  }
  in_.release();
  in_size_ = io::Buffer::kLarge / 4;
  co_return !over_;
}

void Connection::InputWait::rewait(async::Scope* scope, Wait wait) noexcept {
  if (done_) return;
  if (scope != nullptr) {
    Cancellable::unlink();
    if (!scope->enlist(*this, wait.waiting)) return cancel();
  }
  move_deadline(wait.until);
}

bool Connection::InputWait::attempt() noexcept {
  done_ = connection_.over_ || stream_.may_be_ready(io::Direction::read);
  return done_;
}

void Connection::rewait(Wait wait) noexcept {
  if (input_wait_ != nullptr) input_wait_->rewait(scope_, wait);
}

// --- out ---

void Connection::pump() noexcept {
  if (inside_ || writing_) return;
  inside_ = true;
  out_.grow(out_hint_);
  const bool goes_on = session_.gather(out_);
  inside_ = false;
  if (!goes_on) end(Ending::protocol);
  settle();
  if (!out_.empty()) {
    wake_writer();
  } else {
    out_.release();
  }
}

void Connection::settle() noexcept {
  if (inside_ || settling_) return;
  settling_ = true;
  while (!touched_.empty()) {
    auto& stream = static_cast<Stream&>(touched_.pop_front());
    stream.tell_waiters();
    if (stream.closed()) on_gone(stream);
  }
  settling_ = false;
}

void Connection::wake_writer() noexcept {
  if (write_soon_) return;
  write_soon_ = true;
  if (writer_wait_ != nullptr) writer_wait_->wake();
}

void Connection::close_writer() noexcept {
  writer_closing_ = true;
  if (writer_wait_ != nullptr) writer_wait_->wake();
}

void Connection::read_own_last_words() noexcept {
  pump();
  out_.release();
}

async::Task<void> Connection::write(base::Duration patience) {
  while (true) {
    write_soon_ = false;
    pump();
    if (out_.empty()) {
      if (writer_closing_) co_return;
      if (!co_await WriterWait(*this)) co_return;
      continue;
    }
    out_hint_ = out_.size();
    std::array<iovec, 1> pieces{io::piece_of(out_.readable())};
    writing_ = true;
    // Who is sent away is not waited for.
    const bool is_last = ending_ == Ending::flood || ending_ == Ending::protocol;
    const base::Duration pause = is_last ? std::min(patience, kFarewell) : patience;
    const auto written =
        co_await io::write_all(stream_, pieces, io::Patience(base::kNoDeadline, pause));
    writing_ = false;
    if (!written) {
      const bool timed_out = written.error().is(ErrorCode::timed_out);
      end(timed_out ? Ending::stalled : Ending::failed, {}, written.error());
      out_.release();
      co_return;
    }
    bytes_sent_ += out_.size();
    out_.clear();
  }
}

}  // namespace http::h2
