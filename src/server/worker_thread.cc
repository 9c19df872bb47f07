#include "server/worker_thread.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "async/scope.h"
#include "base/check.h"
#include "http/h2/limits.h"
#include "io/resolver.h"
#include "observe/error_log.h"
#include "proxy/site.h"
#include "proxy/worker.h"
#include "server/acceptor.h"
#include "server/crash_report.h"
#include "server/machine.h"
#include "server/relief.h"
#include "server/succession.h"
#include "tls/library.h"
#include "upstream/connector.h"

namespace server {
namespace {

using observe::Counter;

constexpr std::chrono::seconds kCountingPause{1};

struct OpenListener {
  OpenListener(async::Scope& parent, Acceptor::Surroundings around, base::Address address,
               std::unique_ptr<io::Listener> listener)
      : scope(&parent), acceptor(around, address, std::move(listener)) {}
  async::Scope scope;
  Acceptor acceptor;
};

}  // namespace

/// What lives on the thread, in the order in which it may be destroyed.
struct WorkerThread::Life {
  explicit Life(WorkerThread& thread)
      : owner(thread),
        tls(thread.shared_.signer, &thread.counters_),
        resolvers(thread.loop_, &thread.counters_,
                  [this](observe::Level level, std::string_view words) {
                    if (log != nullptr) log->write(level, words);
                  }),
        connector(thread.loop_),
        worker{.index = thread.index_,
               .loop = thread.loop_,
               .resolvers = resolvers,
               .tls = tls,
               .signer = thread.shared_.signer,
               .ticket_keys = thread.shared_.ticket_keys,
               .session_caches = thread.shared_.session_caches,
               .counters = thread.counters_,
               .refusals = thread.shared_.refusals,
               .connections = connections,
               .connection_numbers = thread.shared_.connection_numbers,
               .site = nullptr,
               .connector = &connector,
               .handshakes = thread.shared_.handshakes,
               .totals = &thread.shared_.totals,
               .readiness = &thread.shared_.readiness,
               .request_times = &request_times,
               .offenders = &thread.shared_.offenders,
               .http2_budget = &http2_budget,
               .logs = &thread.shared_.logs,
               .zones = thread.shared_.zones,
               .background = &tasks},
        serve([this](io::Accepted accepted, base::Address local) {
          return proxy::serve_connection(worker, std::move(accepted), local);
        }),
        relief(thread.shared_.pressure, {.loop = thread.loop_,
                                         .clients = connections,
                                         .site = worker.site,
                                         .counters = thread.counters_,
                                         .log = log}) {}

  [[nodiscard]] async::Task<void> count_turns();
  [[nodiscard]] async::Task<void> end();
  [[nodiscard]] async::Task<void> close_listener(std::unique_ptr<OpenListener> listener);
  void take_site();
  void take_cpus();
  [[nodiscard]] std::vector<std::string> take_listeners(std::vector<WorkerListener> wanted);
  void take_over(io::Accepted accepted, const base::Address& local);
  void begin_end(Done done);

  WorkerThread& owner;
  tls::Library tls;
  io::DnsResolvers resolvers;
  upstream::NetworkConnector connector;
  async::Scope end_scope;
  async::Scope tasks;  // the worker's own
  async::Scope accepting;
  async::Scope connections;
  std::shared_ptr<const snapshot::Snapshot> snapshot;
  std::shared_ptr<const snapshot::Snapshot> next_snapshot;
  std::shared_ptr<const observe::ErrorLog> log;
  observe::Histogram request_times;
  http::h2::SharedBudget http2_budget;
  proxy::Worker worker;
  std::shared_ptr<proxy::Site> next_site;
  Acceptor::Serve serve;
  ConnectionLimit limit;
  Relief relief;
  snapshot::CpuMask cpus;  // those it was told to run on; none: any
  std::vector<std::unique_ptr<OpenListener>> listeners;
  bool ending = false;
  std::vector<Done> to_tell;  // of the end
};

WorkerThread::WorkerThread(unsigned index, Shared shared)
    : index_(index), shared_(shared), counters_(shared.layout), loop_(shared.clock) {
  thread_ = std::thread([this] { run(); });
}

WorkerThread::~WorkerThread() { thread_.join(); }

void WorkerThread::run() {
  ::pthread_setname_np(::pthread_self(), fmt::format("worker {}", index_).c_str());
  const CrashStack crash_stack;
  Life life(*this);
  life_ = &life;
  loop_.post([&life] { life.tasks.spawn(life.count_turns()); });
  loop_.run();
  life_ = nullptr;
}

void WorkerThread::answer(Done done, base::Result<void> result) {
  shared_.control.post([done = std::move(done), result]() mutable { done(result); });
}

void WorkerThread::prepare(std::shared_ptr<const snapshot::Snapshot> snapshot, Done done) {
  loop_.post([this, snapshot = std::move(snapshot), done = std::move(done)]() mutable {
    auto site = snapshot->activate(life_->worker);
    if (!site) return answer(std::move(done), std::unexpected(site.error()));
    life_->next_site = std::move(*site);
    life_->next_snapshot = std::move(snapshot);
    answer(std::move(done), {});
  });
}

void WorkerThread::commit(std::vector<WorkerListener> listeners, Committed done) {
  loop_.post([this, listeners = std::move(listeners), done = std::move(done)]() mutable {
    life_->take_site();
    auto failures = life_->take_listeners(std::move(listeners));
    shared_.control.post([done = std::move(done), failures = std::move(failures)]() mutable {
      done(std::move(failures));
    });
  });
}

void WorkerThread::continue_counts(std::shared_ptr<const std::vector<std::size_t>> former) {
  loop_.post([this, former = std::move(former)] {
    if (life_->next_site == nullptr || life_->worker.site == nullptr) return;
    life_->next_site->traffic().continue_from(life_->worker.site->traffic(), *former);
  });
}

void WorkerThread::report(std::move_only_function<void(WorkerReport)> done) {
  loop_.post([this, done = std::move(done)]() mutable {
    WorkerReport report{.worker = index_,
                        .snapshot = life_->snapshot.get(),
                        .request_times = life_->request_times,
                        .clusters = {},
                        .traffic = {}};
    if (life_->worker.site != nullptr) {
      report.clusters = life_->worker.site->report_clusters(loop_.now());
      report.traffic = life_->worker.site->traffic().copy();
    }
    shared_.control.post([done = std::move(done), report = std::move(report)]() mutable {
      done(std::move(report));
    });
  });
}

void WorkerThread::abandon() {
  loop_.post([this] {
    life_->next_site.reset();
    life_->next_snapshot.reset();
  });
}

void WorkerThread::take_over(io::Accepted accepted, base::Address local) {
  loop_.post([this, accepted = std::move(accepted), local]() mutable {
    life_->take_over(std::move(accepted), local);
  });
}

void WorkerThread::ask(Done done) {
  loop_.post([this, done = std::move(done)]() mutable { answer(std::move(done), {}); });
}

void WorkerThread::flush_logs(Done done) {
  loop_.post([this, done = std::move(done)]() mutable {
    if (life_->worker.site != nullptr) life_->worker.site->access_log().flush();
    answer(std::move(done), {});
  });
}

void WorkerThread::quit(Done done) {
  loop_.post([this, done = std::move(done)]() mutable {
    if (!life_->ending) life_->connections.request_drain();
    life_->begin_end(std::move(done));
  });
}

void WorkerThread::terminate(Done done) {
  loop_.post([this, done = std::move(done)]() mutable {
    life_->connections.request_stop();
    life_->begin_end(std::move(done));
  });
}

void WorkerThread::Life::take_site() {
  if (ending) return;  // told to end since prepare()
  CHECK(next_site != nullptr && next_snapshot != nullptr);
  if (worker.site != nullptr) worker.site->retire(next_site.get());
  worker.site = std::move(next_site);
  http2_budget.limit = worker.site->http2_memory();
  snapshot = std::move(next_snapshot);
  log = snapshot->error_log;
  limit.set_limit(snapshot->process.worker_connections);
  tls.keep_certificates(snapshot->process.worker_certificates);
  owner.counters_.add(Counter::snapshots);
  take_cpus();
}

void WorkerThread::Life::take_cpus() {
  const snapshot::CpuMask usable = usable_cpus();
  const auto wanted =
      snapshot::cpus_of_worker(snapshot->process.machine.cpu_affinity, usable, owner.index_);
  if (wanted == std::exchange(cpus, wanted) || run_on(wanted.any() ? wanted : usable)) return;
  log->write(
      observe::Level::alert,
      fmt::format("worker {}: {}", owner.index_,
                  base::describe(base::error_from_errno(errno, "sched_setaffinity() failed"))));
}

std::vector<std::string> WorkerThread::Life::take_listeners(std::vector<WorkerListener> wanted) {
  std::vector<std::string> failures;
  if (ending) return failures;
  std::vector<std::unique_ptr<OpenListener>> kept;
  for (WorkerListener& listener : wanted) {
    const auto same = std::ranges::find_if(listeners, [&](const auto& open) {
      return open != nullptr && open->acceptor.address() == listener.address;
    });
    if (same != listeners.end()) {
      kept.push_back(std::move(*same));
      continue;
    }
    auto adopted = io::Listener::adopt(owner.loop_, std::move(listener.socket));
    if (!adopted) {
      failures.push_back(fmt::format("worker {} does not listen on {}: {}", owner.index_,
                                     listener.address.text(), base::describe(adopted.error())));
      log->write(observe::Level::alert, failures.back());
      continue;
    }
    kept.push_back(
        std::make_unique<OpenListener>(accepting,
                                       Acceptor::Surroundings{owner.loop_, connections, limit,
                                                              relief, owner.counters_, log, serve},
                                       listener.address, std::move(*adopted)));
    kept.back()->scope.spawn(kept.back()->acceptor.run());
  }
  for (auto& gone : listeners) {
    if (gone != nullptr) tasks.spawn(close_listener(std::move(gone)));
  }
  listeners = std::move(kept);
  return failures;
}

void WorkerThread::Life::take_over(io::Accepted accepted, const base::Address& local) {
  const auto of_address = [](const auto& open) { return open->acceptor.address(); };
  auto found = std::ranges::find(listeners, local, of_address);
  if (found == listeners.end())
    found = std::ranges::find(listeners, wildcard_of(local), of_address);
  if (found == listeners.end()) return;
  (*found)->scope.spawn((*found)->acceptor.take_over(std::move(accepted)));
}

async::Task<void> WorkerThread::Life::close_listener(std::unique_ptr<OpenListener> listener) {
  listener->scope.request_stop();
  co_await listener->scope.join();
}

/// The counters that only the loop knows.
async::Task<void> WorkerThread::Life::count_turns() {
  io::EventLoop& loop = owner.loop_;
  while (true) {
    owner.counters_.set(Counter::loop_turns, loop.turns());
    owner.counters_.set(Counter::loop_stalls, loop.stalled_turns());
    if (!co_await io::sleep_until(loop, loop.now() + kCountingPause)) co_return;
  }
}

void WorkerThread::Life::begin_end(Done done) {
  to_tell.push_back(std::move(done));
  if (!std::exchange(ending, true)) end_scope.spawn(end());
}

async::Task<void> WorkerThread::Life::end() {
  for (auto& listener : std::exchange(listeners, {})) {
    co_await close_listener(std::move(listener));
  }
  co_await connections.join();
  tasks.request_stop();
  co_await tasks.join();
  next_site.reset();
  worker.site.reset();
  owner.loop_.post([this] {
    for (Done& done : to_tell) owner.answer(std::move(done), {});
    owner.loop_.stop();
  });
}

}  // namespace server
