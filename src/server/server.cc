#include "server/server.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "observe/error_log.h"
#include "proxy/site.h"
#include "server/crash_report.h"
#include "server/machine.h"
#include "server/succession.h"

namespace server {
namespace {

/// The sockets of one worker: one of each address, several where there are more sockets than
/// workers, and one that it shares where there are fewer.
std::vector<WorkerListener> of_worker(const std::vector<ListenerSockets>& listeners,
                                      std::size_t index, std::size_t workers) {
  std::vector<WorkerListener> mine;
  for (const ListenerSockets& listener : listeners) {
    const std::size_t count = listener.sockets.size();
    for (std::size_t i = count < workers ? index % count : index; i < count; i += workers) {
      mine.push_back({listener.address, listener.sockets[i].duplicate()});
    }
  }
  return mine;
}

}  // namespace

struct Server::Adoption {
  Generation generation;
  Adopted adopted;
  std::size_t waiting_for = 0;
  std::string problem;

  /// True when this was the last of the workers' answers.
  bool count(const base::Result<void>& result) {
    if (!result && problem.empty()) problem = base::describe(result.error());
    return --waiting_for == 0;
  }
};

// nginx's default for ssl_session_timeout is 5 minutes; a snapshot may ask for more.
Server::Server(const base::Clock& clock, io::EventLoop& control, unsigned workers,
               tls::TicketSecret tickets)
    : ticket_keys_(std::make_shared<tls::TicketKeys>(clock, tls::TicketSecret::kLongestLifetime,
                                                     std::move(tickets))),
      offenders_(clock),
      pressure_(descriptor_limit()),
      memory_watch_(control, pressure_),
      logs_(clock, layout_, accesslog::LogThread::Mode::thread),
      control_(control) {
  logs_.carry_errors();
  for (unsigned index = 0; index < workers; ++index) {
    workers_.push_back(std::make_unique<WorkerThread>(
        index, WorkerThread::Shared{.clock = clock,
                                    .signer = signer_,
                                    .ticket_keys = ticket_keys_,
                                    .session_caches = session_caches_,
                                    .zones = zones_,
                                    .offenders = offenders_,
                                    .layout = layout_,
                                    .refusals = refusals_,
                                    .handshakes = handshakes_,
                                    .totals = *this,
                                    .readiness = readiness_,
                                    .connection_numbers = connection_numbers_,
                                    .control = control,
                                    .pressure = pressure_,
                                    .logs = logs_}));
  }
}

Server::~Server() {
  if (!ending_) terminate([] {});
}

// The signer has the snapshot's keys for as long as a worker, or one of its connections, has the
// snapshot.
void Server::hold_keys(Generation& generation) {
  auto keys = signer_.hold(generation.snapshot->private_keys());
  struct Kept {
    tls::InProcessSigner::Hold keys;
    std::shared_ptr<const snapshot::Snapshot> snapshot;
  };
  const auto kept = std::make_shared<const Kept>(std::move(keys), std::move(generation.snapshot));
  generation.snapshot = {kept, kept->snapshot.get()};
}

void Server::adopt(Generation generation, Adopted adopted) {
  auto adoption = std::make_shared<Adoption>();
  adoption->generation = std::move(generation);
  adoption->adopted = std::move(adopted);
  adoption->waiting_for = workers_.size();
  hold_keys(adoption->generation);
  std::erase_if(snapshots_, [](const auto& snapshot) { return snapshot.expired(); });
  snapshots_.push_back(adoption->generation.snapshot);
  if (ending_) adoption->problem = "the server is ending";
  if (!adoption->problem.empty()) return adoption->adopted(std::unexpected(adoption->problem));
  for (const auto& worker : workers_) {
    worker->prepare(adoption->generation.snapshot, [this, adoption](base::Result<void> result) {
      if (!adoption->count(result)) return;
      if (adoption->problem.empty()) return commit(adoption);
      for (const auto& each : workers_) each->abandon();
      adoption->adopted(std::unexpected(adoption->problem));
    });
  }
}

// Counts of servers and locations go on where their key remains.
void Server::number_places() {
  std::unordered_map<std::string_view, std::size_t> numbers;
  for (std::size_t i = 0; i < places_.size(); ++i) numbers.emplace(places_[i].key, i);
  std::vector<snapshot::Place> places = snapshot::places(*snapshot_);
  auto former = std::make_shared<std::vector<std::size_t>>();
  former->reserve(places.size());
  for (const snapshot::Place& place : places) {
    const auto found = numbers.find(place.key);
    const bool same = found != numbers.end() && places_[found->second].kind == place.kind;
    former->push_back(same ? found->second : proxy::TrafficTable::kNew);
  }
  for (const auto& worker : workers_) worker->continue_counts(former);
  places_ = std::move(places);
}

void Server::commit(std::shared_ptr<Adoption> adoption) {
  adoption->waiting_for = workers_.size();
  set_crash_generation(adoption->generation.number);
  signer_.keep_ready(adoption->generation.snapshot->process.worker_certificates);
  memory_watch_.set_limit(memory_limit(adoption->generation.snapshot->process.machine.memory));
  snapshot_ = adoption->generation.snapshot;
  number_places();
  logs_.report_to(adoption->generation.snapshot->error_log);
  listeners_.clear();
  for (const ListenerSockets& listener : adoption->generation.listeners) {
    const auto& groups = snapshot_->listing().groups;
    const auto group = std::ranges::find_if(
        groups, [&](const auto& each) { return each->address == listener.address; });
    listeners_.push_back({.address = listener.address.text(),
                          .tls = listener.tls,
                          .proxy_protocol = group != groups.end() && (*group)->proxy_protocol});
  }
  not_listening_.clear();
  for (const auto& worker : workers_) {
    worker->commit(of_worker(adoption->generation.listeners, worker->index(), workers_.size()),
                   [this, adoption](std::vector<std::string> failures) {
                     std::ranges::move(failures, std::back_inserter(not_listening_));
                     if (!adoption->count({})) return;
                     // Not before: who reads the number in `status` may count on every worker.
                     generation_ = adoption->generation.number;
                     readiness_.listening = not_listening_.empty();
                     // A configuration is built in many small pieces, most of which are gone now:
                     // of 10,000 servers with certificates, 20 MB.
                     ::malloc_trim(0);
                     adoption->adopted({});
                   });
  }
}

void Server::take_over(base::Fd connection) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* native = reinterpret_cast<sockaddr*>(&storage);
  if (ending_ || ::getpeername(connection.get(), native, &size) != 0) return;
  const base::Address local = local_address(connection.get());
  io::Accepted accepted{std::move(connection), base::Address::from_native(native, size)};
  workers_[next_worker_++ % workers_.size()]->take_over(std::move(accepted), local);
}

void Server::reopen_logs(std::vector<snapshot::ReopenedLog> logs, std::function<void()> done) {
  auto shared = std::make_shared<const std::vector<snapshot::ReopenedLog>>(std::move(logs));
  // A worker whose last connection is gone does not answer any more.
  if (ending_) return switch_logs(std::move(shared), std::move(done));
  auto left = std::make_shared<std::size_t>(workers_.size());
  for (const auto& worker : workers_) {
    worker->flush_logs([this, left, shared, done](base::Result<void>) {
      if (--*left == 0) switch_logs(shared, done);
    });
  }
}

void Server::switch_logs(std::shared_ptr<const std::vector<snapshot::ReopenedLog>> logs,
                         std::function<void()> done) {
  std::vector<std::shared_ptr<const snapshot::Snapshot>> live;
  for (const auto& each : snapshots_) {
    if (auto snapshot = each.lock()) live.push_back(std::move(snapshot));
  }
  // Behind what the workers have handed over.
  logs_.post([this, logs = std::move(logs), live = std::move(live), done = std::move(done)] {
    for (const auto& snapshot : live) snapshot->use_logs(*logs);
    control_.post([this, done] {
      own_counters_.add(observe::Counter::log_reopenings);
      done();
    });
  });
}

void Server::quit(std::function<void()> ended) {
  ending_ = true;
  readiness_.draining = true;
  auto left = std::make_shared<std::size_t>(workers_.size());
  for (const auto& worker : workers_) {
    worker->quit([left, ended](base::Result<void>) {
      if (--*left == 0) ended();
    });
  }
}

void Server::terminate(std::function<void()> ended) {
  ending_ = true;
  readiness_.draining = true;
  auto left = std::make_shared<std::size_t>(workers_.size());
  for (const auto& worker : workers_) {
    worker->terminate([left, ended](base::Result<void>) {
      if (--*left == 0) ended();
    });
  }
}

std::uint64_t Server::sum(observe::Counter counter) const noexcept {
  std::uint64_t all = 0;
  for (const auto& worker : workers_) all += worker->counters().get(counter);
  return all;
}

void Server::ask(std::function<void()> alive) {
  auto left = std::make_shared<std::size_t>(workers_.size());
  for (const auto& worker : workers_) {
    worker->ask([left, alive](base::Result<void>) {
      if (--*left == 0) alive();
    });
  }
}

std::vector<observe::Reading> Server::readings() const {
  own_counters_.set(observe::Counter::error_lines_dropped, observe::ErrorLog::all_dropped());
  std::vector<const observe::Counters*> all{&own_counters_, &logs_.counters()};
  for (const auto& worker : workers_) all.push_back(&worker->counters());
  return observe::read_all(layout_, all);
}

}  // namespace server
