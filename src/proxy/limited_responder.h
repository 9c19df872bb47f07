// LimitedResponder: a Responder that lets bytes of a body through no faster than limit_rate says.
//
//   filters, if any -> LimitedResponder -> the connection's Responder
//
// It stands behind the body filters, so that the rate is that of what is sent, as in nginx; before
// them, a page that compresses to a tenth would be ten times as slow. Since it waits by itself, it
// also measures by itself how fast the client takes what it is given: whoever is in front can't
// tell the one from the other.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/responder.h"
#include "io/event_loop.h"
#include "proxy/limit_rate.h"
#include "proxy/pace.h"

namespace proxy {

class LimitedResponder final : public http::Responder {
 public:
  /// `inner` and `loop` outlive it.
  LimitedResponder(http::Responder& inner, io::EventLoop& loop, RateLimit limit,
                   Pace::Limits client) noexcept
      : inner_(inner), loop_(loop), limit_(limit), pace_(client) {}

  [[nodiscard]] async::Task<base::Result<void>> send_interim(const http::ResponseHead& head,
                                                             io::Patience patience) override {
    return inner_.send_interim(head, patience);
  }
  /// Patience of what is in front is for one write; here it is the client's pace, over all of them.
  [[nodiscard]] async::Task<base::Result<void>> send_head(const http::ResponseHead& head,
                                                          std::string_view first, http::End end,
                                                          io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> send_body(std::string_view piece, http::End end,
                                                          io::Patience patience) override;
  [[nodiscard]] bool sends_files() const noexcept override { return inner_.sends_files(); }
  [[nodiscard]] async::Task<base::Result<void>> send_file(io::FileBytes bytes,
                                                          io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> finish(const http::Fields& trailers,
                                                       io::Patience patience) override;

  void close_after() noexcept override { inner_.close_after(); }
  void forbid_chunks() noexcept override { inner_.forbid_chunks(); }
  void limit_frames(std::size_t size) noexcept override { inner_.limit_frames(size); }
  [[nodiscard]] bool head_sent() const noexcept override { return inner_.head_sent(); }
  [[nodiscard]] bool ended() const noexcept override { return inner_.ended(); }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept override { return inner_.bytes_sent(); }
  [[nodiscard]] std::uint64_t head_bytes_sent() const noexcept override {
    return inner_.head_bytes_sent();
  }

 private:
  // What came of sending `bytes`, which began at `began`.
  [[nodiscard]] base::Result<void> settle(base::Result<void> sent, base::TimePoint began,
                                          std::uint64_t bytes);

  http::Responder& inner_;
  io::EventLoop& loop_;
  RateLimit limit_;
  Pace pace_;
};

}  // namespace proxy
