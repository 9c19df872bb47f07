// ClientConnection::Core: the client's side of a Connection: it owns its stream, and is told by the
// backend how much it may ask.
#pragma once

#include <cstddef>
#include <memory>

#include "async/intrusive_list.h"
#include "http/h2/client_connection.h"
#include "http/h2/connection.h"

namespace http::h2 {

class ClientRequest;

/// In the list of all requests.
class ListedExchange : public async::Link {};

/// What Connection refers to: made before it, gone after it.
struct ClientParts {
  std::unique_ptr<io::Stream> stream;
  ClientOptions options;
};

class ClientConnection::Core final : private ClientParts, public Connection {
 public:
  Core(std::unique_ptr<io::Stream> stream, const ClientOptions& options,
       observe::Counters& counters, Owner& owner);
  ~Core() override;

  [[nodiscard]] async::Task<void> run();
  void drain() noexcept;
  [[nodiscard]] bool takes_requests() const noexcept {
    return !over() && !draining_ && !going_away_;
  }
  [[nodiscard]] bool settled() const noexcept { return settled_; }
  [[nodiscard]] std::size_t max_requests() noexcept;
  [[nodiscard]] std::size_t open_requests() const noexcept { return open_; }

  void add(ListedExchange& request) noexcept;
  void remove(ListedExchange& request) noexcept;
  /// A request that was sent then goes without a byte of an answer. If nothing else came either,
  /// the backend may be gone without a word: the next one should not have to find out.
  void doubt(base::TimePoint since) noexcept;
  /// Why requests fail now that it is over.
  [[nodiscard]] base::Error failure() const noexcept;

 private:
  // SessionOwner
  [[nodiscard]] Stream* on_new_stream(std::int32_t /*id*/) noexcept override { return nullptr; }
  void on_reset_sent(bool own) noexcept override;
  void on_ping_ack() noexcept override;
  void on_goaway(std::int32_t last_stream, Code code) noexcept override;
  void on_settings() noexcept override;
  // Connection
  void on_fed() noexcept override;
  void on_gone(Stream& /*stream*/) noexcept override {}  // whoever has it lets it go

  [[nodiscard]] async::Task<void> read();
  [[nodiscard]] Wait next_wait() const noexcept;
  void on_time_out() noexcept;
  void ask() noexcept;
  void leave() noexcept;
  void fail_all() noexcept;

  Owner& owner_;
  async::List<ListedExchange> all_;
  std::size_t open_ = 0;
  base::TimePoint heard_at_;  // the last bytes
  base::TimePoint asked_at_{};  // the PING that is not answered yet
  bool asking_ = false;
  bool settled_ = false;  // the backend's SETTINGS have come
  bool told_settled_ = false;
  bool draining_ = false;
  bool going_away_ = false;
  bool changed_ = false;
};

}  // namespace http::h2
