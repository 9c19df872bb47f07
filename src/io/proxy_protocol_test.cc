#include "io/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>

namespace io {
namespace {

using namespace std::string_literals;
using Origin = ProxyHeader::Origin;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string v2(char command, char family, std::string_view block) {
  return kSignature + command + family + static_cast<char>(block.size() / 256) +
         static_cast<char>(block.size() % 256) + std::string(block);
}

const std::string kAddresses4 = "\xC0\x00\x02\x01\xC6\x33\x64\x07\xDC\x04\x01\xBB"s;

/// Gives the parser what it wants, as read_proxy_header does. `taken` is how much that was.
ProxyProgress feed(std::string_view bytes, ProxyHeader& header, std::size_t* taken = nullptr) {
  std::size_t given = 0;
  while (true) {
    const ProxyProgress progress = parse_proxy_header(bytes.substr(0, given), header);
    if (taken != nullptr) *taken = given;
    if (progress.wanted == 0 || given + progress.wanted > bytes.size()) return progress;
    given += progress.wanted;
  }
}
ProxyDefect defect_of(std::string_view bytes) {
  ProxyHeader header;
  return feed(bytes, header).defect;
}

TEST(ProxyHeader1, TellsBothEndsOfTheConnection) {
  ProxyHeader header;
  EXPECT_TRUE(feed("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", header).done());
  EXPECT_EQ(header.origin, Origin::client);
  EXPECT_EQ(header.source.text(), "192.0.2.1:56324");
  EXPECT_EQ(header.destination.text(), "198.51.100.7:443");
  EXPECT_TRUE(feed("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", header).done());
  EXPECT_EQ(header.source.text(), "[2001:db8::1]:65535");
  EXPECT_EQ(header.destination.text(), "[::1]:0");
}

TEST(ProxyHeader1, LeavesWhatFollowsItAlone) {
  for (const auto* line :
       {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n", "PROXY TCP6 :: ::1 65535 65535\r\n",
        "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"}) {
    ProxyHeader header;
    std::size_t taken = 0;
    const auto progress = feed(line + "GET / HTTP/1.1\r\n\r\n"s, header, &taken);
    EXPECT_EQ(progress.size, std::string_view(line).size()) << line;
    EXPECT_EQ(taken, progress.size) << line;
  }
}

TEST(ProxyHeader1, SaysNothingOfTheClientIfItIsUnknown) {
  ProxyHeader header;
  EXPECT_TRUE(feed("PROXY UNKNOWN 1.1.1.1 2.2.2.2 1 2\r\n", header).done());
  EXPECT_EQ(header.origin, Origin::local);
  EXPECT_FALSE(header.source.is_ip());
}

TEST(ProxyHeader1, IsRefusedUnlessItIsExactlyAsTheProtocolSays) {
  for (const auto& line :
       {"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n"s, "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n"s,
        "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n"s, "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n"s,
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n"s, "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n"s,
        "PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n"s, "PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n"s,
        "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n"s, "PROXY TCP4 ::1 ::1 1 2\r\n"s,
        "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n"s, "PROXY TCP6 [::1] ::1 1 2\r\n"s,
        "PROXY TCP4 1.1.1.1\0 2.2.2.2 1 2\r\n"s, "PROXY TCP4 1.1.1.1 localhost 1 2\r\n"s,
        "PROXY UNKNOWNX\r\n"s, "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\r\n"s,
        "PROXY TCP4 "s + std::string(200, '1') + "\r\n"}) {
    // A line that is too short is noticed when more has come.
    EXPECT_EQ(defect_of(line + "GET / HTTP/1.1\r\n"), ProxyDefect::line) << line;
  }
}

TEST(ProxyHeader, IsRefusedAsSoonAsItCannotBecomeOne) {
  for (const auto& bytes : {"GET / HTTP/1.1\r\n"s, "\x16\x03\x01"s, "proxy TCP4"s, "PROXY UDP4 "s,
                            "PROXY TCP5"s, "\r\n\r\n\0\r\nQUIX"s, "\n"s}) {
    ProxyHeader header;
    EXPECT_EQ(parse_proxy_header(bytes, header).defect, ProxyDefect::signature) << bytes;
  }
  ProxyHeader header;
  EXPECT_EQ(parse_proxy_header("", header).wanted, 15U);
  EXPECT_EQ(parse_proxy_header("PRO", header).wanted, 12U);
}

TEST(ProxyHeader2, TellsBothEndsOfTheConnection) {
  ProxyHeader header;
  EXPECT_TRUE(feed(v2('\x21', '\x11', kAddresses4), header).done());
  EXPECT_EQ(header.origin, Origin::client);
  EXPECT_EQ(header.source.text(), "192.0.2.1:56324");
  EXPECT_EQ(header.destination.text(), "198.51.100.7:443");
  const std::string one = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + '\x01';
  EXPECT_TRUE(
      feed(v2('\x21', '\x21', one + std::string(15, '\0') + "\x01\x00\x50\x01\xBB"s), header)
          .done());
  EXPECT_EQ(header.source.text(), "[2001:db8::1]:80");
  EXPECT_EQ(header.destination.text(), "[::1]:443");
}

TEST(ProxyHeader2, KnowsUnixSockets) {
  std::string paths(216, '\0');
  paths.replace(0, 6, "/run/a");
  ProxyHeader header;
  EXPECT_TRUE(feed(v2('\x21', '\x31', paths), header).done());
  EXPECT_EQ(header.source.text(), "unix:/run/a");
  EXPECT_TRUE(header.destination.is_unix());
  EXPECT_EQ(header.destination.ip_text(), "unix:");
}

TEST(ProxyHeader2, KeepsItsTlvsAndLeavesWhatFollows) {
  const std::string tlvs = "\x01\x00\x02h2\x04\x00\x00\xEA\x00\x03xyz"s;
  const std::string whole = v2('\x21', '\x11', kAddresses4 + tlvs);
  const std::string sent = whole + "\x16\x03\x01 and more";
  ProxyHeader header;
  std::size_t taken = 0;
  const auto progress = feed(sent, header, &taken);
  EXPECT_EQ(progress.size, whole.size());
  EXPECT_EQ(taken, whole.size());
  EXPECT_EQ(header.tlvs, tlvs);
}

TEST(ProxyHeader2, OfTheProxyItselfSaysNothingAndIsNotLookedInto) {
  for (const auto& bytes : {v2('\x20', '\0', ""), v2('\x20', '\x11', kAddresses4),
                            v2('\x20', '\x77', "\xFF\xFF"), v2('\x21', '\0', "anything")}) {
    ProxyHeader header;
    EXPECT_TRUE(feed(bytes, header).done());
    EXPECT_EQ(header.origin, Origin::local);
    EXPECT_FALSE(header.source.is_ip());
  }
}

TEST(ProxyHeader2, IsRefusedUnlessItIsExactlyAsTheProtocolSays) {
  EXPECT_EQ(defect_of(v2('\x11', '\x11', kAddresses4)), ProxyDefect::version);
  EXPECT_EQ(defect_of(v2('\x22', '\x11', kAddresses4)), ProxyDefect::command);
  for (const char family : {'\x01', '\x10', '\x13', '\x41', '\x33'}) {
    EXPECT_EQ(defect_of(v2('\x21', family, kAddresses4)), ProxyDefect::family);
  }
  EXPECT_EQ(defect_of(v2('\x21', '\x11', kAddresses4.substr(1))), ProxyDefect::addresses);
  EXPECT_EQ(defect_of(v2('\x21', '\x21', kAddresses4)), ProxyDefect::addresses);
  for (const auto& tlvs : {"\x01"s, "\x01\x00"s, "\x01\x00\x01"s, "\x01\x00\x01z\x02"s,
                           "\x01\xFF\xFFz"s, "\x03\x00\x03zzz"s}) {
    EXPECT_EQ(defect_of(v2('\x21', '\x11', kAddresses4 + tlvs)), ProxyDefect::tlv);
  }
}

TEST(ProxyHeader2, IsRefusedBeforeMoreThanItsLimitIsRead) {
  ProxyHeader header;
  EXPECT_EQ(parse_proxy_header(kSignature + "\x21\x11\xFF\xFF", header).defect,
            ProxyDefect::too_large);
  EXPECT_EQ(parse_proxy_header(kSignature + "\x21\x11\x0F\xF1"s, header).defect,
            ProxyDefect::too_large);
  EXPECT_EQ(parse_proxy_header(kSignature + "\x21\x11\x0F\xF0"s, header).wanted,
            kMaxProxyHeader - 16);
}

// The sum was calculated by another implementation, bit by bit.
TEST(ProxyHeader2, MustHaveTheChecksumThatItClaims) {
  const std::string with_sum =
      v2('\x21', '\x11', kAddresses4 + "\x03\x00\x04@@@@"s + "\x01\x00\x02h2"s);
  std::string right = with_sum;
  const auto at = right.find("@@@@");
  right.replace(at, 4,
                "\x7E"
                "\x56"
                "\xA1"
                "\x89"s);
  ProxyHeader header;
  EXPECT_TRUE(feed(right, header).done());
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (i == at - 3) continue;  // its own type: then no checksum is claimed
    std::string wrong = right;
    wrong[i] = static_cast<char>(wrong[i] ^ 0x08);
    EXPECT_FALSE(feed(wrong, header).done()) << i;
  }
  EXPECT_EQ(defect_of(with_sum), ProxyDefect::checksum);
}

TEST(MakeProxyHeader, IsReadBackAsItWasMeant) {
  const auto v4 = *base::Address::from_ip("192.0.2.1", 56324);
  const auto v6 = *base::Address::from_ip("2001:db8::1", 443);
  EXPECT_EQ(make_proxy_header(ProxyVersion::v1, v4, v4),
            "PROXY TCP4 192.0.2.1 192.0.2.1 56324 56324\r\n");
  EXPECT_EQ(make_proxy_header(ProxyVersion::v1, v4, v6),
            "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 56324 443\r\n");
  for (const ProxyVersion version : {ProxyVersion::v1, ProxyVersion::v2}) {
    for (const auto& [source, destination, read] :
         {std::tuple(v4, v4, "192.0.2.1:56324"), std::tuple(v6, v6, "[2001:db8::1]:443"),
          std::tuple(v4, v6, "[::ffff:192.0.2.1]:56324")}) {
      ProxyHeader header;
      const std::string made = make_proxy_header(version, source, destination);
      EXPECT_EQ(feed(made, header).size, made.size());
      EXPECT_EQ(header.source.text(), read);
    }
  }
}

TEST(MakeProxyHeader, SaysThatAUnixClientHasNoAddress) {
  const auto path = *base::Address::from_path("/run/a");
  EXPECT_EQ(make_proxy_header(ProxyVersion::v1, path, path), "PROXY UNKNOWN\r\n");
  ProxyHeader header;
  EXPECT_EQ(feed(make_proxy_header(ProxyVersion::v2, path, path), header).size, 16U);
  EXPECT_EQ(header.origin, Origin::local);
}

}  // namespace
}  // namespace io
