// The admin socket: a Unix socket (mode 0600) that answers root and the user who started the
// program.
//
//   request    one line of JSON, at most 4 KB     {"command": "status"}
//   answer     one line of JSON                   {"version": "0.1.0", ...} or {"error": "..."}
//
// Then the connection closes. JSON lines and not HTTP: no second HTTP server to keep safe, and `nc
// -U` is enough to try it. The supervisor binds it; the server process answers, since counters are
// there.
#pragma once

#include <sys/types.h>

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "async/scope.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "io/event_loop.h"
#include "io/socket.h"
#include "server/process_facts.h"
#include "server/recent.h"

namespace server {

class Server;

/// One request to a running instance: the line that it answered. The error is a sentence.
[[nodiscard]] std::expected<std::string, std::string> ask(const std::string& path,
                                                          std::string_view request);

class Admin {
 public:
  /// `socket` listens. All outlives the Admin.
  [[nodiscard]] static base::Result<std::unique_ptr<Admin>> start(io::EventLoop& loop,
                                                                  base::Fd socket,
                                                                  const Server& server,
                                                                  const ProcessFacts& facts);
  /// Takes no more requests; those that it has are answered.
  void stop() noexcept { accepting_.request_stop(); }
  /// After stop(): once the last answer is given, or the patience with its client is over.
  void when_done(std::function<void()> done) { ending_.spawn(finish(std::move(done))); }
  /// When the loop has stopped: gives it the turns that cancelled operations need.
  ~Admin();

 private:
  Admin(io::EventLoop& loop, std::unique_ptr<io::Listener> listener, const Server& server,
        const ProcessFacts& facts);
  [[nodiscard]] async::Task<void> accept();
  [[nodiscard]] async::Task<void> serve(base::Fd socket);
  [[nodiscard]] async::Task<std::string> answer(std::string request);
  [[nodiscard]] async::Task<std::string> status();
  [[nodiscard]] async::Task<std::string> alive();
  [[nodiscard]] async::Task<void> sample();

  io::EventLoop& loop_;
  std::unique_ptr<io::Listener> listener_;
  const Server& server_;
  const ProcessFacts& facts_;
  Recent recent_;
  [[nodiscard]] async::Task<void> finish(std::function<void()> done);
  async::Scope ending_;
  async::Scope scope_;
  async::Scope accepting_{&scope_};
};

}  // namespace server
