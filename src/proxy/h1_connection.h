// A client's HTTP/1 connection: one exchange after the other.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "async/task.h"
#include "base/address.h"
#include "http/h1/body_reader.h"
#include "http/h1/request_parser.h"
#include "http/h1/response_sender.h"
#include "http/h2/server_connection.h"
#include "io/buffer.h"
#include "io/stream.h"
#include "proxy/context.h"

namespace proxy {

// What was read of a head, and the client's failure if that is not all of it.
struct ReadHead {
  http::h1::HeadProgress progress;
  base::Error failure{};
  bool line_came = false;  // the request line is complete
};

/// The connection of a client that speaks HTTP/1, or begins with HTTP/2's preface.
class H1Connection {
 public:
  H1Connection(Worker& worker, exchange::Connection& facts, io::Stream& stream,
               const base::Address& listener) noexcept
      : worker_(worker), facts_(facts), stream_(stream), listener_(listener) {}

  void begin_with(std::string_view text) {
    if (text.empty()) return;
    in_.grow(text.size());
    in_.append(text);
  }
  /// Until the connection ends. True: the client speaks HTTP/2, and received() is what it has sent.
  [[nodiscard]] async::Task<bool> run();
  [[nodiscard]] std::string_view received() const noexcept { return in_.readable(); }

 private:
  enum class After : std::uint8_t { keep, close, linger };
  [[gnu::noinline]] async::Task<http::h2::PrefaceMatch> read_preface();
  async::Task<bool> wait_for_request();
  [[nodiscard]] bool take_first_bytes();
  [[gnu::noinline]] async::Task<bool> exchange_one();
  async::Task<ReadHead> read_head(http::RequestHead& head, const ClientOptions& options,
                                  std::uint64_t max_fields);
  [[nodiscard]] After finish_request(Context& context, http::h1::BodyReader& body,
                                     http::h1::ResponseSender& sender);
  async::Task<void> refuse(Context& context, const http::h1::HeadProgress& progress);
  void abandon(Context& context, const ReadHead& read, const http::h1::ResponseSender& sender);
  void log_silent_client(const base::Error& failure);
  void keep_leftover(const http::h1::BodyReader& body);
  [[nodiscard]] const ListenGroup* find_group();

  Worker& worker_;
  exchange::Connection& facts_;
  io::Stream& stream_;
  const base::Address& listener_;
  io::Buffer in_;
  const ListenGroup* group_ = nullptr;  // as of the site of that number
  std::uint64_t site_number_ = 0;
  // Of the last request's location: how long the connection may be idle, and must be let be.
  std::chrono::milliseconds idle_timeout_{0};
  std::chrono::milliseconds min_timeout_{0};
};

}  // namespace proxy
