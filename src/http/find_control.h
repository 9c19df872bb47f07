// find_control: the one scan over bytes from the wire: where is the next control byte? It finds
// line ends and forbidden bytes in the same pass, sixteen bytes at a time where the processor can.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/characters.h"

#if defined(__SSE2__)
#include <emmintrin.h>

#include <bit>
#endif

namespace http {

/// The first control byte other than HTAB (below 0x20, or 0x7f) at or after `from`; text.size() if
/// there is none.
[[nodiscard]] inline std::size_t find_control(std::string_view text, std::size_t from) noexcept {
  std::size_t i = from;
#if defined(__SSE2__)
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; text.size() - i >= 16; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.substr(i).data()));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i control =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), low), _mm_cmpeq_epi8(bytes, del));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(control));
    if (mask != 0) return i + static_cast<std::size_t>(std::countr_zero(mask));
  }
#endif
  while (i < text.size() && character_class::is(text[i], character_class::kValue)) ++i;
  return i;
}

}  // namespace http
