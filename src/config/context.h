// Context: the kind of block in which a directive stands. ContextSet: where one may stand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace config {

enum class Context : std::uint32_t {
  main = 1U << 0,
  events = 1U << 1,
  http = 1U << 2,
  server = 1U << 3,
  location = 1U << 4,
  upstream = 1U << 5,
  if_in_server = 1U << 6,
  if_in_location = 1U << 7,
  limit_except = 1U << 8,
  stream = 1U << 9,
  stream_server = 1U << 10,
  stream_upstream = 1U << 11,
};

class ContextSet {
 public:
  constexpr ContextSet() = default;
  constexpr ContextSet(Context one) : bits_(static_cast<std::uint32_t>(one)) {}  // NOLINT
  [[nodiscard]] constexpr bool contains(Context one) const noexcept {
    return (bits_ & static_cast<std::uint32_t>(one)) != 0;
  }
  [[nodiscard]] constexpr bool intersects(ContextSet other) const noexcept {
    return (bits_ & other.bits_) != 0;
  }
  [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
  friend constexpr ContextSet operator|(ContextSet a, ContextSet b) noexcept {
    ContextSet both;
    both.bits_ = a.bits_ | b.bits_;
    return both;
  }
  constexpr bool operator==(const ContextSet&) const = default;

 private:
  std::uint32_t bits_ = 0;
};

[[nodiscard]] constexpr ContextSet operator|(Context a, Context b) noexcept {
  return ContextSet(a) | ContextSet(b);
}

inline constexpr ContextSet kHttpServer = Context::http | Context::server;
inline constexpr ContextSet kHttpServerLocation = kHttpServer | Context::location;

/// For messages: "main", "server", "location", "if in location", ...
[[nodiscard]] std::string_view name_of(Context context) noexcept;
/// For messages: "http, server or location"; "nowhere" for the empty set.
[[nodiscard]] std::string describe(ContextSet contexts);

}  // namespace config
