// What the life of a connection needs from the thread that it lives on, and the part of a snapshot
// that belongs to that thread. `server` owns the Worker, `snapshot` makes the Site.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "async/scope.h"
#include "async/task.h"
#include "base/address.h"
#include "io/event_loop.h"
#include "io/socket.h"
#include "observe/counters.h"

namespace accesslog {
class LogThread;
}
namespace admission {
class PasswordDesk;
}
namespace guard {
class Offenders;
class Zones;
}  // namespace guard
namespace http::h2 {
struct SharedBudget;
}
namespace http {
enum class Refusal : std::uint8_t;
}
namespace exchange {
struct Connection;
}
namespace io {
class Resolvers;
}
namespace observe {
class ErrorLog;
class Histogram;
class Totals;
struct Readiness;
}  // namespace observe
namespace tls {
class SessionCaches;
class InProcessSigner;
class Library;
class TicketKeys;
}  // namespace tls
namespace upstream {
class Connector;
}

namespace proxy {

class Recorder;

/// One snapshot on one thread: virtual servers by listener, TLS contexts, clusters with their
/// pools. Connections hold it while a request runs; the last one lets it go.
class Site;

/// Messages that were refused, told apart by the rule that they broke (http::Refusal).
struct RefusalCounters {
  observe::FamilyId requests;
  observe::FamilyId responses;
};
[[nodiscard]] RefusalCounters add_refusal_counters(observe::CounterLayout& layout);

/// TLS handshakes with clients, told apart by what they agreed on.
struct HandshakeCounters {
  observe::FamilyId versions;
  observe::FamilyId ciphers;
};
[[nodiscard]] HandshakeCounters add_handshake_counters(observe::CounterLayout& layout);
void count_handshake(observe::Counters& counters, const HandshakeCounters& families,
                     std::string_view version, std::string_view cipher) noexcept;

/// The limit that a refused request passed; requests_refused if it broke another rule.
[[nodiscard]] observe::Counter counter_for(http::Refusal refusal) noexcept;
/// Counts the limits that a refused response passed, if it did.
void count_upstream_limit(observe::Counters& counters, http::Refusal refusal) noexcept;

struct Worker {
  unsigned index;
  io::EventLoop& loop;
  io::Resolvers& resolvers;
  tls::Library& tls;
  tls::InProcessSigner& signer;  // takes keys that are read at run time, too
  std::shared_ptr<tls::TicketKeys> ticket_keys;
  std::shared_ptr<tls::SessionCaches> session_caches{};  // null: each context has its own
  observe::Counters& counters;
  RefusalCounters refusals;
  async::Scope& connections;         // every connection is a task in it
  std::atomic<std::uint64_t>& connection_numbers;  // $connection, unique over the workers
  std::shared_ptr<Site> site;        // the newest; replaced by a reload
  std::uint64_t sites_made = 0;      // numbers them
  upstream::Connector* connector;    // to backends; outlives the sites
  HandshakeCounters handshakes{};
  const observe::Totals* totals = nullptr;        // null, as in tests: no pages that tell them
  const observe::Readiness* readiness = nullptr;
  observe::Histogram* request_times = nullptr;  // in microseconds; null: not measured
  guard::Offenders* offenders = nullptr;  // of all workers; null, as in tests: nobody is remembered
  http::h2::SharedBudget* http2_budget = nullptr;  // null, as in tests: not bounded
  accesslog::LogThread* logs = nullptr;  // writes access logs; null: written at once, as in tests
  std::shared_ptr<guard::Zones> zones{};  // of all workers; null, as in tests: each site its own
  std::shared_ptr<admission::PasswordDesk> passwords{};  // made by the first request that needs it
  async::Scope* background = nullptr;  // the worker's own tasks; null: no HTTP/2 to backends
  Recorder* recorder = nullptr;  // not null: nobody is served, steps are told (recorder.h)
};

/// The life of an accepted connection, from the PROXY protocol or the TLS handshake to its end.
/// `local` is the address that its listener was configured with: it finds the virtual servers, also
/// in a site that came with a reload.
[[nodiscard]] async::Task<void> serve_connection(Worker& worker, io::Accepted accepted,
                                                 base::Address local);

/// The same from the first request on, over a stream that is established: `facts` says whose it is.
/// `listener` finds the virtual servers, `begun` was read already. The stream is ended in order,
/// unless it was aborted.
[[nodiscard]] async::Task<void> serve_http(Worker& worker,
                                           std::unique_ptr<exchange::Connection> facts,
                                           std::unique_ptr<io::Stream> stream,
                                           base::Address listener, std::string begun = {});

}  // namespace proxy
