// Variables of the PROXY protocol header that the connection began with.
#include <array>
#include <cstddef>

#include "base/text.h"
#include "script/getters.h"

namespace script {
namespace {

using exchange::Exchange;
using ProxyProtocol = exchange::Connection::ProxyProtocol;

template <auto Member>
Text address(Exchange& ex) {
  const auto& header = ex.connection.proxy_protocol;
  return header ? ip_text(ex.arena, (*header).*Member) : std::nullopt;
}
template <auto Member>
Text port(Exchange& ex) {
  const auto& header = ex.connection.proxy_protocol;
  return header ? port_text(ex.arena, (*header).*Member) : std::nullopt;
}

// A tag is a TLV's type (PROXY protocol 2.2), or that plus one of these.
constexpr std::uint32_t kInsideSsl = 0x100;
constexpr std::uint32_t kSslVerify = 0x200;
constexpr std::uint32_t kUnknown = 0x400;
constexpr std::uint32_t kSsl = 0x20;

struct TlvName {
  std::string_view name;
  std::uint32_t tag;
};
constexpr std::array kTlvNames = {
    TlvName{"alpn", 0x01},
    TlvName{"authority", 0x02},
    TlvName{"unique_id", 0x05},
    TlvName{"ssl", kSsl},
    TlvName{"netns", 0x30},
    TlvName{"ssl_verify", kSslVerify},
    TlvName{"ssl_version", kInsideSsl + 0x21},
    TlvName{"ssl_cn", kInsideSsl + 0x22},
    TlvName{"ssl_cipher", kInsideSsl + 0x23},
    TlvName{"ssl_sig_alg", kInsideSsl + 0x24},
    TlvName{"ssl_key_alg", kInsideSsl + 0x25},
};

/// "0xea", "alpn", "ssl_cn".
std::uint32_t prepare_tlv(std::string_view suffix) {
  for (const TlvName& known : kTlvNames) {
    if (known.name == suffix) return known.tag;
  }
  if (!suffix.starts_with("0x")) return kUnknown;
  const auto type = base::parse_number<std::uint8_t>(suffix.substr(2), 16);
  return type ? *type : kUnknown;
}

/// A type byte, two of length (big end first), the value. Stops at the first that is cut off.
Text find_tlv(std::string_view tlvs, std::uint32_t type) {
  constexpr std::size_t kHeader = 3;
  while (tlvs.size() >= kHeader) {
    const auto byte = [tlvs](std::size_t i) {
      return static_cast<std::size_t>(static_cast<unsigned char>(tlvs[i]));
    };
    const std::size_t length = byte(1) * 256 + byte(2);
    if (tlvs.size() - kHeader < length) break;
    if (byte(0) == type) return tlvs.substr(kHeader, length);
    tlvs.remove_prefix(kHeader + length);
  }
  return std::nullopt;
}

Text tlv(Exchange& ex, const Suffix& suffix) {
  const auto& header = ex.connection.proxy_protocol;
  if (!header || suffix.tag == kUnknown) return std::nullopt;
  if (suffix.tag < kInsideSsl) return find_tlv(header->tlvs, suffix.tag);
  // The SSL TLV: a byte of flags, four of the verification's result, then TLVs.
  constexpr std::size_t kSslHeader = 5;
  const Text ssl = find_tlv(header->tlvs, kSsl);
  if (!ssl || ssl->size() < kSslHeader) return std::nullopt;
  if (suffix.tag != kSslVerify) return find_tlv(ssl->substr(kSslHeader), suffix.tag - kInsideSsl);
  std::uint32_t verify = 0;
  for (const char c : ssl->substr(1, 4)) verify = verify * 256 + static_cast<unsigned char>(c);
  return number_text(ex.arena, verify);
}

constexpr VariableSpec kTable[] = {
    {.name = "proxy_protocol_addr",
     .get = of_exchange<address<&ProxyProtocol::source>>,
     .documentation = "the client's address in the PROXY protocol header"},
    {.name = "proxy_protocol_port",
     .get = of_exchange<port<&ProxyProtocol::source>>,
     .documentation = "the client's port in the PROXY protocol header"},
    {.name = "proxy_protocol_server_addr",
     .get = of_exchange<address<&ProxyProtocol::destination>>,
     .documentation = "the server's address in the PROXY protocol header"},
    {.name = "proxy_protocol_server_port",
     .get = of_exchange<port<&ProxyProtocol::destination>>,
     .documentation = "the server's port in the PROXY protocol header"},
    {.name = "proxy_protocol_tlv_",
     .kind = VariableSpec::Kind::family,
     .get = of_exchange<tlv>,
     .documentation = "a TLV of the PROXY protocol header: by name, or by type as 0xNN",
     .prepare = prepare_tlv},
};

}  // namespace

constinit const VariableTable kProxyProtocolVariables = kTable;

}  // namespace script
