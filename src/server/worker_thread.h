// WorkerThread: one thread that serves connections. It owns its event loop, resolver, OpenSSL,
// counters and connections; the rest of the process talks to it by messages alone.
//
// A new snapshot comes in two steps, so that all workers take it or none: prepare() makes its Site
// (TLS contexts may fail), commit() swaps it and the listeners. Connections live on over both; the
// old snapshot goes when the last of its connections lets go of the old Site.
//
// Stopping has three steps too: no more is accepted (what is queued already is taken first: closing
// a listening socket resets what waits in it); idle connections close and the others finish (quit),
// or all are cancelled (terminate); then everything that refers to the loop goes, and the thread
// ends.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"
#include "guard/zones.h"
#include "io/event_loop.h"
#include "io/socket.h"
#include "observe/counters.h"
#include "observe/histogram.h"
#include "observe/totals.h"
#include "proxy/traffic.h"
#include "proxy/worker.h"
#include "server/pressure.h"
#include "snapshot/snapshot.h"
#include "tls/in_process_signer.h"
#include "tls/session_cache.h"
#include "tls/ticket_keys.h"
#include "upstream/cluster_report.h"

namespace accesslog {
class LogThread;
}

namespace server {

/// What a worker knows about itself, as of one moment.
struct WorkerReport {
  unsigned worker = 0;
  const snapshot::Snapshot* snapshot = nullptr;  // which one it is about; only to be compared
  observe::Histogram request_times;  // microseconds
  std::vector<upstream::ClusterReport> clusters;
  std::vector<proxy::Traffic> traffic;  // by PlaceNumber
};

/// One socket for one worker.
struct WorkerListener {
  base::Address address;
  base::Fd socket;
};

class WorkerThread {
 public:
  /// What workers share. All outlives them.
  struct Shared {
    const base::Clock& clock;
    tls::InProcessSigner& signer;
    std::shared_ptr<tls::TicketKeys> ticket_keys;
    std::shared_ptr<tls::SessionCaches> session_caches;
    std::shared_ptr<guard::Zones> zones;
    guard::Offenders& offenders;
    const observe::CounterLayout& layout;
    proxy::RefusalCounters refusals;
    proxy::HandshakeCounters handshakes;
    const observe::Totals& totals;
    const observe::Readiness& readiness;
    std::atomic<std::uint64_t>& connection_numbers;
    io::EventLoop& control;  // where answers are posted
    Pressure& pressure;
    accesslog::LogThread& logs;
  };
  using Done = std::move_only_function<void(base::Result<void>)>;
  /// What can't be listened on, a sentence each.
  using Committed = std::move_only_function<void(std::vector<std::string>)>;

  WorkerThread(unsigned index, Shared shared);
  /// Joins the thread, which must have been told to terminate or to quit.
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  // From the control thread. Every `done` runs there.

  void prepare(std::shared_ptr<const snapshot::Snapshot> snapshot, Done done);
  /// Takes what was prepared. `listeners` are all that are to be open: sockets of addresses that
  /// are listened on already are dropped, listeners of addresses that are missing are closed.
  /// What fails is tried again by the next commit().
  void commit(std::vector<WorkerListener> listeners, Committed done);
  /// Between the two: what was prepared goes on with the counts of the places that remain
  /// (TrafficTable::continue_from).
  void continue_counts(std::shared_ptr<const std::vector<std::size_t>> former);
  /// A connection that another process has accepted; `local` is its own end. Closed if this worker
  /// does not listen there.
  void take_over(io::Accepted accepted, base::Address local);
  /// Forgets what was prepared.
  void abandon();
  /// `done` when the thread has taken a turn.
  void ask(Done done);
  /// Hands over what waits for access logs; `done` when it has.
  void flush_logs(Done done);
  /// `done` when the last connection has ended.
  void quit(Done done);
  /// Cancels every connection; ends a quit, too.
  void terminate(Done done);
  /// Never called back when the worker hangs or has ended.
  void report(std::move_only_function<void(WorkerReport)> done);

  // From any thread.

  [[nodiscard]] const observe::Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] unsigned index() const noexcept { return index_; }

 private:
  struct Life;
  void run();
  void answer(Done done, base::Result<void> result);

  const unsigned index_;
  const Shared shared_;
  observe::Counters counters_;
  io::EventLoop loop_;
  Life* life_ = nullptr;  // the thread's; messages find it set
  std::thread thread_;
};

}  // namespace server
