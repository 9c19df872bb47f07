// What the tests of the server's side share: a connection over a pipe, a handler that a test
// writes, a client that speaks in frames, and what it hears as text.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h2/frames_test.h"
#include "http/h2/server_connection.h"
#include "http/h2/server_stream.h"
#include "io/testing/pipe_world.h"

namespace http::h2 {

class ServerWorld : public io::testing::PipeWorld, public ServerHandler {
 public:
  using Serve = std::function<async::Task<void>(ServerWorld&, ServerStream&)>;

  observe::CounterLayout layout;
  observe::Counters counters{layout};
  ServerOptions options;
  Listener listener;
  std::optional<ServerConnection> connection;
  std::optional<ConnectionEnd> end;
  std::vector<std::string> malformed;
  int served = 0;
  Serve handler;
  base::Error error{};  // for handlers to say what they met
  std::string log;
  std::size_t produced = 0;
  std::string idle;  // what on_idle said

  explicit ServerWorld(Serve serves = answer_ok, io::testing::PipeOptions pipe = {})
      : PipeWorld(pipe), handler(std::move(serves)) {}
  virtual ~ServerWorld() { stop(); }

  /// Begins, and says nothing yet. `first`: what was read before.
  void listen(std::string_view first = {}) {
    connection.emplace(*stream, *this, options, counters);
    if (!first.empty()) connection->begin_with(first);
    scope.spawn(live());
    loop.run_until_idle();
  }
  /// Begins, with the client's preface and SETTINGS; what the server says to that is passed over.
  void begin(std::string_view more = {}) {
    listen();
    say(preface() + frame(FrameType::settings, 1, 0, ""));
    static_cast<void>(heard());
    if (!more.empty()) say(more);
  }

  std::vector<HeardFrame> heard_frames() { return listener.frames(heard_bytes()); }
  /// One line a frame.
  std::string heard() {
    std::string text;
    for (const HeardFrame& each : heard_frames()) text += listener.text_of(each) + "\n";
    return text;
  }
  [[nodiscard]] std::uint64_t count(observe::Counter counter) const {
    return counters.get(counter);
  }

  static async::Task<void> answer_ok(ServerWorld& /*world*/, ServerStream& stream) {
    ResponseHead head(stream.arena());
    head.status = 200;
    head.body = {.kind = BodyFraming::Kind::length, .length = 2};
    static_cast<void>(
        co_await stream.responder().send_head(head, "ok", End::yes, base::kNoDeadline));
  }

  async::Task<void> serve(ServerStream& stream_served) override {
    ++served;
    return handler(*this, stream_served);
  }
  void on_malformed(std::string_view rule) noexcept override { malformed.emplace_back(rule); }
  void on_idle(bool now) noexcept override { idle += now ? "idle " : "busy "; }

 private:
  async::Task<void> live() { end = co_await connection->run(); }
};

}  // namespace http::h2
