// What the tests of the client's side share: a connection over a pipe, and a backend that speaks in
// frames.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http/h2/client_connection.h"
#include "http/h2/frames_test.h"
#include "io/testing/pipe_world.h"

namespace http::h2 {

struct ClientWorld : io::testing::PipeWorld, ClientConnection::Owner {
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  Listener listener;
  ClientOptions options;
  std::unique_ptr<ClientConnection> connection;
  ResponseHead head{arena};
  int changes = 0;
  bool ended = false;

  explicit ClientWorld(const ClientOptions& wanted = {}, io::testing::PipeOptions pipe = {})
      : PipeWorld(pipe), options(wanted) {
    connection = std::make_unique<ClientConnection>(std::move(stream), options, counters, *this);
    scope.spawn(live());
    loop.run_until_idle();
    std::string preface_and_settings = heard_bytes();
    CHECK(preface_and_settings.starts_with(kPreface));
  }
  virtual ~ClientWorld() { stop(); }
  void on_change() noexcept override { ++changes; }

  std::string heard() {
    std::string text;
    for (const HeardFrame& each : listener.frames(heard_bytes())) {
      text += listener.text_of(each) + "\n";
    }
    return text;
  }
  void settle(std::string_view settings = {}) {
    say(frame(FrameType::settings, 0, 0, settings));
    static_cast<void>(heard());
  }
  template <class T>
  T now(async::Task<T> task) {
    return run(std::move(task));
  }
  std::unique_ptr<ClientExchange> ask(const OutgoingRequest& request, End end = End::yes,
                                      Method method = Method::get) {
    auto exchange = connection->open(method, arena, {});
    CHECK(now(exchange->send_head(request, {}, end, base::kNoDeadline)));
    return exchange;
  }
  OutgoingRequest request(std::string_view method = "GET") {
    OutgoingRequest made(arena);
    made.method = method;
    made.target = "/a";
    made.scheme = "http";
    CHECK(made.fields.add(FieldName::host, "b.test"));
    return made;
  }
  base::Result<void> read_head(ClientExchange& exchange) {
    return now(exchange.read_head(head, clock.now()));
  }

 private:
  async::Task<void> live() {
    co_await connection->run();
    ended = true;
  }
};

inline const Pairs kOk{{":status", "200"}};

}  // namespace http::h2
