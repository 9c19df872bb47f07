#include "server/recent.h"

namespace server {

void Recent::sample(std::span<const observe::Reading> readings, base::TimePoint now) {
  Sample sample{.at = now, .values = {}};
  sample.values.reserve(readings.size());
  for (const observe::Reading& reading : readings) sample.values.push_back(reading.value);
  samples_.push_back(std::move(sample));
  // The one before the window stays: the window begins within its pause.
  while (samples_.size() > 1 && samples_[1].at + kLately <= now) samples_.pop_front();
}

std::vector<std::uint64_t> Recent::since(std::span<const observe::Reading> readings,
                                         base::TimePoint now) const {
  std::vector<std::uint64_t> risen(readings.size());
  const Sample* from = nullptr;
  for (const Sample& sample : samples_) {
    if (from == nullptr || sample.at + kLately <= now) from = &sample;
  }
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const std::uint64_t before = from != nullptr && i < from->values.size() ? from->values[i] : 0;
    risen[i] = readings[i].value > before ? readings[i].value - before : 0;
  }
  return risen;
}

}  // namespace server
