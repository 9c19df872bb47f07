#include "io/proxy_protocol.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "base/text.h"

namespace io {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::array<std::string_view, 4> kBeginnings = {"PROXY UNKNOWN", "PROXY TCP4 ",
                                                         "PROXY TCP6 ", kSignature};
constexpr std::size_t kShortest = 15;  // "PROXY UNKNOWN\r\n"

ProxyProgress broken(ProxyDefect defect) { return {.defect = defect}; }
ProxyProgress want(std::size_t count) { return {.wanted = count}; }

// --- version 1

constexpr std::size_t kMaxLine = 107;
constexpr std::ptrdiff_t kSpaces = 5;  // PROXY TCP4 SOURCE DESTINATION PORT PORT

/// At least so many bytes are missing: each field that is still to come is a space and a character.
std::size_t missing_of_line(std::string_view line) {
  if (line.ends_with('\r')) return 1;
  const auto spaces = std::ranges::count(line, ' ');
  if (line.starts_with(kBeginnings[0]) || spaces >= kSpaces) return 2;
  return static_cast<std::size_t>(2 * (kSpaces - spaces) + 2);
}

std::optional<base::Address> parse_endpoint(std::string_view ip, std::string_view port,
                                            int family) {
  if (ip.find_first_not_of("0123456789abcdefABCDEF.:") != std::string_view::npos) return {};
  if (port.size() > 1 && port.starts_with('0')) return {};
  const auto number = base::parse_number<std::uint16_t>(port);
  if (!number) return {};
  const auto address = base::Address::from_ip(ip, *number);
  return address && address->family() == family ? address : std::nullopt;
}

bool parse_line(std::string_view line, ProxyHeader& header) {
  if (std::ranges::count(line, ' ') != kSpaces) return false;
  std::array<std::string_view, kSpaces + 1> fields;
  for (std::string_view& field : fields) field = base::split_first(line, ' ');
  const int family = fields[1] == "TCP4" ? AF_INET : AF_INET6;
  const auto source = parse_endpoint(fields[2], fields[4], family);
  const auto destination = parse_endpoint(fields[3], fields[5], family);
  if (!source || !destination) return false;
  header = {.origin = ProxyHeader::Origin::client,
            .source = *source,
            .destination = *destination,
            .tlvs = {}};
  return true;
}

ProxyProgress parse_v1(std::string_view bytes, ProxyHeader& header) {
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos) {
    if (bytes.size() >= kMaxLine) return broken(ProxyDefect::line);
    return want(std::min(missing_of_line(bytes), kMaxLine - bytes.size()));
  }
  std::string_view line = bytes.substr(0, end);
  if (!line.ends_with('\r')) return broken(ProxyDefect::line);
  line.remove_suffix(1);
  const ProxyProgress whole{.size = end + 1};
  if (line.starts_with(kBeginnings[0])) {
    // What an UNKNOWN line says besides is to be ignored.
    const std::string_view rest = line.substr(kBeginnings[0].size());
    header = {};
    return rest.empty() || rest.starts_with(' ') ? whole : broken(ProxyDefect::line);
  }
  return parse_line(line, header) ? whole : broken(ProxyDefect::line);
}

// --- version 2

constexpr std::size_t kPrefix = 16;  // up to the length, included
constexpr std::size_t kPath = 108;  // of a Unix socket, filled up with zeros
constexpr std::uint8_t kChecksumType = 0x03;
constexpr std::size_t kChecksumSize = 4;

std::uint8_t byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<std::uint8_t>(bytes[i]);
}
std::uint16_t number_at(std::string_view bytes, std::size_t i) {
  return static_cast<std::uint16_t>(byte_at(bytes, i) << 8U | byte_at(bytes, i + 1));
}

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1U ^ ((value & 1U) != 0 ? 0x82F63B78U : 0U);
    table[i] = value;
  }
  return table;
}

/// CRC-32C (RFC 4960, appendix B), not yet inverted at its end.
std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes) {
  static constexpr auto kTable = make_crc_table();
  for (const char c : bytes) {
    crc = kTable[(crc ^ static_cast<std::uint8_t>(c)) & 0xFFU] ^ crc >> 8U;
  }
  return crc;
}

/// Of the whole header, with zeros in place of the sum, which stands at `at`.
bool is_checksum_right(std::string_view header, std::size_t at) {
  constexpr std::string_view kZeros("\0\0\0\0", kChecksumSize);
  std::uint32_t crc = crc32c(0xFFFFFFFFU, header.substr(0, at));
  crc = ~crc32c(crc32c(crc, kZeros), header.substr(at + kChecksumSize));
  std::uint32_t stated = 0;
  for (const char c : header.substr(at, kChecksumSize)) {
    stated = stated << 8U | static_cast<std::uint8_t>(c);
  }
  return crc == stated;
}

/// Each is a type, two bytes of length, and the value.
ProxyDefect check_tlvs(std::string_view header, std::size_t at) {
  bool has_checksum = false;
  while (at < header.size()) {
    if (header.size() - at < 3) return ProxyDefect::tlv;
    const std::size_t length = number_at(header, at + 1);
    const std::size_t value = at + 3;
    if (header.size() - value < length) return ProxyDefect::tlv;
    if (byte_at(header, at) == kChecksumType) {
      if (std::exchange(has_checksum, true) || length != kChecksumSize) return ProxyDefect::tlv;
      if (!is_checksum_right(header, value)) return ProxyDefect::checksum;
    }
    at = value + length;
  }
  return ProxyDefect::none;
}

base::Address ip_address(std::string_view ip, std::uint16_t port) {
  if (ip.size() == 4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, ip.data(), ip.size());
    return base::Address::from_native(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, ip.data(), std::min(ip.size(), sizeof v6.sin6_addr));
  return base::Address::from_native(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
}

/// An unnamed or abstract one shows as no more than a Unix socket.
base::Address unix_address(std::string_view path) {
  const std::string_view name = path.substr(0, path.find('\0'));
  if (const auto named = base::Address::from_path(name)) return *named;
  sockaddr_un unnamed{};
  unnamed.sun_family = AF_UNIX;
  return base::Address::from_native(reinterpret_cast<const sockaddr*>(&unnamed),
                                    sizeof unnamed.sun_family);
}

/// Bytes of the two addresses, or nothing for a family that must not be sent. Datagrams, too: a
/// proxy may have met the client over QUIC.
std::optional<std::size_t> address_size(std::uint8_t family) {
  switch (family) {
    case 0x00: return 0;
    case 0x11:
    case 0x12: return 2 * (4 + 2);
    case 0x21:
    case 0x22: return 2 * (16 + 2);
    case 0x31:
    case 0x32: return 2 * kPath;
    default: return std::nullopt;
  }
}

void take_addresses(std::string_view block, ProxyHeader& header) {
  header.origin = ProxyHeader::Origin::client;
  if (block.size() == 2 * kPath) {
    header.source = unix_address(block.substr(0, kPath));
    header.destination = unix_address(block.substr(kPath));
    return;
  }
  const std::size_t ip = block.size() / 2 - 2;
  header.source = ip_address(block.substr(0, ip), number_at(block, 2 * ip));
  header.destination = ip_address(block.substr(ip, ip), number_at(block, 2 * ip + 2));
}

ProxyProgress parse_v2(std::string_view bytes, ProxyHeader& header) {
  if (bytes.size() < kPrefix) return want(kPrefix - bytes.size());
  const std::uint8_t version_and_command = byte_at(bytes, 12);
  if (version_and_command >> 4U != 2) return broken(ProxyDefect::version);
  if ((version_and_command & 0x0FU) > 1) return broken(ProxyDefect::command);
  const std::size_t size = kPrefix + number_at(bytes, 14);
  if (size > kMaxProxyHeader) return broken(ProxyDefect::too_large);
  if (bytes.size() < size) return want(size - bytes.size());
  bytes = bytes.substr(0, size);
  header = {};
  const ProxyProgress whole{.size = size};
  if ((version_and_command & 0x0FU) == 0) return whole;  // LOCAL: the rest is to be ignored
  const auto addresses = address_size(byte_at(bytes, 13));
  if (!addresses) return broken(ProxyDefect::family);
  if (*addresses == 0) return whole;
  if (size - kPrefix < *addresses) return broken(ProxyDefect::addresses);
  const std::size_t tlvs = kPrefix + *addresses;
  if (const auto defect = check_tlvs(bytes, tlvs); defect != ProxyDefect::none) {
    return broken(defect);
  }
  take_addresses(bytes.substr(kPrefix, *addresses), header);
  header.tlvs = bytes.substr(tlvs);
  return whole;
}

// --- writing

base::Address as_ipv6(const base::Address& address) {
  if (address.family() == AF_INET6) return address;
  std::string mapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  mapped += address.ip_bytes();
  return ip_address(mapped, address.port());
}

void append_number(std::string& out, std::size_t number) {
  out += static_cast<char>(number >> 8U);
  out += static_cast<char>(number & 0xFFU);
}

}  // namespace

std::string_view explain(ProxyDefect defect) noexcept {
  switch (defect) {
    case ProxyDefect::none: return "";
    case ProxyDefect::signature: return "it does not begin as one";
    case ProxyDefect::line: return "the line is not as version 1 says";
    case ProxyDefect::too_large: return "it is too large";
    case ProxyDefect::version: return "its version is unknown";
    case ProxyDefect::command: return "its command is unknown";
    case ProxyDefect::family: return "its address family is unknown";
    case ProxyDefect::addresses: return "it is too short for its addresses";
    case ProxyDefect::tlv: return "a TLV is cut off or not what it must be";
    case ProxyDefect::checksum: return "the checksum is wrong";
  }
  return "";
}

ProxyProgress parse_proxy_header(std::string_view bytes, ProxyHeader& header) {
  const auto may_become = [&](std::string_view beginning) {
    const std::size_t both = std::min(bytes.size(), beginning.size());
    return bytes.substr(0, both) == beginning.substr(0, both);
  };
  if (std::ranges::none_of(kBeginnings, may_become)) return broken(ProxyDefect::signature);
  if (bytes.size() < kShortest) return want(kShortest - bytes.size());
  return bytes.starts_with(kSignature) ? parse_v2(bytes, header) : parse_v1(bytes, header);
}

async::Task<base::Result<ProxyDefect>> read_proxy_header(Stream& stream, Buffer& bytes,
                                                         ProxyHeader& header,
                                                         base::Deadline deadline) {
  bytes.clear();
  bytes.grow(kMaxProxyHeader);
  while (true) {
    const ProxyProgress progress = parse_proxy_header(bytes.readable(), header);
    if (progress.done() || progress.defect != ProxyDefect::none) co_return progress.defect;
    CO_TRY(const std::size_t count,
           co_await read(stream, bytes.writable().first(progress.wanted), deadline));
    if (count == 0) co_return base::fail(base::ErrorCode::end_of_stream);
    bytes.commit(count);
  }
}

std::string make_proxy_header(ProxyVersion version, const base::Address& source,
                              const base::Address& destination) {
  const bool known = source.is_ip() && destination.is_ip();
  const bool is_v4 = source.family() == AF_INET && destination.family() == AF_INET;
  const base::Address from = known && !is_v4 ? as_ipv6(source) : source;
  const base::Address to = known && !is_v4 ? as_ipv6(destination) : destination;
  if (version == ProxyVersion::v1) {
    if (!known) return "PROXY UNKNOWN\r\n";
    return std::string(is_v4 ? kBeginnings[1] : kBeginnings[2]) + from.ip_text() + ' ' +
           to.ip_text() + ' ' + std::to_string(from.port()) + ' ' + std::to_string(to.port()) +
           "\r\n";
  }
  std::string out(kSignature);
  out += '\x21';  // version 2, PROXY
  out += known ? (is_v4 ? '\x11' : '\x21') : '\0';
  append_number(out, known ? 2 * (from.ip_bytes().size() + 2) : 0);
  if (!known) return out;
  out += from.ip_bytes();
  out += to.ip_bytes();
  append_number(out, from.port());
  append_number(out, to.port());
  return out;
}

}  // namespace io
