#include "upstream/cluster_cache.h"

#include <utility>

namespace upstream {

std::expected<std::shared_ptr<Cluster>, std::string_view> ClusterCache::find_or_make(
    std::string_view endpoint, std::uint16_t default_port, const KeepAlive& keep_alive,
    const NameLookup& lookup) {
  const auto found = by_key_.find({endpoint, default_port, &lookup});
  if (found != by_key_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front().cluster;
  }
  auto parsed = parse_endpoint(endpoint);
  if (!parsed) return std::unexpected(parsed.error());
  parsed->resolve = true;
  auto spec = std::make_shared<const ClusterSpec>(
      implicit_cluster(*std::move(parsed), default_port, keep_alive, lookup));
  auto cluster = std::make_shared<Cluster>(std::move(spec), surroundings_);
  if (draining_) cluster->drain();
  if (capacity_ == 0) return cluster;
  if (entries_.size() >= capacity_) {
    // Its users keep it; its idle connections are not worth waiting for them.
    entries_.back().cluster->drain();
    by_key_.erase(entries_.back().key());
    entries_.pop_back();
  }
  entries_.push_front({std::string(endpoint), default_port, std::move(cluster)});
  by_key_.emplace(entries_.front().key(), entries_.begin());
  return entries_.front().cluster;
}

void ClusterCache::drain() {
  draining_ = true;
  for (Entry& entry : entries_) entry.cluster->drain();
}

Cluster* ClusterCache::find_oldest_idle() const noexcept {
  Cluster* oldest = nullptr;
  base::TimePoint since = base::kNoDeadline;
  for (const Entry& entry : entries_) {
    if (entry.cluster->idle_since() >= since) continue;
    oldest = entry.cluster.get();
    since = oldest->idle_since();
  }
  return oldest;
}

}  // namespace upstream
