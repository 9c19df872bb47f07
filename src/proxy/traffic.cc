#include "proxy/traffic.h"

#include <algorithm>

namespace proxy {

void Traffic::count(unsigned status, std::uint64_t received, std::uint64_t sent) noexcept {
  ++requests;
  ++responses[std::clamp(status / 100, 1U, 5U) - 1];
  bytes_in += received;
  bytes_out += sent;
}

void Traffic::add(const Traffic& other) noexcept {
  requests += other.requests;
  for (std::size_t i = 0; i < responses.size(); ++i) responses[i] += other.responses[i];
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
}

TrafficTable::TrafficTable(std::size_t size) {
  all_.reserve(size);
  for (std::size_t i = 0; i < size; ++i) all_.push_back(std::make_shared<Traffic>());
}

std::vector<Traffic> TrafficTable::copy() const {
  std::vector<Traffic> copies;
  copies.reserve(all_.size());
  for (const auto& each : all_) copies.push_back(*each);
  return copies;
}

void TrafficTable::continue_from(const TrafficTable& older, std::span<const std::size_t> former) {
  for (std::size_t i = 0; i < all_.size() && i < former.size(); ++i) {
    if (former[i] < older.all_.size()) all_[i] = older.all_[former[i]];
  }
}

}  // namespace proxy
