#include "base/siphash.h"

#include <bit>
#include <cstddef>
#include <cstring>

#include "base/random.h"

namespace base {
namespace {

static_assert(std::endian::native == std::endian::little);

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void round() noexcept {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t word) noexcept {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  [[nodiscard]] std::uint64_t finish() noexcept {
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

SipKey random_sip_key() noexcept { return {random_u64(), random_u64()}; }

Hash128 siphash128(const SipKey& key, std::string_view text) noexcept {
  SipState state{0x736f6d6570736575U ^ key[0], 0x646f72616e646f6dU ^ key[1] ^ 0xeeU,
                 0x6c7967656e657261U ^ key[0], 0x7465646279746573U ^ key[1]};
  const std::size_t size = text.size();
  for (; text.size() >= 8; text.remove_prefix(8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    state.take(word);
  }
  // The last word has the bytes that are left and, on top, the size's lowest byte.
  std::uint64_t last = static_cast<std::uint64_t>(size) << 56U;
  for (std::size_t i = 0; i < text.size(); ++i) {
    last |= static_cast<std::uint64_t>(static_cast<unsigned char>(text[i])) << (8 * i);
  }
  state.take(last);
  state.v2 ^= 0xeeU;
  const std::uint64_t low = state.finish();
  state.v1 ^= 0xddU;
  return {.low = low, .high = state.finish()};
}

}  // namespace base
