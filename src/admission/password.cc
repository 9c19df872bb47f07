#include "admission/password.h"

#include <crypt.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/constant_time.h"
#include "tls/digest.h"

namespace admission {
namespace {

using base::equal_in_constant_time;
using tls::Digest;

constexpr std::string_view kPlain = "{PLAIN}";
constexpr std::string_view kSha = "{SHA}";
constexpr std::string_view kSaltedSha = "{SSHA}";
constexpr std::string_view kApr1 = "$apr1$";
constexpr std::size_t kSha1Size = 20;

std::optional<std::string> decode_base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  unsigned pending = 0;  // bits not yet given out, < 8
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    pending += 6;
    if (pending < 8) continue;
    pending -= 8;
    out += static_cast<char>((bits >> pending) & 0xffU);
  }
  return out;
}

// What follows the digest is its salt.
bool matches_sha(std::string_view encoded, std::string_view password) {
  const auto stored = decode_base64(encoded);
  if (!stored || stored->size() < kSha1Size) return false;
  const std::string_view whole = *stored;
  const std::string computed =
      Digest(Digest::Kind::sha1).add(password).add(whole.substr(kSha1Size)).finish();
  return equal_in_constant_time(computed, whole.substr(0, kSha1Size));
}

// Poul-Henning Kamp's MD5 password scheme in Apache's variant: the magic is "$apr1$".
std::string apr1_digest(std::string_view password, std::string_view salt) {
  Digest inner(Digest::Kind::md5);
  Digest outer(Digest::Kind::md5);
  std::string result = inner.add(password).add(salt).add(password).finish();
  outer.add(password).add(kApr1).add(salt);
  for (std::size_t left = password.size(); left > 0;) {
    const std::size_t piece = std::min(left, result.size());
    outer.add(std::string_view(result).substr(0, piece));
    left -= piece;
  }
  constexpr std::string_view kZero("\0", 1);
  for (std::size_t bits = password.size(); bits > 0; bits >>= 1U) {
    outer.add((bits & 1U) != 0 ? kZero : password.substr(0, 1));
  }
  result = outer.finish();
  constexpr unsigned kRounds = 1000;
  for (unsigned round = 0; round < kRounds; ++round) {
    const bool odd = (round & 1U) != 0;
    inner.add(odd ? password : std::string_view(result));
    if (round % 3 != 0) inner.add(salt);
    if (round % 7 != 0) inner.add(password);
    inner.add(odd ? std::string_view(result) : password);
    result = inner.finish();
  }
  return result;
}

// Its own order of bytes, six bits at a time, the lowest first.
std::string apr1_text(std::string_view digest) {
  constexpr std::string_view kDigits =
      "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr std::array<std::array<std::size_t, 3>, 5> kGroups{
      {{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}}};
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(digest[i]));
  };
  std::string text;
  const auto put = [&](std::uint32_t bits, int count) {
    for (; count > 0; --count, bits >>= 6U) text += kDigits[bits & 63U];
  };
  for (const auto& [high, middle, low] : kGroups) {
    put(byte(high) << 16U | byte(middle) << 8U | byte(low), 4);
  }
  put(byte(11), 2);
  return text;
}

bool matches_apr1(std::string_view stored, std::string_view password) {
  constexpr std::size_t kLongestSalt = 8;
  stored.remove_prefix(kApr1.size());
  const std::size_t dollar = stored.find('$');
  const std::string_view salt = stored.substr(0, std::min({dollar, kLongestSalt, stored.size()}));
  if (dollar != salt.size()) return false;
  return equal_in_constant_time(apr1_text(apr1_digest(password, salt)), stored.substr(dollar + 1));
}

bool matches_crypt(std::string_view stored, std::string_view password) {
  const std::string setting(stored);
  std::string phrase(password);
  const auto data = std::make_unique<crypt_data>();
  const char* const computed = ::crypt_r(phrase.c_str(), setting.c_str(), data.get());
  const bool same =
      computed != nullptr && *computed != '*' && equal_in_constant_time(computed, stored);
  ::explicit_bzero(phrase.data(), phrase.size());
  ::explicit_bzero(data.get(), sizeof(crypt_data));
  return same;
}

}  // namespace

bool is_quick(std::string_view stored) noexcept {
  return stored.starts_with(kPlain) || stored.starts_with(kSha) || stored.starts_with(kSaltedSha);
}

bool matches_password(std::string_view stored, std::string_view password) {
  if (password.contains('\0') || stored.empty()) return false;
  if (stored.starts_with(kApr1)) return matches_apr1(stored, password);
  if (stored.starts_with(kPlain)) {
    return equal_in_constant_time(password, stored.substr(kPlain.size()));
  }
  if (stored.starts_with(kSaltedSha))
    return matches_sha(stored.substr(kSaltedSha.size()), password);
  if (stored.starts_with(kSha)) return matches_sha(stored.substr(kSha.size()), password);
  return matches_crypt(stored, password);
}

}  // namespace admission
