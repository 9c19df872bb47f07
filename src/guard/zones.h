// Zones: the state tables by name, for as long as a configuration uses them. One for the process:
// the workers share the tables, and a table goes on over reloads while its name, its kind, its key
// and its size stay the same.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "guard/zone.h"

namespace guard {

class Zones {
 public:
  /// The table of an equal spec, or a new one. Thread-safe.
  [[nodiscard]] std::shared_ptr<StateTable> get(const ZoneSpec& spec);

 private:
  struct Known {
    ZoneSpec spec;
    std::weak_ptr<StateTable> table;
  };
  std::mutex mutex_;  // guards known_
  std::map<std::string, Known> known_;
};

}  // namespace guard
