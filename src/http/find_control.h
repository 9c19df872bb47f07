// The scans over heads for control bytes: where is the next one (line ends and forbidden bytes,
// found in the same pass), and how many are there? Sixteen bytes at a time where the processor can.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/characters.h"

#if defined(__SSE2__)
#include <emmintrin.h>

#include <bit>
#endif

namespace http {

#if defined(__SSE2__)
namespace detail {
inline constexpr std::size_t kControlBlock = 16;

/// 0xff where a control byte other than HTAB stands, else 0; of the sixteen bytes at `from`, which
/// must be there.
[[nodiscard]] inline __m128i controls(std::string_view text, std::size_t from) noexcept {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.substr(from).data()));
  const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  return _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')), low),
                      _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
}

/// A bit for each of the same, the first byte's the lowest.
[[nodiscard]] inline unsigned control_bits(std::string_view text, std::size_t from) noexcept {
  return static_cast<unsigned>(_mm_movemask_epi8(controls(text, from)));
}

/// The last block's bits, less those of bytes before `from`: what is left of a text is looked at
/// with what stands before it.
[[nodiscard]] inline unsigned last_control_bits(std::string_view text, std::size_t from) noexcept {
  const std::size_t last = text.size() - kControlBlock;
  return control_bits(text, last) & (~0U << (from - last));
}
}  // namespace detail
#endif

/// The first control byte other than HTAB (below 0x20, or 0x7f) at or after `from`, which is at
/// most text.size(); text.size() if there is none.
[[nodiscard]] inline std::size_t find_control(std::string_view text, std::size_t from) noexcept {
  std::size_t i = from;
#if defined(__SSE2__)
  using detail::kControlBlock;
  for (; text.size() - i >= kControlBlock; i += kControlBlock) {
    const unsigned bits = detail::control_bits(text, i);
    if (bits != 0) return i + static_cast<std::size_t>(std::countr_zero(bits));
  }
  if (text.size() >= kControlBlock) {
    const unsigned bits = i < text.size() ? detail::last_control_bits(text, i) : 0;
    if (bits == 0) return text.size();
    return text.size() - kControlBlock + static_cast<std::size_t>(std::countr_zero(bits));
  }
#endif
  while (i < text.size() && character_class::is(text[i], character_class::kValue)) ++i;
  return i;
}

/// How many control bytes other than HTAB there are.
[[nodiscard]] inline std::size_t count_controls(std::string_view text) noexcept {
  std::size_t count = 0;
  std::size_t i = 0;
#if defined(__SSE2__)
  using detail::kControlBlock;
  __m128i sums = _mm_setzero_si128();
  for (; text.size() - i >= kControlBlock; i += kControlBlock) {
    const __m128i ones = _mm_sub_epi8(_mm_setzero_si128(), detail::controls(text, i));
    sums = _mm_add_epi64(sums, _mm_sad_epu8(ones, _mm_setzero_si128()));
  }
  count = static_cast<std::size_t>(_mm_cvtsi128_si64(sums) +
                                   _mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums)));
  if (text.size() >= kControlBlock) {
    const unsigned bits = i < text.size() ? detail::last_control_bits(text, i) : 0;
    return count + static_cast<std::size_t>(std::popcount(bits));
  }
#endif
  for (; i < text.size(); ++i)
    count += character_class::is(text[i], character_class::kValue) ? 0 : 1;
  return count;
}

}  // namespace http
