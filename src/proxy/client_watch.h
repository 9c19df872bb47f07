// ClientWatch: stops a scope when the client leaves while somebody works for it. Several may watch
// one client: the attempts for parts of a page run side by side.
#pragma once

#include "async/intrusive_list.h"
#include "async/scope.h"
#include "io/stream.h"

namespace proxy {

class ClientWatch;

/// Those who watch one client.
class ClientWatches final : private io::Waiter {
 public:
  explicit ClientWatches(io::Stream& client) noexcept : client_(client) {}

 private:
  friend class ClientWatch;
  void on_ready() noexcept override;

  io::Stream& client_;
  async::List<ClientWatch> list_;
};

/// While nothing is read from the client.
class ClientWatch final : public async::Link {
 public:
  ClientWatch(ClientWatches& all, async::Scope& scope) noexcept : all_(all), scope_(scope) {
    all_.list_.push_back(*this);
    all_.client_.set_waiter(io::Direction::read, &all_);
    if (all_.client_.peer_closed()) scope_.request_stop();
  }
  ClientWatch(const ClientWatch&) = delete;
  ClientWatch& operator=(const ClientWatch&) = delete;
  ~ClientWatch() {
    unlink();
    if (all_.list_.empty()) all_.client_.set_waiter(io::Direction::read, nullptr);
  }

 private:
  friend class ClientWatches;
  ClientWatches& all_;
  async::Scope& scope_;
};

inline void ClientWatches::on_ready() noexcept {
  if (!client_.peer_closed()) return;
  list_.for_each([](ClientWatch& watch) { watch.scope_.request_stop(); });
}

}  // namespace proxy
