// What limit_req costs a request, over a million clients in random order: the table of this folder,
// and beside it a red-black tree with a queue by age under one lock, which is how nginx keeps them.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "guard/leaky_bucket.h"

namespace guard {
namespace {

constexpr std::size_t kClients = 1'000'000;
constexpr BucketRule kRule{.rate = 10'000, .burst = 20'000};

// Four bytes each, as $binary_remote_addr.
const std::vector<std::array<char, 4>>& clients() {
  static const auto all = [] {
    std::vector<std::array<char, 4>> made(kClients);
    for (std::uint32_t i = 0; i < kClients; ++i) std::memcpy(made[i].data(), &i, 4);
    std::ranges::shuffle(made, std::mt19937(1));  // NOLINT: the same each time
    return made;
  }();
  return all;
}
std::string_view text_of(std::size_t i) {
  const auto& client = clients()[i % kClients];
  return {client.data(), client.size()};
}

void look_up(benchmark::State& state) {
  static StateTable table(kClients * StateTable::kBytesPerState * 2);
  std::size_t i = static_cast<std::size_t>(state.thread_index()) * (kClients / 2);
  std::int64_t now = 1'000'000;
  for (auto _ : state) {
    const std::string_view text = text_of(i++);
    benchmark::DoNotOptimize(
        look_at_bucket(table, table.key_of(text), kRule, now, Counted::at_once));
    now += (i & 1023U) == 0 ? 1 : 0;
  }
}
BENCHMARK(look_up)->MinWarmUpTime(1.0)->ThreadRange(1, 2)->UseRealTime();

struct Node {
  std::uint32_t excess = 0;
  std::int64_t last = 0;
  std::list<std::uint32_t>::iterator age;
};

void look_up_in_a_tree(benchmark::State& state) {
  static std::mutex mutex;
  static std::map<std::uint32_t, Node> tree;
  static std::list<std::uint32_t> ages;
  std::size_t i = static_cast<std::size_t>(state.thread_index()) * (kClients / 2);
  std::int64_t now = 1'000'000;
  for (auto _ : state) {
    std::uint32_t key = 0;
    std::memcpy(&key, text_of(i++).data(), 4);
    key *= 2654435761U;  // in nginx a CRC-32, which costs no less
    const std::scoped_lock lock(mutex);
    auto [found, is_new] = tree.try_emplace(key);
    Node& node = found->second;
    if (is_new) {
      ages.push_front(key);
      node.age = ages.begin();
    } else {
      ages.splice(ages.begin(), ages, node.age);
    }
    const std::int64_t excess =
        node.excess - (static_cast<std::int64_t>(kRule.rate) * (now - node.last) / 1000) + 1000;
    node.excess = excess > 0 ? static_cast<std::uint32_t>(excess) : 0;
    node.last = now;
    benchmark::DoNotOptimize(node.excess);
    now += (i & 1023U) == 0 ? 1 : 0;
  }
}
BENCHMARK(look_up_in_a_tree)->MinWarmUpTime(1.0)->ThreadRange(1, 2)->UseRealTime();

}  // namespace
}  // namespace guard
