// needs: content
// Range, If-Range and the lists of tags: any text, any length. Ranges are judged against a slow
// reference that takes the list apart first and reads numbers after.
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "content/byte_ranges.h"
#include "content/preconditions.h"

namespace {

using content::ByteRange;
using content::ByteRanges;
using Kind = ByteRanges::Kind;

// Of digits alone, up to 2^63 - 1.
std::optional<std::uint64_t> number(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return {};
  while (text.size() > 1 && text.front() == '0') text.remove_prefix(1);
  if (text.size() > 19) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return {};
  return value;
}

std::string_view without_spaces(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

struct Reference {
  Kind kind = Kind::whole;
  std::vector<ByteRange> parts;
};

Reference reference(std::string_view field, std::uint64_t length, std::uint64_t most) {
  if (field.size() < 7 || base::lower(field.substr(0, 6)) != "bytes=") return {};
  field.remove_prefix(6);
  Reference result{.kind = Kind::parts, .parts = {}};
  for (bool last = false; !last;) {
    last = field.find(',') == std::string_view::npos;
    const std::string_view item = base::split_first(field, ',');
    const std::size_t dash = item.find('-');
    if (dash == std::string_view::npos) return {.kind = Kind::unsatisfiable, .parts = {}};
    const std::string_view before = without_spaces(item.substr(0, dash));
    const std::string_view after = without_spaces(item.substr(dash + 1));
    const auto first = number(before);
    const auto end = number(after);
    const bool suffix = before.empty();
    // "- 5" is no suffix: nothing may stand between the dash and its number.
    const bool gap = suffix && item.substr(dash + 1).starts_with(' ');
    if (gap || (!suffix && !first) || (!end && (suffix || !after.empty()))) {
      return {.kind = Kind::unsatisfiable, .parts = {}};
    }
    ByteRange range;
    range.first = suffix ? (*end < length ? length - *end : 0) : *first;
    range.end = suffix || !end || *end >= length ? length : *end + 1;
    if (range.first < range.end) {
      if (result.parts.size() == most) return {};
      result.parts.push_back(range);
    } else if (range.first == 0) {
      return {};
    }
  }
  if (result.parts.empty()) return {.kind = Kind::unsatisfiable, .parts = {}};
  std::uint64_t left = length;
  for (const ByteRange& range : result.parts) {
    if (range.end - range.first > left) return {};
    left -= range.end - range.first;
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::uint64_t kLengths[] = {0, 1, 10, 100, std::numeric_limits<std::int64_t>::max()};
  const std::uint64_t length = kLengths[data[0] % std::size(kLengths)];
  const std::uint64_t most = data[0] % 7 + 1;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const std::string& field : {text, "bytes=" + text}) {
    base::Arena arena;
    const ByteRanges ranges = content::parse_byte_ranges(field, length, most, arena);
    const Reference expected = reference(field, length, most);
    CHECK(ranges.kind == expected.kind);
    CHECK((ranges.kind == Kind::parts) == !ranges.parts.empty());
    if (ranges.kind == Kind::parts) CHECK(std::ranges::equal(ranges.parts, expected.parts));
  }
  base::Arena arena;
  http::Fields fields(arena);
  for (const std::string_view name :
       {"If-Match", "If-None-Match", "If-Range", "If-Modified-Since", "If-Unmodified-Since"}) {
    fields.clear();
    CHECK(fields.add(name, text));
    const content::Validators file{.modified = 784111777, .etag = "\"2ebc98a1-64\""};
    static_cast<void>(content::check_preconditions(fields, file));
    static_cast<void>(content::allows_range(fields, file));
  }
  return 0;
}
