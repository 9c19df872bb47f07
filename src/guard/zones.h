// Zones: the state tables by name, for as long as a configuration uses them. One for the process:
// the workers share the tables, and a table goes on over reloads while its name, its kind, its key
// and its size stay the same.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "guard/zone.h"

namespace guard {

/// A table that is in use.
struct ZoneReport {
  std::string name;
  ZoneKind kind = ZoneKind::requests;
  std::size_t states = 0;
  std::size_t capacity = 0;
};

class Zones {
 public:
  /// The table of an equal spec, or a new one. Thread-safe.
  [[nodiscard]] std::shared_ptr<StateTable> get(const ZoneSpec& spec);
  /// By name. Thread-safe.
  [[nodiscard]] std::vector<ZoneReport> report();

 private:
  struct Known {
    ZoneSpec spec;
    std::weak_ptr<StateTable> table;
  };
  std::mutex mutex_;  // guards known_
  std::map<std::string, Known> known_;
};

}  // namespace guard
