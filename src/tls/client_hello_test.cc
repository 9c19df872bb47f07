#include "tls/client_hello.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tls {
namespace {

using Bytes = std::vector<std::uint8_t>;

void put(Bytes& into, std::size_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) into.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}
Bytes with_size(const Bytes& body, std::size_t size) {
  Bytes whole;
  put(whole, body.size(), size);
  whole.insert(whole.end(), body.begin(), body.end());
  return whole;
}
Bytes numbers(const std::vector<std::uint16_t>& values) {
  Bytes bytes;
  for (const std::uint16_t value : values) put(bytes, value, 2);
  return bytes;
}

struct Extension {
  std::uint16_t type;
  Bytes body{};
};
Extension schemes(const std::vector<std::uint16_t>& values) {
  return {13, with_size(numbers(values), 2)};
}
Extension versions(const std::vector<std::uint16_t>& values) {
  return {43, with_size(numbers(values), 1)};
}
Extension alpn(const std::string& first) {
  return {16, with_size(with_size(Bytes(first.begin(), first.end()), 1), 2)};
}

Bytes hello(const std::vector<std::uint16_t>& ciphers, const std::vector<Extension>& extensions) {
  Bytes body{3, 3};
  body.resize(2 + 32);
  body.push_back(0);  // no session id
  const auto add = [&](const Bytes& part) { body.insert(body.end(), part.begin(), part.end()); };
  add(with_size(numbers(ciphers), 2));
  add({1, 0});  // no compression
  Bytes all;
  for (const Extension& extension : extensions) {
    put(all, extension.type, 2);
    const Bytes content = with_size(extension.body, 2);
    all.insert(all.end(), content.begin(), content.end());
  }
  if (!extensions.empty()) add(with_size(all, 2));
  Bytes message{1};
  const Bytes sized = with_size(body, 3);
  message.insert(message.end(), sized.begin(), sized.end());
  return message;
}

std::string fingerprint(const std::vector<std::uint16_t>& ciphers,
                        const std::vector<Extension>& extensions) {
  return ja4(ClientHello::parse(hello(ciphers, extensions)).value());
}

// What Chrome says, with which the specification of JA4 explains itself.
const std::vector<std::uint16_t> kChromesCiphers{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f,
                                                 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
                                                 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
std::vector<Extension> chromes_extensions() {
  return {{0x001b}, {0x0000},
          {0x0033}, alpn("h2"),
          {0x4469}, {0x0017},
          {0x002d}, schemes({0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601}),
          {0x0005}, {0x0023},
          {0x0012}, versions({0x0304, 0x0303}),
          {0xff01}, {0x000b},
          {0x000a}, {0x0015}};
}

TEST(Ja4, IsWhatItsSpecificationSays) {
  EXPECT_EQ(fingerprint(kChromesCiphers, chromes_extensions()),
            "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

TEST(Ja4, DoesNotDependOnTheOrderNorOnGrease) {
  auto ciphers = kChromesCiphers;
  std::ranges::reverse(ciphers);
  ciphers.insert(ciphers.begin(), 0x2a2a);
  auto extensions = chromes_extensions();
  std::ranges::reverse(extensions);
  extensions.insert(extensions.begin(), {0xfafa});
  EXPECT_EQ(fingerprint(ciphers, extensions), "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

TEST(Ja4, IgnoresGreaseAmongVersionsAndSignatures) {
  EXPECT_EQ(fingerprint({0x1301}, {versions({0xaaaa, 0x0304}), schemes({0x1a1a, 0x0403})}),
            fingerprint({0x1301}, {versions({0x0304}), schemes({0x0403})}));
}

TEST(Ja4, SaysThatThereIsNothing) {
  EXPECT_EQ(fingerprint({}, {}), "t12i000000_000000000000_000000000000");
}

TEST(Ja4, WritesOddProtocolsInHexadecimal) {
  const auto ends = [](const std::string& protocol) {
    return fingerprint({}, {alpn(protocol)}).substr(8, 2);
  };
  EXPECT_EQ(ends("http/1.1"), "h1");
  EXPECT_EQ(ends("h"), "hh");
  EXPECT_EQ(ends("\xab"), "ab");
  EXPECT_EQ(ends("\xab\xcd"), "ad");
  EXPECT_EQ(ends("0\xab"), "3b");
  EXPECT_EQ(ends(""), "00");
}

TEST(Ja4, CountsToNinetyNine) {
  std::vector<std::uint16_t> many;
  for (std::uint16_t cipher = 1; cipher <= 200; ++cipher) many.push_back(cipher);
  EXPECT_EQ(fingerprint(many, {}).substr(0, 8), "t12i9900");
}

TEST(ClientHello, ReadsWhatTheClientOffers) {
  const auto read = ClientHello::parse(hello(kChromesCiphers, chromes_extensions())).value();
  EXPECT_EQ(read.version, 0x0304);
  EXPECT_EQ(read.ciphers, kChromesCiphers);
  EXPECT_EQ(read.extensions.size(), 16U);
  EXPECT_EQ(read.signature_schemes.front(), 0x0403);
  EXPECT_EQ(read.alpn, "h2");
}

TEST(ClientHello, RefusesWhatIsCutAnywhere) {
  const Bytes whole = hello(kChromesCiphers, chromes_extensions());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ClientHello::parse(std::span(whole).first(size))) << size;
  }
}

TEST(ClientHello, RefusesOtherMessages) {
  Bytes message = hello({0x1301}, {});
  message.front() = 2;
  EXPECT_FALSE(ClientHello::parse(message));
}

TEST(ClientHello, RefusesListsOfOddSizes) {
  EXPECT_FALSE(ClientHello::parse(hello({}, {{13, {0, 3, 4, 3, 8}}})));
  EXPECT_FALSE(ClientHello::parse(hello({}, {{43, {3, 3, 4, 3}}})));
}

TEST(SignatureSchemes, HaveNames) {
  EXPECT_EQ(name_of_signature_scheme(0x0403), "ecdsa_secp256r1_sha256");
  EXPECT_EQ(name_of_signature_scheme(0x1a1a), "");
}

}  // namespace
}  // namespace tls
