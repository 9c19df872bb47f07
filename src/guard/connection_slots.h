// ConnectionSlots: the places that a request takes in limit_conn's zones, given back at its end.
#pragma once

#include "base/arena.h"
#include "guard/state_table.h"

namespace guard {

/// The tables and the arena outlive it.
class ConnectionSlots {
 public:
  ConnectionSlots() = default;
  ConnectionSlots(const ConnectionSlots&) = delete;
  ConnectionSlots& operator=(const ConnectionSlots&) = delete;
  ~ConnectionSlots() { release(); }

  /// A holder that was counted in that state.
  void add(base::Arena& arena, StateTable& table, const StateTable::Key& key) {
    newest_ = arena.make<Slot>(&table, key, newest_);
  }
  void release() noexcept {
    for (; newest_ != nullptr; newest_ = newest_->before) give_back(*newest_->table, newest_->key);
  }

 private:
  struct Slot {
    StateTable* table;
    StateTable::Key key;
    Slot* before;
  };
  static void give_back(StateTable& table, const StateTable::Key& key) noexcept;

  Slot* newest_ = nullptr;
};

}  // namespace guard
