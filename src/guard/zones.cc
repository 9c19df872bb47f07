#include "guard/zones.h"

namespace guard {

std::shared_ptr<StateTable> Zones::get(const ZoneSpec& spec) {
  const std::scoped_lock lock(mutex_);
  // Names that are used no more would add up over many reloads.
  std::erase_if(known_, [](const auto& entry) { return entry.second.table.expired(); });
  const auto found = known_.find(spec.name);
  if (found != known_.end() && found->second.spec == spec) {
    if (auto table = found->second.table.lock()) return table;
  }
  auto table = std::make_shared<StateTable>(spec.size);
  known_.insert_or_assign(spec.name, Known{spec, table});
  return table;
}

std::vector<ZoneReport> Zones::report() {
  const std::scoped_lock lock(mutex_);
  std::vector<ZoneReport> all;
  for (const auto& [name, known] : known_) {
    const auto table = known.table.lock();
    if (table == nullptr) continue;
    all.push_back({.name = name,
                   .kind = known.spec.kind,
                   .states = table->size(),
                   .capacity = table->capacity()});
  }
  return all;
}

}  // namespace guard
