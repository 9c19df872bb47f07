// Byte ranges: what a Range field asks of a body whose length is known (RFC 9110 §14.1.2, §14.2),
// by nginx's rules where the RFC leaves a choice:
//
//   bytes=0-9,20-29,-5      these, in this order; overlapping ones are not merged
//   bytes=90-               to the end;  bytes=-5  the last five;  ends beyond the length are cut
//   a range that begins behind the end is left out; if none is left, or the text is no list of
//   ranges, 416 tells the length
//   more than `most` ranges, or more bytes than there are: the whole body, with 200
//
// A client decides how many ranges there are, and each costs a part's header and a read: `most`
// keeps a request of 8 KB from asking for thousands (threats.md #21).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"

namespace content {

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;  // behind the last byte: first < end <= length
  bool operator==(const ByteRange&) const = default;
};

struct ByteRanges {
  enum class Kind : std::uint8_t { whole, parts, unsatisfiable };
  Kind kind = Kind::whole;
  bool too_many = false;  // that is why it is the whole
  std::span<const ByteRange> parts{};  // in the arena; 1 <= parts.size() <= most
};

/// `field` is the value of Range. Units other than bytes are the whole. Linear time.
[[nodiscard]] ByteRanges parse_byte_ranges(std::string_view field, std::uint64_t length,
                                           std::uint64_t most, base::Arena& arena);

}  // namespace content
