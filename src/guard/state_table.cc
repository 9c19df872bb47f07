#include "guard/state_table.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/check.h"

namespace guard {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr unsigned kMostShardBits = 6;
// A shard much smaller would be full long before its neighbours.
constexpr std::size_t kLeastStatesPerShard = 2048;
// How many of the oldest are asked whether they can give way.
constexpr int kMostAsked = 8;

struct Entry {
  StateTable::Key key;
  State state;
  std::uint32_t next;   // of the bucket, or of the free entries
  std::uint32_t older;
  std::uint32_t newer;
};

}  // namespace

// Entries up to `made` have been used once; those that are free again are chained from `free`.
// Memory that was never used is never touched.
struct alignas(64) StateTable::Shard {
  explicit Shard(std::size_t most)
      : entries(std::make_unique_for_overwrite<Entry[]>(most)),
        capacity(static_cast<std::uint32_t>(most)),
        buckets(std::bit_ceil(most), kNone) {}

  [[nodiscard]] Entry& at(std::uint32_t index) noexcept {
    CHECK(index < made);
    return entries[index];
  }
  [[nodiscard]] std::uint32_t& bucket(const Key& key) noexcept {
    return buckets[key.low & (buckets.size() - 1)];
  }
  void unlink_age(Entry& entry) noexcept {
    (entry.older == kNone ? oldest : at(entry.older).newer) = entry.newer;
    (entry.newer == kNone ? newest : at(entry.newer).older) = entry.older;
  }
  void link_newest(std::uint32_t index) noexcept {
    Entry& entry = at(index);
    entry.older = newest;
    entry.newer = kNone;
    (newest == kNone ? oldest : at(newest).newer) = index;
    newest = index;
  }
  void erase(std::uint32_t index) noexcept {
    Entry& entry = at(index);
    std::uint32_t* link = &bucket(entry.key);
    while (*link != index) link = &at(*link).next;
    *link = entry.next;
    unlink_age(entry);
    entry.next = free;
    free = index;
    --used;
  }
  [[nodiscard]] std::uint32_t take_free() noexcept {
    if (free != kNone) {
      const std::uint32_t index = free;
      free = at(index).next;
      return index;
    }
    return made < capacity ? made++ : kNone;
  }
  [[nodiscard]] std::uint32_t find_evictable() noexcept {
    std::uint32_t index = oldest;
    for (int asked = 0; index != kNone && asked < kMostAsked; ++asked) {
      if (at(index).state.holders == 0) return index;
      index = at(index).newer;
    }
    return kNone;
  }

  std::mutex mutex;  // guards everything
  std::unique_ptr<Entry[]> entries;
  const std::uint32_t capacity;
  std::uint32_t made = 0;  // <= capacity
  std::uint32_t used = 0;  // <= made
  std::uint32_t free = kNone;
  std::uint32_t oldest = kNone;
  std::uint32_t newest = kNone;
  std::vector<std::uint32_t> buckets;
};

static_assert(sizeof(Entry) + 2 * sizeof(std::uint32_t) <= StateTable::kBytesPerState);

StateTable::StateTable(std::size_t bytes) : secret_(base::random_sip_key()) {
  const std::size_t states = std::clamp<std::size_t>(bytes / kBytesPerState, 1, kMostStates);
  while (shard_bits_ < kMostShardBits && (states >> (shard_bits_ + 1)) >= kLeastStatesPerShard) {
    ++shard_bits_;
  }
  for (std::size_t i = 0; i < std::size_t{1} << shard_bits_; ++i) {
    shards_.push_back(std::make_unique<Shard>(states >> shard_bits_));
  }
}

StateTable::~StateTable() = default;

StateTable::Access StateTable::access(const Key& key) noexcept {
  // Other bits than those that choose the bucket.
  return {*shards_[key.high & (shards_.size() - 1)], key};
}

std::size_t StateTable::capacity() const noexcept {
  return shards_.size() * shards_.front()->capacity;
}

std::size_t StateTable::size() const {
  std::size_t sum = 0;
  for (const auto& shard : shards_) {
    const std::scoped_lock lock(shard->mutex);
    sum += shard->used;
  }
  return sum;
}

StateTable::Access::Access(Shard& shard, const Key& key) noexcept
    : shard_(shard), key_(key), lock_(shard.mutex), found_(kNone) {}

State* StateTable::Access::find() noexcept {
  std::uint32_t index = shard_.bucket(key_);
  while (index != kNone && shard_.at(index).key != key_) index = shard_.at(index).next;
  found_ = index;
  if (index == kNone) return nullptr;
  if (index != shard_.newest) {
    shard_.unlink_age(shard_.at(index));
    shard_.link_newest(index);
  }
  return &shard_.at(index).state;
}

StateTable::Access::Added StateTable::Access::add() noexcept {
  CHECK(found_ == kNone);
  Added added;
  std::uint32_t index = shard_.take_free();
  if (index == kNone) {
    const std::uint32_t oldest = shard_.find_evictable();
    if (oldest == kNone) return added;
    added.evicted = shard_.at(oldest).state;
    added.has_evicted = true;
    shard_.erase(oldest);
    index = shard_.take_free();
  }
  std::uint32_t& first = shard_.bucket(key_);
  shard_.at(index) = {.key = key_, .state = {}, .next = first, .older = kNone, .newer = kNone};
  first = index;
  shard_.link_newest(index);
  ++shard_.used;
  found_ = index;
  added.state = &shard_.at(index).state;
  return added;
}

void StateTable::Access::remove() noexcept {
  CHECK(found_ != kNone);
  shard_.erase(found_);
  found_ = kNone;
}

}  // namespace guard
