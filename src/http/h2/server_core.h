// ServerConnection::Core: the server's side of a Connection: requests begin, are served side by
// side, and end; the connection is idle, drains, and ends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "async/intrusive_list.h"
#include "async/scope.h"
#include "http/h2/connection.h"
#include "http/h2/server_connection.h"
#include "http/h2/server_request.h"

namespace http::h2 {

class ServerConnection::Core final : public Connection, private ServerRequest::Owner {
 public:
  Core(ServerConnection& shown, io::Stream& stream, ServerHandler& handler,
       const ServerOptions& options, observe::Counters& counters);
  ~Core() override;

  void begin_with(std::string_view received) { first_.append(received); }
  [[nodiscard]] async::Task<ConnectionEnd> run();
  void drain() noexcept;
  void set_idle(base::Duration timeout, base::Duration at_least) noexcept;
  [[nodiscard]] std::size_t running() const noexcept { return running_; }
  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }

 private:
  class DrainWatch;

  // SessionOwner
  [[nodiscard]] Stream* on_new_stream(std::int32_t id) noexcept override;
  void on_reset_sent(bool own) noexcept override;
  void on_ping_ack() noexcept override;
  void on_goaway_sent() noexcept override;
  // Connection
  void on_fed() noexcept override;
  void on_gone(Stream& stream) noexcept override;
  // ServerRequest::Owner
  void on_request(ServerRequest& request) noexcept override;
  void on_malformed(std::string_view rule) noexcept override;
  void on_closed(ServerRequest& request) noexcept override;

  [[nodiscard]] async::Task<void> read();
  [[nodiscard]] async::Task<void> serve(ServerRequest& request);
  void end_request(ServerRequest& request) noexcept;
  [[nodiscard]] bool has_room() noexcept;
  [[nodiscard]] Wait next_wait() const noexcept;
  [[nodiscard]] base::TimePoint idle_since() const noexcept;
  [[nodiscard]] base::TimePoint let_be_until() const noexcept;
  void on_wait_failed(const base::Error& error) noexcept;
  void on_time_out() noexcept;
  void note_block() noexcept;
  void send_final_goaway() noexcept;
  void leave(Ending ending) noexcept;
  void fail_all() noexcept;
  [[nodiscard]] ConnectionEnd result() const noexcept;

  ServerConnection& shown_;
  ServerHandler& handler_;
  base::Duration header_timeout_;
  base::Duration idle_timeout_;
  base::Duration write_timeout_;
  base::Duration arrival_;
  base::Duration at_least_{0};
  base::TimePoint started_;
  base::TimePoint idle_since_;
  base::TimePoint block_since_;
  std::uint64_t block_ = 0;  // the one that block_since_ is of
  std::string first_;
  async::List<ListedRequest> all_;
  async::List<ReadyRequest> ready_;
  async::Scope* handlers_ = nullptr;  // while run() runs
  std::size_t running_ = 0;  // handlers
  std::size_t places_ = 0;  // taken: by handlers, and by requests that may get one
  std::size_t innocent_resets_ =
      0;  // of streams refused for what other connections hold, to be sent
  std::uint64_t requests_ = 0;
  std::uint32_t after_notice_ = 0;
  bool draining_ = false;
  bool notice_sent_ = false;
  bool final_sent_ = false;
  bool leaving_ = false;  // it is we who end it
};

}  // namespace http::h2
