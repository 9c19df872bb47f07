// Server: the workers of a process, and the configuration that they serve. It lives on the control
// thread, whose event loop also answers the admin socket; the process around it (server_process.h,
// or single_process.h when there is no supervisor) brings configurations and signals.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "accesslog/log_thread.h"
#include "base/clock.h"
#include "guard/offenders.h"
#include "guard/zones.h"
#include "io/event_loop.h"
#include "observe/counters.h"
#include "server/memory_watch.h"
#include "server/messages.h"
#include "server/pressure.h"
#include "server/worker_thread.h"
#include "snapshot/outline.h"
#include "snapshot/snapshot.h"
#include "tls/in_process_signer.h"
#include "tls/ticket_keys.h"

namespace server {

/// A configuration, ready to be served.
struct Generation {
  std::uint64_t number = 0;
  std::shared_ptr<const snapshot::Snapshot> snapshot;
  std::vector<ListenerSockets> listeners;
};

class Server final : private observe::Totals {
 public:
  using Adopted = std::move_only_function<void(std::expected<void, std::string>)>;

  /// `tickets`: whoever else has it resumes this one's TLS sessions.
  Server(const base::Clock& clock, io::EventLoop& control, unsigned workers,
         tls::TicketSecret tickets);
  /// Ends the workers; connections must have been given up by terminate() or ended by quit().
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// All workers take it, or none; one at a time. `adopted` runs on the control thread; its error
  /// is a sentence.
  void adopt(Generation generation, Adopted adopted);
  /// A connection that another process has accepted on one of our addresses, and not read from. One
  /// of none of them is closed.
  void take_over(base::Fd connection);
  /// The files of logs have other names now: what is gathered goes to the old ones still, all else
  /// to these. `done` runs on the control thread when nothing is written to the old ones any more.
  void reopen_logs(std::vector<snapshot::ReopenedLog> logs, std::function<void()> done);
  /// Gracefully; `ended` when the last connection is gone.
  void quit(std::function<void()> ended);
  void terminate(std::function<void()> ended);
  /// `alive` when every worker has taken a turn.
  void ask(std::function<void()> alive);

  struct ListenerStatus {
    std::string address;
    bool tls;
    bool proxy_protocol;
  };
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  /// What is served; null before the first adoption.
  [[nodiscard]] const std::shared_ptr<const snapshot::Snapshot>& snapshot() const noexcept {
    return snapshot_;
  }
  [[nodiscard]] const std::vector<ListenerStatus>& listeners() const noexcept { return listeners_; }
  /// Which worker does not listen where it should, a sentence each.
  [[nodiscard]] const std::vector<std::string>& not_listening() const noexcept {
    return not_listening_;
  }
  [[nodiscard]] std::uint64_t connections() const noexcept {
    return sum(observe::Counter::connections_active);
  }
  [[nodiscard]] const std::vector<std::unique_ptr<WorkerThread>>& workers() const noexcept {
    return workers_;
  }
  [[nodiscard]] std::vector<observe::Reading> readings() const;
  [[nodiscard]] const observe::Readiness& readiness() const noexcept { return readiness_; }
  [[nodiscard]] const Pressure& pressure() const noexcept { return pressure_; }
  /// The servers and locations of the snapshot, by number.
  [[nodiscard]] const std::vector<snapshot::Place>& places() const noexcept { return places_; }
  [[nodiscard]] std::vector<guard::ZoneReport> zones() const { return zones_->report(); }
  [[nodiscard]] bool ending() const noexcept { return ending_; }

 private:
  struct Adoption;
  void switch_logs(std::shared_ptr<const std::vector<snapshot::ReopenedLog>> logs,
                   std::function<void()> done);
  void hold_keys(Generation& generation);
  void commit(std::shared_ptr<Adoption> adoption);
  void number_places();
  [[nodiscard]] std::uint64_t sum(observe::Counter counter) const noexcept override;

  observe::CounterLayout layout_;
  proxy::RefusalCounters refusals_ = proxy::add_refusal_counters(layout_);
  proxy::HandshakeCounters handshakes_ = proxy::add_handshake_counters(layout_);
  std::atomic<std::uint64_t> connection_numbers_ = 0;
  observe::Readiness readiness_;
  tls::InProcessSigner signer_;
  std::shared_ptr<tls::TicketKeys> ticket_keys_;
  std::shared_ptr<tls::SessionCaches> session_caches_ = std::make_shared<tls::SessionCaches>();
  std::shared_ptr<guard::Zones> zones_ = std::make_shared<guard::Zones>();
  guard::Offenders offenders_;
  Pressure pressure_;
  MemoryWatch memory_watch_;
  mutable observe::Counters own_counters_{layout_};  // of what no worker counts; set when read
  accesslog::LogThread logs_;  // outlives the workers
  std::vector<std::weak_ptr<const snapshot::Snapshot>> snapshots_;  // also those that are ending
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::vector<ListenerStatus> listeners_;
  std::vector<std::string> not_listening_;
  io::EventLoop& control_;
  std::uint64_t generation_ = 0;
  std::shared_ptr<const snapshot::Snapshot> snapshot_;
  std::vector<snapshot::Place> places_;
  bool ending_ = false;
  std::size_t next_worker_ = 0;  // to take something over
};

}  // namespace server
