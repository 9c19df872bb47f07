// ClusterCache: clusters that are made while the program runs, for a proxy_pass with variables. One
// per worker; at most `capacity` clusters are kept, the one used longest ago leaves first. One that
// is in use lives on with its users.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "upstream/cluster.h"

namespace upstream {

class ClusterCache {
 public:
  static constexpr std::size_t kCapacity = 1024;

  explicit ClusterCache(Surroundings surroundings, std::size_t capacity = kCapacity) noexcept
      : surroundings_(surroundings), capacity_(capacity) {}

  /// The implicit cluster for "host:port" as it came out of an expression, with `default_port`
  /// where it names none. `lookup` says who knows the host. The error is in nginx's words ("invalid
  /// port"). Hold the pointer while leases of the cluster are out. All calls for one cache pass the
  /// same `keep_alive`.
  [[nodiscard]] std::expected<std::shared_ptr<Cluster>, std::string_view> find_or_make(
      std::string_view endpoint, std::uint16_t default_port, const KeepAlive& keep_alive,
      const NameLookup& lookup = {});

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  /// The worker drains.
  void drain();
  /// The cluster with the connection that has been idle longest; null if none has an idle one.
  [[nodiscard]] Cluster* find_oldest_idle() const noexcept;

 private:
  struct Key {
    std::string_view endpoint;  // of the entry's own text
    std::uint16_t default_port;
    const NameLookup* lookup;
    bool operator==(const Key& other) const {
      return endpoint == other.endpoint && default_port == other.default_port &&
             (lookup == other.lookup || *lookup == *other.lookup);
    }
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<std::string_view>{}(key.endpoint) ^ key.default_port;
    }
  };
  struct Entry {
    std::string endpoint;
    std::uint16_t default_port;
    std::shared_ptr<Cluster> cluster;
    [[nodiscard]] Key key() const { return {endpoint, default_port, &cluster->spec().lookup}; }
  };
  Surroundings surroundings_;
  std::size_t capacity_;
  std::list<Entry> entries_;  // used last, first
  std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> by_key_;
  bool draining_ = false;
};

}  // namespace upstream
