// Input: the bytes of a fuzzer, taken piece by piece. Beyond their end come zeros and empty texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) noexcept
      : rest_(reinterpret_cast<const char*>(data), size) {}
  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  std::uint8_t byte() noexcept {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::string_view text(std::size_t size) noexcept {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  /// One of `all`.
  template <class List>
  const auto& pick(const List& all) noexcept {
    return all[byte() % all.size()];
  }

 private:
  std::string_view rest_;
};
