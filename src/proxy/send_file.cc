#include <fmt/format.h>

#include <algorithm>

#include "io/event_loop.h"
#include "proxy/relay.h"
#include "proxy/response.h"
#include "proxy/static_file.h"

namespace proxy {
namespace {

using base::Error;
using base::ErrorCode;
using content::ByteRange;
using content::StaticPlan;
using http::End;
using observe::Counter;
using observe::Level;

// What is read at once, and what leaves with the head of a file that the kernel sends on: head and
// first bytes fill segments together.
constexpr std::size_t kPiece = io::Buffer::kLarge;
constexpr std::size_t kFirst = 16 * 1024;
// What one file may take of the worker before the others have their turn. A disk that must be
// waited for gives as much in some milliseconds.
constexpr std::uint64_t kTurn = std::uint64_t{512} * 1024;

// Gathers what is sent in one buffer; the head leaves with the first of it.
class Sender {
 public:
  Sender(Context& context, const StaticPlan& plan, const FileToSend& to_send)
      : context_(context),
        to_send_(to_send),
        pace_(context.send_pace()),
        by_kernel_(plan.sendfile && context.responder().sends_files() && !has_trailers(context)) {}

  async::Task<base::Result<void>> run() {
    const bool has_body = context_.exchange.response.body.has_body() &&
                          context_.exchange.request.method != http::Method::head &&
                          !context_.head_only;
    if (has_body) {
      const std::uint64_t length = to_send_.length;
      wanted_ = by_kernel_ && length > kPiece ? kFirst : std::min<std::uint64_t>(length, kPiece);
      for (std::size_t i = 0; i < to_send_.ranges.size(); ++i) {
        if (!to_send_.before.empty()) CO_TRY_VOID(co_await put(to_send_.before[i]));
        CO_TRY_VOID(co_await put_file(to_send_.ranges[i]));
      }
      if (!to_send_.after.empty()) CO_TRY_VOID(co_await put(to_send_.after));
    }
    if (has_trailers(context_)) {
      CO_TRY_VOID(co_await flush(End::no));
      const base::TimePoint began = context_.now();
      co_return account(co_await finish_body(context_, pace_.patience(began)), began, 0);
    }
    co_return co_await flush(End::yes);
  }

  /// The file, and not the client, was at fault.
  [[nodiscard]] bool file_failed() const noexcept { return file_failed_; }
  [[nodiscard]] bool too_slow() const noexcept { return too_slow_; }

 private:
  // `text` is short.
  async::Task<base::Result<void>> put(std::string_view text) {
    if (text.size() > buffer_.writable().size()) {
      if (!buffer_.empty()) CO_TRY_VOID(co_await flush(End::no));
      buffer_.grow(std::max(text.size(), wanted_));
    }
    buffer_.append(text);
    co_return base::Result<void>{};
  }

  async::Task<base::Result<void>> put_file(ByteRange range) {
    while (range.first < range.end) {
      const std::uint64_t left = range.end - range.first;
      if (by_kernel_ && context_.responder().head_sent() && left > kFirst) {
        CO_TRY_VOID(co_await flush(End::no));
        buffer_.release();  // a slow reader holds none
        CO_TRY_VOID(co_await send_by_kernel(range));
        co_return base::Result<void>{};
      }
      if (buffer_.full() && !buffer_.empty()) CO_TRY_VOID(co_await flush(End::no));
      buffer_.grow(wanted_);
      // Of a file that the kernel sends on, only as much as makes a good first write.
      const std::size_t most = by_kernel_ && left > kPiece ? kFirst : left;
      const auto room = buffer_.writable().first(std::min(buffer_.writable().size(), most));
      const auto got = content::read_at(to_send_.file.descriptor(), range.first, room);
      if (!got || *got == 0) {
        file_failed_ = true;
        co_return got ? base::fail(ErrorCode::end_of_stream, "the file has become shorter")
                      : base::fail(got.error());
      }
      buffer_.commit(*got);
      range.first += *got;
      if (most == kFirst && by_kernel_) CO_TRY_VOID(co_await flush(End::no));
    }
    co_return base::Result<void>{};
  }

  async::Task<base::Result<void>> send_by_kernel(ByteRange range) {
    while (range.first < range.end) {
      const std::uint64_t count = std::min(range.end - range.first, kTurn - turn_);
      const base::TimePoint began = context_.now();
      const auto sent = co_await context_.responder().send_file(
          {.file = to_send_.file.descriptor(), .offset = range.first, .count = count},
          pace_.patience(began, count));
      if (!sent && sent.error().is(ErrorCode::end_of_stream)) file_failed_ = true;
      CO_TRY_VOID(account(sent, began, count));
      range.first += count;
      CO_TRY_VOID(co_await yield(count));
    }
    co_return base::Result<void>{};
  }

  async::Task<base::Result<void>> flush(End end) {
    const std::size_t count = buffer_.size();
    CO_TRY_VOID(co_await send(buffer_.readable(), end));
    buffer_.clear();
    if (end == End::yes) co_return base::Result<void>{};
    co_return co_await yield(count);
  }

  async::Task<base::Result<void>> send(std::string_view bytes, End end) {
    const base::TimePoint began = context_.now();
    http::Responder& responder = context_.responder();
    base::Result<void> sent;
    if (!responder.head_sent()) {
      sent = co_await responder.send_head(context_.exchange.response, bytes, end,
                                          pace_.patience(began, bytes.size()));
    } else if (!bytes.empty() || end == End::yes) {
      sent = co_await responder.send_body(bytes, end, pace_.patience(began, bytes.size()));
    }
    co_return account(sent, began, bytes.size());
  }

  async::Task<base::Result<void>> yield(std::uint64_t sent) {
    turn_ += sent;
    if (turn_ >= kTurn) {
      turn_ = 0;
      co_await io::NextTurn(context_.worker.loop);
    }
    co_return base::Result<void>{};
  }

  base::Result<void> account(base::Result<void> sent, base::TimePoint began, std::uint64_t bytes) {
    const base::Duration waited = context_.now() - began;
    if (sent) {
      pace_.account(waited, bytes);
    } else {
      too_slow_ = sent.error().is(ErrorCode::timed_out) &&
                  (pace_.is_too_slow(waited, bytes) || sent.error().context == kBelowSendRate);
    }
    return sent;
  }

  Context& context_;
  const FileToSend& to_send_;
  Pace pace_;
  const bool by_kernel_;
  bool file_failed_ = false;
  bool too_slow_ = false;
  std::uint64_t turn_ = 0;  // bytes since others had theirs, < kTurn between two steps
  std::size_t wanted_ = 0;  // bytes of a buffer
  io::Buffer buffer_;
};

}  // namespace

async::Task<std::optional<Answer>> send_static(Context& context, const StaticPlan& plan,
                                               const FileToSend& to_send) {
  context.take_time();
  if (!finish_own_fields(context)) co_return Answer{.status = 500};
  Sender sender(context, plan, to_send);
  const auto sent = co_await sender.run();
  if (sent) co_return std::nullopt;
  const Error& error = sent.error();
  context.close_after = true;
  if (sender.file_failed()) {
    const bool shorter = error.is(ErrorCode::end_of_stream);
    log(context, shorter ? Level::alert : Level::crit,
        shorter ? fmt::format("\"{}\" has become shorter while it was sent", to_send.shown)
                : base::describe(error.during(
                      context.exchange.arena.join("pread() \"", to_send.shown, "\" failed"))));
    if (!context.responder().head_sent()) co_return Answer{.status = 500};
    context.cut_off();
    co_return std::nullopt;
  }
  context.count(Counter::requests_aborted);
  context.timed_out = error.is(ErrorCode::timed_out);
  if (context.timed_out) {
    context.count(sender.too_slow() ? Counter::limit_send_rate : Counter::limit_send_time);
  }
  log(context, Level::info,
      fmt::format("{} while sending response to client",
                  sender.too_slow()   ? std::string(kBelowSendRate)
                  : context.timed_out ? "client timed out (110: Connection timed out)"
                                      : base::describe(error)));
  co_return std::nullopt;
}

}  // namespace proxy
