// Traffic: what a worker counts for each server and location. A block has a number
// (PlaceNumber, given when the configuration is built); a Site has a Traffic for each number.
//
// Plain integers of the worker's thread; who wants them is sent copies. They outlive a reload: a
// new Site takes over the counts of places that remain, by sharing them with the old one, so that
// requests which end on the old Site are counted, too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace proxy {

struct Traffic {
  std::uint64_t requests = 0;
  std::array<std::uint64_t, 5> responses{};  // 1xx to 5xx
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;

  void count(unsigned status, std::uint64_t received, std::uint64_t sent) noexcept;
  void add(const Traffic& other) noexcept;
  [[nodiscard]] bool operator==(const Traffic&) const = default;
};

/// Of a server's or a location's level.
struct PlaceNumber {
  std::size_t number = 0;
};

class TrafficTable {
 public:
  explicit TrafficTable(std::size_t size);

  [[nodiscard]] Traffic& at(std::size_t number) noexcept { return *all_[number]; }
  [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
  [[nodiscard]] std::vector<Traffic> copy() const;

  /// Place i was place `former[i]` of `older`; kNew: there was none.
  static constexpr std::size_t kNew = ~std::size_t{0};
  void continue_from(const TrafficTable& older, std::span<const std::size_t> former);

 private:
  std::vector<std::shared_ptr<Traffic>> all_;
};

}  // namespace proxy
