#include "proxy/relay.h"

#include <algorithm>
#include <array>
#include <optional>

#include "io/buffer.h"
#include "proxy/limit_rate.h"
#include "proxy/response.h"

namespace proxy {
namespace {

using base::ErrorSource;
using http::End;

// Small pieces (chunks, mostly) that have arrived already travel together.
constexpr std::size_t kGather = 16 * 1024;

// Appends what has been received and fits. Stops before a piece that does not fit: it is given
// back.
base::Result<std::string_view> gather(http::ReceivedBody& body, std::string_view first,
                                      io::Buffer& buffer) {
  buffer.append(first);
  while (!body.ended()) {
    auto next = body.next_received();
    if (!next) return std::string_view{};
    if (!*next) return base::fail(next->error());
    if ((*next)->size() > buffer.writable().size()) return **next;
    buffer.append(**next);
  }
  return std::string_view{};
}

class ResponseRelay {
 public:
  ResponseRelay(Context& context, const ForwardPlan& plan, http::ReceivedBody& body)
      : context_(context),
        body_(body),
        buffering_(context.buffering.value_or(*plan.options->buffering)),
        pass_trailers_(plan.pass_trailers),
        read_timeout_(*plan.options->read_timeout),
        pace_(context.send_pace()) {
    if (buffering_ && !plan.limit_rate.is_empty()) {
      from_backend_ = RateLimit(size_of(plan.limit_rate, context.exchange), 0, context.now());
    }
  }

  async::Task<base::Result<void>> run() {
    std::string_view piece;
    // What came with the head leaves with the head.
    if (auto first = body_.next_received()) {
      if (!*first) co_return base::fail(first->error().from(ErrorSource::upstream));
      from_backend_.moved((*first)->size());
      piece = cut(**first);
    }
    body_.notice_end();
    const bool whole = body_.ended() && body_.trailers().empty() && !has_trailers(context_);
    const base::TimePoint began = context_.now();
    CO_TRY_VOID(from_client(
        co_await context_.responder().send_head(context_.exchange.response, piece,
                                                whole ? End::yes : End::no, patience(piece.size())),
        began, piece.size()));
    if (whole) co_return base::Result<void>{};
    if (context_.head_only) co_return drop_received();
    while (!body_.ended()) {
      CO_TRY_VOID(co_await take_turn(context_.worker.loop, from_backend_, 1));
      auto read = co_await body_.read(context_.now() + read_timeout_);
      if (!read) co_return base::fail(read.error().from(ErrorSource::upstream));
      if (read->empty()) break;
      from_backend_.moved(read->size());
      CO_TRY_VOID(co_await pass_on(cut(*read)));
    }
    const base::TimePoint ending = context_.now();
    if (pass_trailers_) {
      for (const http::Field& trailer : body_.trailers()) {
        if (!context_.exchange.response_trailers.add(trailer)) break;
      }
    }
    co_return from_client(co_await finish_body(context_, patience(0)), ending, 0);
  }

 private:
  // Nobody wants the body. If all of it is here, the connection can be used again.
  base::Result<void> drop_received() {
    while (!body_.ended()) {
      const auto piece = body_.next_received();
      if (!piece || !*piece) break;
    }
    body_.notice_end();
    return {};
  }
  // Of a piece of the backend's body, what the client has asked for.
  std::string_view cut(std::string_view piece) noexcept {
    if (!context_.only) return piece;
    const std::uint64_t begin = position_;
    position_ += piece.size();
    const content::ByteRange only = *context_.only;
    if (position_ <= only.first || begin >= only.end) return {};
    const std::uint64_t skipped = only.first > begin ? only.first - begin : 0;
    return piece.substr(skipped, only.end - begin - skipped);
  }

  async::Task<base::Result<void>> pass_on(std::string_view piece) {
    io::Buffer buffer;
    while (!piece.empty()) {
      std::string_view next;
      std::string_view out = piece;
      if (buffering_ && !context_.only && piece.size() < kGather && !body_.length()) {
        buffer.grow(kGather);
        buffer.clear();
        auto rest = gather(body_, piece, buffer);
        if (!rest) co_return base::fail(rest.error().from(ErrorSource::upstream));
        next = *rest;
        out = buffer.readable();
      }
      from_backend_.moved(out.size() - std::min(out.size(), piece.size()));  // what was gathered
      const base::TimePoint began = context_.now();
      CO_TRY_VOID(
          from_client(co_await context_.responder().send_body(out, End::no, patience(out.size())),
                      began, out.size()));
      piece = next;
    }
    co_return base::Result<void>{};
  }

  [[nodiscard]] io::Patience patience(std::size_t bytes) const {
    return pace_.patience(context_.now(), bytes);
  }
  // What came of sending `bytes`, which began at `began`.
  base::Result<void> from_client(base::Result<void> result, base::TimePoint began,
                                 std::size_t bytes) {
    const base::Duration waited = context_.now() - began;
    if (result) {
      pace_.account(waited, bytes);
      return result;
    }
    base::Error error = result.error().from(ErrorSource::downstream);
    if (error.is(base::ErrorCode::timed_out) && pace_.is_too_slow(waited, bytes)) {
      error.context = kBelowSendRate;
    }
    return base::fail(error);
  }

  Context& context_;
  http::ReceivedBody& body_;
  bool buffering_;
  bool pass_trailers_;
  std::uint64_t position_ = 0;  // in the backend's body, while context_.only
  std::chrono::milliseconds read_timeout_;
  Pace pace_;
  RateLimit from_backend_;
};

}  // namespace

async::Task<base::Result<void>> relay_response(Context& context, const ForwardPlan& plan,
                                               http::ReceivedBody& body) {
  ResponseRelay relay(context, plan, body);
  co_return co_await relay.run();
}

async::Task<base::Result<void>> pump_request(Context& context, const ForwardPlan& plan,
                                             BodySource source, std::uint64_t offset,
                                             http::ClientExchange& backend) {
  const auto send_timeout = *plan.options->send_timeout;
  io::Buffer buffer;  // of a held body's file
  while (true) {
    std::string_view piece;
    if (source.held != nullptr) {
      CO_TRY(piece, source.held->piece_at(offset, buffer));
      offset += piece.size();
    } else if (source.replay != nullptr && offset < source.replay->text().size()) {
      piece = source.replay->text().substr(offset);
      offset += piece.size();
    } else {
      CO_TRY(piece, co_await source.streaming->read());
      if (source.replay != nullptr) source.replay->add(piece);
      offset += piece.size();
    }
    const io::Patience patience(base::kNoDeadline, send_timeout);
    if (piece.empty()) {
      if (source.streaming != nullptr) {
        static_cast<void>(co_await backend.finish_body(source.streaming->trailers(), patience));
      } else {
        static_cast<void>(co_await backend.send_body({}, End::yes, patience));
      }
      co_return base::Result<void>{};
    }
    const auto sent = co_await backend.send_body(piece, End::no, patience);
    if (!sent) {
      if (sent.error().is(base::ErrorCode::timed_out) ||
          sent.error().is(base::ErrorCode::cancelled)) {
        co_return base::fail(sent.error().from(ErrorSource::upstream));
      }
      co_return base::Result<void>{};
    }
  }
}

namespace {

// One direction of a tunnel. Its end is passed on as a half-close.
struct TunnelSide {
  io::Stream& from;
  io::Stream& to;
  const TunnelLimits& limits;
  std::chrono::milliseconds patience;  // of a write
  base::TimePoint* last_activity;
  std::uint64_t moved = 0;
};

async::Task<void> carry(TunnelSide& side, async::Scope& both) {
  io::Buffer buffer;
  io::EventLoop& loop = side.from.loop();
  while (true) {
    // No buffer while nothing comes: most tunnels are silent most of the time.
    const auto ready =
        co_await io::ready(side.from, io::Direction::read,
                           *side.last_activity + side.limits.silence, io::Waiting::busy);
    if (!ready && ready.error().is(base::ErrorCode::timed_out) &&
        loop.now() < *side.last_activity + side.limits.silence) {
      continue;  // the other direction has moved meanwhile
    }
    if (!ready) break;
    buffer.grow(side.limits.buffer);
    buffer.clear();
    const auto count = side.from.try_read(buffer.writable());
    if (!count && count.error().is(base::ErrorCode::would_block)) {
      buffer.release();
      continue;
    }
    if (!count) break;
    if (*count == 0) {
      side.to.shutdown_write();
      // Over HTTP/2 the end waits for its turn, and whatever ends the tunnel must not overtake it.
      static_cast<void>(co_await io::ready(side.to, io::Direction::write,
                                           loop.now() + side.patience, io::Waiting::busy));
      co_return;
    }
    buffer.commit(*count);
    *side.last_activity = loop.now();
    std::array<iovec, 1> pieces{io::piece_of(buffer.readable())};
    const auto written = co_await io::write_all(side.to, pieces, loop.now() + side.patience);
    if (!written && written.error().is(base::ErrorCode::timed_out)) break;
    // Whoever takes no more may still have said something before, which the other direction brings
    // until it comes to the same end.
    if (!written) co_return;
    side.moved += *count;
    if (!buffer.full()) buffer.release();  // what had come is through
  }
  both.request_stop();
}

}  // namespace

async::Task<TunnelBytes> tunnel(Context& context, TunnelLimits limits, io::Stream& backend,
                                std::string_view early) {
  async::Scope both(co_await async::current_scope());
  base::TimePoint last_activity = context.now();
  TunnelSide down{backend, context.client, limits, limits.to_client, &last_activity};
  TunnelSide up{context.client, backend, limits, limits.to_backend, &last_activity};
  std::array<iovec, 1> pieces{io::piece_of(early)};
  if (!co_await io::write_all(context.client, pieces, context.now() + limits.to_client))
    co_return TunnelBytes{};
  pieces = {io::piece_of(context.pipelined)};
  if (!co_await io::write_all(backend, pieces, context.now() + limits.to_backend))
    co_return TunnelBytes{};
  both.spawn(carry(down, both));
  both.spawn(carry(up, both));
  co_await both.join();
  const TunnelBytes bytes{.up = context.pipelined.size() + up.moved,
                          .down = early.size() + down.moved};
  exchange::Exchange& exchange = context.exchange;
  if (exchange.request.version == http::Version::http_2) co_return bytes;  // its stream counts
  exchange.request_length += bytes.up;
  exchange.bytes_sent += bytes.down;
  exchange.body_bytes_sent += bytes.down;
  co_return bytes;
}

}  // namespace proxy
