// StateTable: what the limits remember of each key: a bounded number of states, shared by the
// workers and kept over reloads.
//
// A key is kept as its keyed 128-bit hash: states are of one size, so a table is two arrays that
// are made once, and neither a client's address nor a token stands in memory. A table is divided
// into shards with a lock each; one look-up holds one lock for a few hundred nanoseconds at most.
// In a shard, states are chained by hash and listed by age; when it is full the oldest state that
// nobody holds gives way, as in nginx's zones.
//
// Rejected: lock-free buckets, since the list by age is written by every look-up anyway; nginx's
// red-black tree in a slab, whose depth costs a cache miss each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/siphash.h"

namespace guard {

/// Of one key. A new one is all zeros.
struct State {
  std::int64_t last = 0;      // limit_req: milliseconds of the monotonic clock
  std::uint64_t excess = 0;   // limit_req: requests above the rate, in thousandths
  std::uint32_t holders = 0;  // limit_conn: requests that count; limit_req: look-ups under way
};

class StateTable {
  struct Shard;

 public:
  using Key = base::Hash128;
  /// What a state takes of a zone's size, at most; nginx's takes as much for an IPv4 address.
  static constexpr std::size_t kBytesPerState = 64;
  static constexpr std::size_t kMostStates = std::size_t{1} << 31;

  explicit StateTable(std::size_t bytes);
  ~StateTable();
  StateTable(const StateTable&) = delete;
  StateTable& operator=(const StateTable&) = delete;

  [[nodiscard]] Key key_of(std::string_view text) const noexcept {
    return base::siphash128(secret_, text);
  }

  /// A key's state, with its shard's lock held: short work only, and one at a time.
  class Access {
   public:
    /// Null if there is none. The newest of its shard from now on.
    [[nodiscard]] State* find() noexcept;
    struct Added {
      State* state = nullptr;  // null: every state that might give way is held
      State evicted{};         // what gave way, if something did
      bool has_evicted = false;
    };
    /// find() has just given null.
    [[nodiscard]] Added add() noexcept;
    /// The state that find() or add() has given.
    void remove() noexcept;

   private:
    friend class StateTable;
    Access(Shard& shard, const Key& key) noexcept;
    Shard& shard_;
    const Key key_;
    std::unique_lock<std::mutex> lock_;
    std::uint32_t found_;
  };
  [[nodiscard]] Access access(const Key& key) noexcept;

  [[nodiscard]] std::size_t capacity() const noexcept;
  [[nodiscard]] std::size_t size() const;

 private:
  const base::SipKey secret_;
  std::vector<std::unique_ptr<Shard>> shards_;  // 1 << shard_bits_
  unsigned shard_bits_ = 0;
};

}  // namespace guard
