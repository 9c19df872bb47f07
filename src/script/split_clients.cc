#include "script/split_clients.h"

namespace script {
namespace {

constexpr std::uint64_t kHashes = std::uint64_t{1} << 32U;
constexpr std::uint64_t kLargest = kHashes - 1;

}  // namespace

std::uint32_t murmur_hash2(std::string_view text) noexcept {
  constexpr std::uint32_t kMultiplier = 0x5bd1e995U;
  const auto byte = [](char c) { return std::uint32_t{static_cast<unsigned char>(c)}; };
  auto hash = static_cast<std::uint32_t>(text.size());
  while (text.size() >= 4) {
    std::uint32_t word =
        byte(text[0]) | byte(text[1]) << 8U | byte(text[2]) << 16U | byte(text[3]) << 24U;
    word *= kMultiplier;
    word ^= word >> 24U;
    word *= kMultiplier;
    hash = hash * kMultiplier ^ word;
    text.remove_prefix(4);
  }
  if (text.size() > 2) hash ^= byte(text[2]) << 16U;
  if (text.size() > 1) hash ^= byte(text[1]) << 8U;
  if (!text.empty()) hash = (hash ^ byte(text[0])) * kMultiplier;
  hash ^= hash >> 13U;
  hash *= kMultiplier;
  return hash ^ (hash >> 15U);
}

bool SplitClients::add(std::uint32_t hundredths, std::string value) {
  if (hundredths > kAll - total_) return false;
  total_ += hundredths;
  // As in nginx each share is rounded down, and what makes the sum full has the rest.
  if (total_ == kAll) {
    add_rest(std::move(value));
    return true;
  }
  const std::uint64_t begin = shares_.empty() ? 0 : shares_.back().end;
  shares_.push_back({begin + hundredths * kLargest / kAll, std::move(value)});
  return true;
}

void SplitClients::add_rest(std::string value) {
  total_ = kAll;
  shares_.push_back({kHashes, std::move(value)});
}

std::optional<std::string_view> SplitClients::compute(Subject& subject) const {
  const std::string_view text = key_.evaluate(subject);
  if (subject.failed) return std::nullopt;
  const std::uint32_t hash = murmur_hash2(text);
  for (const Share& share : shares_) {
    if (hash < share.end) return share.value;
  }
  return "";
}

}  // namespace script
