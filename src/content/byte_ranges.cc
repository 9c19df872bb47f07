#include "content/byte_ranges.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>

#include "base/text.h"

namespace content {
namespace {

using Kind = ByteRanges::Kind;

constexpr std::uint64_t kMaxPosition = std::numeric_limits<std::int64_t>::max();

class Reader {
 public:
  explicit Reader(std::string_view text) noexcept : rest_(text) {}

  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
  [[nodiscard]] bool sees(char wanted) const noexcept { return rest_.starts_with(wanted); }
  [[nodiscard]] bool take(char wanted) noexcept {
    if (!sees(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_spaces() noexcept {
    while (take(' ')) {
    }
  }
  /// Digits, up to the largest file there can be.
  [[nodiscard]] std::optional<std::uint64_t> position() noexcept {
    const std::size_t digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    const auto value = base::parse_number<std::uint64_t>(rest_.substr(0, digits));
    rest_.remove_prefix(digits);
    return value && *value <= kMaxPosition ? value : std::nullopt;
  }

 private:
  std::string_view rest_;
};

// "5-9", "5-" or "-5", with the spaces around. Nothing: it is none. The range may be empty.
std::optional<ByteRange> read_range(Reader& reader, std::uint64_t length) {
  ByteRange range;
  reader.skip_spaces();
  const bool is_suffix = reader.take('-');
  if (!is_suffix) {
    const auto first = reader.position();
    reader.skip_spaces();
    if (!first || !reader.take('-')) return std::nullopt;
    reader.skip_spaces();
    range.first = *first;
    if (reader.at_end() || reader.sees(',')) {
      range.end = length;
      return range;
    }
  }
  const auto last = reader.position();
  reader.skip_spaces();
  if (!last || !(reader.at_end() || reader.sees(','))) return std::nullopt;
  if (is_suffix) {
    range.first = length - std::min(*last, length);
    range.end = length;
  } else {
    range.end = *last < length ? *last + 1 : length;
  }
  return range;
}

}  // namespace

ByteRanges parse_byte_ranges(std::string_view field, std::uint64_t length, std::uint64_t most,
                             base::Arena& arena) {
  constexpr std::string_view kUnit = "bytes=";
  if (most == 0 || field.size() <= kUnit.size() || !base::starts_with_ignoring_case(field, kUnit)) {
    return {};
  }
  field.remove_prefix(kUnit.size());
  const auto written = static_cast<std::uint64_t>(std::ranges::count(field, ',')) + 1;
  const auto parts = arena.make_array<ByteRange>(std::min(written, most));
  std::size_t count = 0;
  std::uint64_t bytes = 0;  // <= length + 1: what lies beyond does not matter
  Reader reader(field);
  do {
    const auto range = read_range(reader, length);
    if (!range) return {.kind = Kind::unsatisfiable};
    if (range->first >= range->end) {
      if (range->first == 0) return {};  // of an empty body, which has nothing to choose from
      continue;
    }
    if (count == parts.size()) return {.too_many = true};
    parts[count++] = *range;
    bytes = std::min(length + 1, bytes + (range->end - range->first));
  } while (reader.take(','));
  if (count == 0) return {.kind = Kind::unsatisfiable};
  if (bytes > length) return {};
  return {.kind = Kind::parts, .parts = parts.first(count)};
}

}  // namespace content
