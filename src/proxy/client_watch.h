// ClientWatch: stops a scope when the client leaves while somebody works for it.
#pragma once

#include "async/scope.h"
#include "io/stream.h"

namespace proxy {

/// While nothing is read from the client.
class ClientWatch final : private io::Waiter {
 public:
  ClientWatch(io::Stream& client, async::Scope& scope) noexcept : client_(client), scope_(scope) {
    client_.set_waiter(io::Direction::read, this);
    if (client_.peer_closed()) scope_.request_stop();
  }
  ClientWatch(const ClientWatch&) = delete;
  ClientWatch& operator=(const ClientWatch&) = delete;
  ~ClientWatch() { client_.set_waiter(io::Direction::read, nullptr); }

 private:
  void on_ready() noexcept override {
    if (client_.peer_closed()) scope_.request_stop();
  }
  io::Stream& client_;
  async::Scope& scope_;
};

}  // namespace proxy
