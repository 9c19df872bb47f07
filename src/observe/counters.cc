#include "observe/counters.h"

#include "base/check.h"

namespace observe {
namespace {

struct Description {
  std::string_view name;
  CounterKind kind;
  std::string_view help;
};
constexpr Description kDescriptions[] = {
#define SALLYPORT_COUNTER(name, kind, help) {#name, CounterKind::kind, help},
    SALLYPORT_COUNTERS(SALLYPORT_COUNTER)
#undef SALLYPORT_COUNTER
};
static_assert(std::size(kDescriptions) == kCounterCount);

const Description& describe(Counter counter) noexcept {
  return kDescriptions[static_cast<std::size_t>(counter)];
}

}  // namespace

std::string_view name_of(Counter counter) noexcept { return describe(counter).name; }
std::string_view help_of(Counter counter) noexcept { return describe(counter).help; }
CounterKind kind_of(Counter counter) noexcept { return describe(counter).kind; }

Counter response_counter(unsigned status) noexcept {
  switch (status / 100) {
    case 1: return Counter::responses_1xx;
    case 2: return Counter::responses_2xx;
    case 3: return Counter::responses_3xx;
    case 4: return Counter::responses_4xx;
    default: return Counter::responses_5xx;
  }
}

FamilyId CounterLayout::add(const CounterFamily& family) {
  CHECK(family.label_of != nullptr || family.size == 0);
  FamilyId id;
  id.first_ = size_;
  id.size_ = family.size;
  size_ += family.size;
  families_.push_back(family);
  return id;
}

Counters::Counters(const CounterLayout& layout)
    : families_(std::make_unique<Cell[]>(layout.size())), family_size_(layout.size()) {}

std::uint64_t Counters::get(FamilyId family, std::size_t index) const noexcept {
  if (index >= family.size_ || family.first_ + index >= family_size_) return 0;
  return families_[family.first_ + index].load(std::memory_order_relaxed);
}

std::vector<Reading> read_all(const CounterLayout& layout,
                              std::span<const Counters* const> workers) {
  std::vector<Reading> readings;
  readings.reserve(kCounterCount + layout.size());
  for (std::size_t i = 0; i < kCounterCount; ++i) {
    std::uint64_t sum = 0;
    for (const Counters* worker : workers) sum += worker->get(static_cast<Counter>(i));
    const Description& known = kDescriptions[i];
    readings.push_back({.name = known.name, .help = known.help, .kind = known.kind, .value = sum});
  }
  std::size_t cell = 0;
  for (const CounterFamily& family : layout.families()) {
    for (std::size_t i = 0; i < family.size; ++i, ++cell) {
      std::uint64_t sum = 0;
      for (const Counters* worker : workers) {
        CHECK(cell < worker->family_size_);
        sum += worker->families_[cell].load(std::memory_order_relaxed);
      }
      readings.push_back({.name = family.name,
                          .help = family.help,
                          .label = family.label,
                          .label_value = family.label_of(i),
                          .value = sum});
    }
  }
  return readings;
}

}  // namespace observe
