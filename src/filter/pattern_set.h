// PatternSet: several texts that are looked for at once, in any letter case (Aho and Corasick,
// 1975). Its states say how much of which text the last bytes are the beginning of; a byte leads
// from one to the next. The steps over a body are at most twice as many as its bytes, whatever they
// are, times the texts that go on in different ways at one place.
//
// Letters are those of ASCII. Built once, then immutable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace filter {

class PatternSet {
 public:
  using State = std::uint32_t;
  static constexpr State kStart = 0;
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  /// All texts together: what they are built to takes some 36 bytes for each of theirs.
  static constexpr std::size_t kMaxBytes = std::size_t{64} * 1024;

  /// None is empty; together they have kMaxBytes at most. Views are not kept.
  explicit PatternSet(std::span<const std::string_view> patterns);

  [[nodiscard]] State next(State state, char byte) const noexcept;
  /// How many of the last bytes are the beginning of a pattern: the most.
  [[nodiscard]] std::size_t depth(State state) const noexcept { return nodes_[state].depth; }
  /// Whether any pattern begins with the byte.
  [[nodiscard]] bool begins(char byte) const noexcept {
    return roots_[static_cast<unsigned char>(byte)] != kStart;
  }
  /// The patterns that end here, by their numbers, longest first, equal ones in their order: calls
  /// `visit(number)` until it returns true.
  template <class Visit>
  void each_match(State state, Visit visit) const {
    for (State at = nodes_[state].pattern != kNone ? state : nodes_[state].shorter; at != kStart;
         at = nodes_[at].shorter) {
      for (std::uint32_t number = nodes_[at].pattern; number != kNone; number = equal_[number]) {
        if (visit(number)) return;
      }
    }
  }
  /// The lowest number of those that begin with the `depth` bytes of this state.
  [[nodiscard]] std::uint32_t lowest_ahead(State state) const noexcept {
    return nodes_[state].lowest;
  }
  [[nodiscard]] std::size_t size_of(std::uint32_t number) const noexcept { return sizes_[number]; }
  [[nodiscard]] std::size_t count() const noexcept { return sizes_.size(); }

 private:
  struct Node {
    State child = kStart;  // the first one; kStart: there is none
    State sibling = kStart;  // of the same parent
    State fallback = kStart;  // the longest shorter beginning that the same bytes are
    State shorter = kStart;  // the nearest of those that is a whole pattern
    std::uint32_t pattern = kNone;  // the first that ends here
    std::uint32_t lowest = kNone;
    std::uint32_t depth = 0;
    unsigned char byte = 0;
  };
  [[nodiscard]] State child_of(State state, unsigned char byte) const noexcept;
  void add(std::uint32_t number, std::string_view pattern);
  void connect();

  std::vector<Node> nodes_;
  std::array<State, 256> roots_{};
  std::vector<std::uint32_t> sizes_;
  std::vector<std::uint32_t> equal_;  // the next pattern with the same text
};

}  // namespace filter
