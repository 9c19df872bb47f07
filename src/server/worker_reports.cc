#include "server/worker_reports.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "async/channel.h"
#include "async/scope.h"
#include "server/server.h"

namespace server {
namespace {

constexpr std::chrono::milliseconds kPatience{1000};

struct Collection {
  std::vector<WorkerReport> reports;
  std::size_t missing = 0;
  async::Channel<bool> over{1};
};

async::Task<void> end_in_time(io::EventLoop& control, std::shared_ptr<Collection> collection) {
  static_cast<void>(co_await io::sleep_until(control, control.now() + kPatience));
  collection->over.close();
}

}  // namespace

async::Task<std::vector<WorkerReport>> collect_reports(const Server& server,
                                                       io::EventLoop& control) {
  auto collection = std::make_shared<Collection>();
  collection->missing = server.workers().size();
  for (const auto& worker : server.workers()) {
    worker->report([collection](WorkerReport report) {
      if (collection->over.closed()) return;
      collection->reports.push_back(std::move(report));
      if (--collection->missing == 0) collection->over.close();
    });
  }
  if (collection->missing != 0) {
    async::Scope limit;
    limit.spawn(end_in_time(control, collection));
    static_cast<void>(co_await collection->over.arrival());
    limit.request_stop();
    co_await limit.join();
  }
  std::ranges::sort(collection->reports, {}, &WorkerReport::worker);
  co_return std::move(collection->reports);
}

std::vector<unsigned> silent_workers(const Server& server, std::span<const WorkerReport> reports) {
  std::vector<unsigned> silent;
  if (server.ending()) return silent;
  for (const auto& worker : server.workers()) {
    if (std::ranges::find(reports, worker->index(), &WorkerReport::worker) == reports.end()) {
      silent.push_back(worker->index());
    }
  }
  return silent;
}

}  // namespace server
