// FilteringResponder: a Responder with body filters before another one.
//
//   send_head, send_body, finish -> filter -> filter -> ... -> outlet -> the connection's Responder
//
// The head leaves with the first bytes that the filters let out of what came with it, else alone. A
// filter may give out far more than it is given, so the outlet measures by itself how fast the
// client takes it, and gives the worker's other connections their turn.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "filter/body_filter.h"
#include "http/responder.h"
#include "io/event_loop.h"
#include "proxy/pace.h"

namespace proxy {

class FilteringResponder final : public http::Responder {
 public:
  /// Told once of a filter that can't go on; not of a client that can't be written to.
  using OnFailure = std::function<void(const base::Error&)>;

  /// `filters` are not none. `between` is said to them behind each piece but the last: Then::flush
  /// where nothing may be held back for long. `inner` and `loop` outlive it.
  FilteringResponder(http::Responder& inner, io::EventLoop& loop, filter::BodyFilters filters,
                     Pace::Limits client, http::Then between, OnFailure on_failure);

  [[nodiscard]] async::Task<base::Result<void>> send_interim(const http::ResponseHead& head,
                                                             io::Patience patience) override {
    return inner_.send_interim(head, patience);
  }
  [[nodiscard]] async::Task<base::Result<void>> send_head(const http::ResponseHead& head,
                                                          std::string_view first, http::End end,
                                                          io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> send_body(std::string_view piece, http::End end,
                                                          io::Patience patience) override;
  [[nodiscard]] bool sends_files() const noexcept override { return false; }
  [[nodiscard]] async::Task<base::Result<void>> send_file(io::FileBytes bytes,
                                                          io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> finish(const http::Fields& trailers,
                                                       io::Patience patience) override;

  void close_after() noexcept override { inner_.close_after(); }
  void forbid_chunks() noexcept override { inner_.forbid_chunks(); }
  [[nodiscard]] bool head_sent() const noexcept override { return inner_.head_sent(); }
  [[nodiscard]] bool ended() const noexcept override { return inner_.ended(); }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept override { return inner_.bytes_sent(); }
  [[nodiscard]] std::uint64_t head_bytes_sent() const noexcept override {
    return inner_.head_bytes_sent();
  }

 private:
  // Behind the last filter.
  class Outlet final : public http::BodySink {
   public:
    Outlet(http::Responder& inner, io::EventLoop& loop, Pace::Limits client) noexcept
        : inner_(inner), loop_(loop), pace_(client) {}

    [[nodiscard]] async::Task<base::Result<void>> write(std::string_view piece, http::Then then,
                                                        io::Patience patience) override;

    const http::ResponseHead* head = nullptr;  // until it was sent
    const http::Fields* trailers = nullptr;  // of the end
    bool failed = false;

   private:
    http::Responder& inner_;
    io::EventLoop& loop_;
    Pace pace_;
    std::uint64_t turn_ = 0;  // bytes since others had theirs
  };

  [[nodiscard]] async::Task<base::Result<void>> push(std::string_view piece, http::Then then,
                                                     io::Patience patience);

  http::Responder& inner_;
  filter::BodyFilters filters_;
  Outlet outlet_;
  http::Then between_;
  OnFailure on_failure_;
};

}  // namespace proxy
