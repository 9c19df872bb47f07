// LruCache: at most so many values by key; the one that was not asked for the longest gives way.
#pragma once

#include <cstddef>
#include <iterator>
#include <list>
#include <unordered_map>
#include <utility>

#include "base/check.h"

namespace base {

/// One thread's. Constant time, one hash per call. Values stay where they are until they are
/// erased or give way.
template <class Key, class Value, class Hash = std::hash<Key>>
class LruCache {
 public:
  /// `most` is 1 or more.
  explicit LruCache(std::size_t most) : most_(most) { CHECK(most > 0); }

  [[nodiscard]] std::size_t size() const noexcept { return by_key_.size(); }

  /// The value, which is the newest from now on, or null.
  [[nodiscard]] Value* find(const Key& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    by_age_.splice(by_age_.begin(), by_age_, found->second);
    return &found->second->second;
  }

  /// Puts `value` there, in place of the key's old one.
  Value& put(Key key, Value value) {
    if (Value* const old = find(key)) return *old = std::move(value);
    if (by_key_.size() >= most_) remove_oldest();
    by_age_.emplace_front(std::move(key), std::move(value));
    by_key_.emplace(by_age_.front().first, by_age_.begin());
    return by_age_.front().second;
  }

  void erase(const Key& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    const auto entry = found->second;
    by_key_.erase(found);
    by_age_.erase(entry);
  }

  /// Removes every entry for which `wanted(key, value)` is true.
  template <class Predicate>
  void erase_if(Predicate wanted) {
    for (auto entry = by_age_.begin(); entry != by_age_.end();) {
      const auto next = std::next(entry);
      if (wanted(std::as_const(entry->first), std::as_const(entry->second))) {
        by_key_.erase(entry->first);
        by_age_.erase(entry);
      }
      entry = next;
    }
  }

  /// Removes the oldest entries as long as `unwanted(value)` is true of the oldest.
  template <class Predicate>
  void erase_oldest_while(Predicate unwanted) {
    while (!by_age_.empty() && unwanted(std::as_const(by_age_.back().second))) remove_oldest();
  }

  /// A lower bound than before removes the oldest.
  void set_most(std::size_t most) {
    CHECK(most > 0);
    most_ = most;
    while (by_key_.size() > most_) remove_oldest();
  }

  void clear() noexcept {
    by_key_.clear();
    by_age_.clear();
  }

 private:
  void remove_oldest() {
    by_key_.erase(by_age_.back().first);
    by_age_.pop_back();
  }

  using Entries = std::list<std::pair<Key, Value>>;  // the newest first
  std::size_t most_;
  Entries by_age_;
  std::unordered_map<Key, typename Entries::iterator, Hash> by_key_;
};

}  // namespace base
