// RequestBody: the client's body as a backend may have it: bounded by client_max_body_size, timed
// by client_body_timeout and client_body_min_rate, asked for by "100 Continue" when the client
// waits for that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/body.h"
#include "http/responder.h"
#include "io/event_loop.h"
#include "proxy/pace.h"

namespace proxy {

/// What was read of a body that is streamed, for an attempt at another backend. Not more than
/// `most` bytes: a body that is larger can't be sent again.
class Replay {
 public:
  explicit Replay(std::size_t most) noexcept : most_(most) {}

  void add(std::string_view piece);
  /// Nobody needs it any more. What text() has given stays valid until the next add().
  void close() noexcept { whole_ = false; }
  /// Everything that was read is in it.
  [[nodiscard]] bool is_whole() const noexcept { return whole_; }
  [[nodiscard]] std::string_view text() const noexcept { return text_; }

 private:
  std::size_t most_;
  std::string text_;
  bool whole_ = true;
};

class RequestBody {
 public:
  /// All three outlive it. `expects_continue`: the client waits before it sends.
  RequestBody(http::Body& source, http::Responder& responder, io::EventLoop& loop,
              bool expects_continue) noexcept
      : source_(source), responder_(responder), loop_(loop), expects_continue_(expects_continue) {}

  /// From the location, before the first read. `max_size` bounds a body whose length is not known
  /// before; others are judged by is_too_large alone. 0: no limit.
  void set_limits(std::uint64_t max_size, Pace::Limits pace) noexcept {
    max_size_ = source_.length() ? 0 : max_size;
    pace_ = Pace(pace);
  }
  /// The length is known to pass the limit: 413 without reading.
  [[nodiscard]] bool is_too_large(std::uint64_t max_size) const noexcept {
    return max_size != 0 && source_.length().value_or(0) > max_size;
  }

  /// As http::Body::read. Error too_large: the limit was passed on the way; source downstream.
  [[nodiscard]] async::Task<base::Result<std::string_view>> read();
  [[nodiscard]] std::optional<base::Result<std::string_view>> try_read();

  [[nodiscard]] bool ended() const noexcept { return source_.ended(); }
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept { return source_.length(); }
  [[nodiscard]] const http::Fields& trailers() const noexcept { return source_.trailers(); }
  [[nodiscard]] unsigned refusal_status() const noexcept { return source_.refusal_status(); }
  /// Something was read of it: it can't be sent again from the source.
  [[nodiscard]] bool touched() const noexcept { return touched_; }
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] io::EventLoop& loop() const noexcept { return loop_; }
  /// After Error timed_out: the client was not silent, but below its minimum rate.
  [[nodiscard]] bool too_slow() const noexcept { return too_slow_; }

 private:
  [[nodiscard]] base::Result<std::string_view> check(base::Result<std::string_view> piece) noexcept;

  http::Body& source_;
  http::Responder& responder_;
  io::EventLoop& loop_;
  std::uint64_t max_size_ = 0;
  std::uint64_t received_ = 0;
  Pace pace_;
  bool expects_continue_;
  bool touched_ = false;
  bool failed_ = false;
  bool too_slow_ = false;
};

}  // namespace proxy
