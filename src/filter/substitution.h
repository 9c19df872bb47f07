// Substitution: finds patterns in a text that comes in pieces, and gives out the text with what
// stands for them. The match that begins first counts, of several at one place the first in the
// configuration; the search goes on behind it. Knows nothing of HTTP.
//
// It holds back what may be the beginning of a match: less than the longest pattern.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filter/pattern_set.h"

namespace filter {

class Substitution {
 public:
  enum class Times : std::uint8_t { always, once };  // each pattern
  /// What pattern `number` becomes; called at each match. Nothing: the text can't go on.
  using Replacement = std::function<std::optional<std::string_view>(std::uint32_t number)>;

  /// `patterns` outlives it.
  Substitution(const PatternSet& patterns, Times times, Replacement replacement);

  /// Where run() stops taking: `out` may pass it by one replacement and one pattern.
  static constexpr std::size_t kRoom = std::size_t{64} * 1024;

  /// Appends to `out`; how much of `piece` was taken. All of it, unless `out` is full: then again,
  /// with the rest, when that has gone. Nothing: a replacement failed.
  [[nodiscard]] std::optional<std::size_t> run(std::string_view piece, std::string& out);
  /// Behind the last piece. False: `out` is full, and there is more.
  [[nodiscard]] std::optional<bool> finish(std::string& out);

 private:
  struct Candidate {
    std::size_t begin;  // in held_
    std::uint32_t number;
  };
  [[nodiscard]] bool drain(std::string& out);
  [[nodiscard]] bool step(std::string& out);
  [[nodiscard]] bool resolve(std::string& out);
  void let_go(std::size_t until, std::string& out);
  void note_match();
  // No match can come any more that counts before the candidate.
  [[nodiscard]] bool is_decided() const noexcept;
  [[nodiscard]] std::size_t live_begin() const noexcept {
    return scanned_ - patterns_.depth(state_);
  }

  const PatternSet& patterns_;
  Times times_;
  Replacement replacement_;
  std::vector<bool> used_;  // of Times::once
  std::size_t unused_;
  PatternSet::State state_ = PatternSet::kStart;
  // [begin_, scanned_) was scanned and is held back; what is behind was, and is again since a match
  // has ended before it. begin_ <= scanned_ <= held_.size()
  std::string held_;
  std::size_t begin_ = 0;
  std::size_t scanned_ = 0;
  std::optional<Candidate> candidate_;
};

}  // namespace filter
