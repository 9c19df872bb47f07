// Attempts: what one exchange has tried at a cluster. It lives in the exchange's coroutine.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace upstream {

class Attempts {
 public:
  /// Endpoints chosen so far, each counted once.
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

  [[nodiscard]] bool has_tried(std::uint32_t peer) const noexcept {
    const auto inlined = std::span(few_).first(std::min(count_, few_.size()));
    return std::ranges::find(inlined, peer) != inlined.end() ||
           std::ranges::find(more_, peer) != more_.end();
  }

  /// The next acquire goes to the endpoint of the last one, on a connection of its own: for a kept
  /// connection that died before a byte of the answer. Falls back to choosing when it is gone.
  void repeat_fresh() noexcept { repeat_ = true; }

 private:
  friend class Cluster;
  void add(std::uint32_t peer) {
    if (count_ < few_.size()) {
      few_[count_] = peer;
    } else {
      more_.push_back(peer);
    }
    ++count_;
    last_ = peer;
  }

  std::array<std::uint32_t, 8> few_{};
  std::vector<std::uint32_t> more_;
  std::size_t count_ = 0;
  std::uint32_t last_ = 0;
  bool repeat_ = false;
  bool on_backups_ = false;  // once the primaries are used up, they are not asked again
};

}  // namespace upstream
