#include "filter/pattern_set.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace filter {
namespace {

unsigned char fold(char c) noexcept { return static_cast<unsigned char>(base::to_lower(c)); }

}  // namespace

PatternSet::PatternSet(std::span<const std::string_view> patterns)
    : nodes_(1), equal_(patterns.size(), kNone) {
  std::size_t bytes = 0;
  for (std::uint32_t number = 0; number < patterns.size(); ++number) {
    bytes += patterns[number].size();
    CHECK(!patterns[number].empty() && bytes <= kMaxBytes);
    add(number, patterns[number]);
    sizes_.push_back(static_cast<std::uint32_t>(patterns[number].size()));
  }
  for (State child = nodes_[kStart].child; child != kStart; child = nodes_[child].sibling) {
    const char byte = static_cast<char>(nodes_[child].byte);
    roots_[nodes_[child].byte] = child;
    if (base::is_alpha(byte)) roots_[nodes_[child].byte & ~0x20U] = child;
  }
  connect();
}

PatternSet::State PatternSet::child_of(State state, unsigned char byte) const noexcept {
  State child = nodes_[state].child;
  while (child != kStart && nodes_[child].byte != byte) child = nodes_[child].sibling;
  return child;
}

void PatternSet::add(std::uint32_t number, std::string_view pattern) {
  State at = kStart;
  for (const char c : pattern) {
    const unsigned char byte = fold(c);
    State child = child_of(at, byte);
    if (child == kStart) {
      child = static_cast<State>(nodes_.size());
      nodes_.push_back({.sibling = nodes_[at].child, .depth = nodes_[at].depth + 1, .byte = byte});
      nodes_[at].child = child;
    }
    at = child;
    nodes_[at].lowest = std::min(nodes_[at].lowest, number);
  }
  std::uint32_t* last = &nodes_[at].pattern;
  while (*last != kNone) last = &equal_[*last];
  *last = number;
}

// Breadth first: a node's fallback is less deep than itself.
void PatternSet::connect() {
  std::vector<State> queue{kStart};
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const State parent = queue[i];
    for (State child = nodes_[parent].child; child != kStart; child = nodes_[child].sibling) {
      queue.push_back(child);
      if (parent == kStart) continue;
      const State to = next(nodes_[parent].fallback, static_cast<char>(nodes_[child].byte));
      nodes_[child].fallback = to;
      nodes_[child].shorter = nodes_[to].pattern != kNone ? to : nodes_[to].shorter;
    }
  }
}

PatternSet::State PatternSet::next(State state, char byte) const noexcept {
  while (state != kStart) {
    const State child = child_of(state, fold(byte));
    if (child != kStart) return child;
    state = nodes_[state].fallback;
  }
  return roots_[static_cast<unsigned char>(byte)];
}

}  // namespace filter
