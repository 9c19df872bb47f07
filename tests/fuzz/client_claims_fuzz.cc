// needs: snapshot_testing
// What clients bring to be known or let in by: the cookie of `userid`, links of `secure_link` both
// ways, names and passwords. Any bytes, and right ones of which some were changed. What the program
// makes of them is compared with a slow reading of the formats.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "base/check.h"
#include "base/text.h"
#include "input.h"
#include "snapshot/testing/proxy_world.h"
#include "tls/digest.h"

namespace {

constexpr std::string_view kSite = R"(http {
  userid on; userid_name id; userid_mark m;
  server {
    listen 127.0.0.1:8000;
    location / {
      secure_link $arg_h,$arg_e;
      secure_link_md5 "$secure_link_expires$uri secret";
      return 200 "[$uid_got][$uid_set][$secure_link][$secure_link_expires]$remote_user";
    }
    location /p/ { secure_link_secret word; return 200 "$secure_link"; }
  }
})";
constexpr std::size_t kDigits = 22;  // of 16 bytes in base64

std::string md5(std::string_view text) {
  return tls::Digest(tls::Digest::Kind::md5).add(text).finish();
}

std::string base64url(std::string_view bytes) {
  std::string text = base::encode_base64(bytes);
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text.substr(0, kDigits);
}

// The right one, or with one byte changed, or any.
std::string claim(Input& input, std::string right) {
  switch (input.byte() % 3) {
    case 0: return right;
    case 1: right[input.byte() % right.size()] = static_cast<char>(input.byte()); return right;
    default: return std::string(input.text(input.byte() % 64));
  }
}

// The body of a 200; nothing for a refusal, which is one.
std::optional<std::string> ask(const std::string& request) {
  static snapshot::testing::ProxyWorld world(kSite);
  snapshot::testing::Peer client = world.connect();
  client.send(request);
  const std::string answer = client.received();
  CHECK(client.is_over());
  CHECK(answer.starts_with("HTTP/1.1 "));
  if (!answer.starts_with("HTTP/1.1 200 ")) {
    CHECK(answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505 "));
    return std::nullopt;
  }
  const std::size_t end = answer.find("\r\n\r\n");
  CHECK(end != std::string::npos);
  return answer.substr(end + 4);
}

// The numbers of a cookie as nginx shows them; nothing for one that is no id.
std::optional<std::string> shown_id(std::string_view cookie) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<std::uint8_t, 16> bytes{};
  unsigned bits = 0;
  std::size_t made = 0;
  std::uint32_t value = 0;
  std::string_view digits = cookie.substr(0, kDigits);
  digits = digits.substr(0, digits.find('='));  // what stands behind padding does not count
  if (digits.size() % 4 == 1) return std::nullopt;
  for (const char digit : digits) {
    const std::size_t place = kAlphabet.find(digit);
    if (place == std::string_view::npos) return std::nullopt;
    value = value << 6U | static_cast<std::uint32_t>(place);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    if (made < bytes.size()) bytes.at(made++) = static_cast<std::uint8_t>(value >> bits);
  }
  std::array<std::uint32_t, 4> words{};
  std::memcpy(words.data(), bytes.data(), bytes.size());
  if (words[3] == 0) return std::nullopt;
  return fmt::format("id={:08X}{:08X}{:08X}{:08X}", words[0], words[1], words[2], words[3]);
}

std::string next_part(std::string_view& text) {
  CHECK(text.starts_with('['));
  text.remove_prefix(1);
  return std::string(base::split_first(text, ']'));
}

void check_cookie(std::string_view cookie, const std::string& got, const std::string& set) {
  CHECK(!got.empty() || !set.empty());
  // Without these the cookie is the value as it stands.
  if (cookie.size() < kDigits || cookie.find_first_of(" \t;\"\\") != std::string_view::npos) return;
  const auto expected = shown_id(cookie);
  CHECK(got == expected.value_or(""));
  const bool marked = cookie.size() > kDigits + 1 && cookie.substr(kDigits, 2) == "m=";
  if (expected) CHECK(set == (marked ? "" : got));
}

void check_link(std::string_view hash, std::string_view right, std::string_view link,
                bool has_time) {
  // Padding and the last bits of the last digit do not count.
  if (!link.empty()) CHECK(hash.starts_with(right.substr(0, kDigits - 1)));
  if (has_time && hash == right) CHECK(!link.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::string cookie =
      claim(input, base::encode_base64(std::string(input.text(12)) + "1234"));
  const std::string expires = claim(input, "1893456000");
  const std::string hash = claim(input, base64url(md5(expires + "/x secret")));
  const std::string user = claim(input, base::encode_base64("user:password"));
  const auto answer = ask(
      fmt::format("GET /x?h={}&e={} HTTP/1.0\r\nCookie: id={}\r\nAuthorization: Basic {}\r\n\r\n",
                  hash, expires, cookie, user));
  if (answer) {
    std::string_view rest = *answer;
    const std::string got = next_part(rest);
    const std::string set = next_part(rest);
    const std::string link = next_part(rest);
    const std::string until = next_part(rest);
    check_cookie(cookie, got, set);
    CHECK(link.empty() || link == "0" || link == "1");
    // Not where the texts themselves are cut into arguments, or into a hash and a time.
    if ((hash + expires).find_first_of("&,#? ") == std::string::npos) {
      CHECK(until.empty() || until == expires);
      check_link(hash, base64url(md5(expires + "/x secret")), link, !until.empty());
    }
  }

  const std::string link = "a/" + std::string(input.text(8));
  std::string digits;
  for (const char byte : md5(link + "word")) {
    digits += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  }
  const std::string given = claim(input, digits);
  const auto page = ask(fmt::format("GET /p/{}/{} HTTP/1.0\r\n\r\n", given, link));
  // A hash like ".." leads to the other location.
  if (page && !page->empty() && !page->starts_with('[')) {
    CHECK(base::equal_ignoring_case(given, digits) && *page == link);
  }
  return 0;
}
