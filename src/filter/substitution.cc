#include "filter/substitution.h"

#include <algorithm>
#include <utility>

namespace filter {

Substitution::Substitution(const PatternSet& patterns, Times times, Replacement replacement)
    : patterns_(patterns),
      times_(times),
      replacement_(std::move(replacement)),
      used_(patterns.count()),
      unused_(patterns.count()) {}

std::optional<std::size_t> Substitution::run(std::string_view piece, std::string& out) {
  std::size_t taken = 0;
  while (true) {
    if (!drain(out)) return std::nullopt;
    if (out.size() >= kRoom || taken == piece.size()) return taken;
    if (unused_ == 0) {
      out.append(piece.substr(taken));
      return piece.size();
    }
    if (held_.empty()) {
      const auto rest = piece.substr(taken);
      const auto first =
          std::ranges::find_if(rest, [&](char byte) { return patterns_.begins(byte); });
      const auto count = static_cast<std::size_t>(first - rest.begin());
      out.append(rest.substr(0, count));
      taken += count;
      if (taken == piece.size()) return taken;
    }
    held_.push_back(piece[taken++]);
  }
}

std::optional<bool> Substitution::finish(std::string& out) {
  while (true) {
    if (!drain(out)) return std::nullopt;
    if (scanned_ < held_.size()) return false;
    if (!candidate_) break;
    if (out.size() >= kRoom) return false;
    if (!resolve(out)) return std::nullopt;
  }
  let_go(held_.size(), out);
  state_ = PatternSet::kStart;
  return true;
}

bool Substitution::drain(std::string& out) {
  while (scanned_ < held_.size() && out.size() < kRoom) {
    if (!step(out)) return false;
  }
  return true;
}

bool Substitution::step(std::string& out) {
  state_ = patterns_.next(state_, held_[scanned_++]);
  note_match();
  if (candidate_ && is_decided()) return resolve(out);
  let_go(candidate_ ? std::min(live_begin(), candidate_->begin) : live_begin(), out);
  return true;
}

void Substitution::note_match() {
  patterns_.each_match(state_, [&](std::uint32_t number) {
    if (used_[number]) return false;
    const std::size_t begin = scanned_ - patterns_.size_of(number);
    if (!candidate_ || begin < candidate_->begin ||
        (begin == candidate_->begin && number < candidate_->number)) {
      candidate_ = {.begin = begin, .number = number};
    }
    return true;  // others that end here begin later
  });
}

bool Substitution::is_decided() const noexcept {
  const std::size_t live = live_begin();
  return live > candidate_->begin ||
         (live == candidate_->begin && patterns_.lowest_ahead(state_) >= candidate_->number);
}

bool Substitution::resolve(std::string& out) {
  const Candidate match = *std::exchange(candidate_, std::nullopt);
  const std::size_t end = match.begin + patterns_.size_of(match.number);
  out.append(held_, begin_, match.begin - begin_);
  const auto text = replacement_(match.number);
  if (!text) return false;
  out.append(*text);
  if (times_ == Times::once) {
    used_[match.number] = true;
    --unused_;
  }
  state_ = PatternSet::kStart;
  begin_ = end;
  scanned_ = unused_ > 0 ? end : held_.size();
  let_go(unused_ > 0 ? end : held_.size(), out);
  return true;
}

void Substitution::let_go(std::size_t until, std::string& out) {
  constexpr std::size_t kWorthMoving = 4096;
  out.append(held_, begin_, until - begin_);
  begin_ = until;
  if (begin_ != held_.size() && (begin_ < kWorthMoving || begin_ < held_.size() / 2)) return;
  held_.erase(0, begin_);
  scanned_ -= begin_;
  if (candidate_) candidate_->begin -= begin_;
  begin_ = 0;
}

}  // namespace filter
