// Variables of the client's TLS connection.
#include "script/getters.h"

namespace script {
namespace {

using exchange::Exchange;

Text ssl_alpn_protocol(Exchange& ex) { return ex.connection.tls_alpn; }
Text ssl_cipher(Exchange& ex) { return ex.connection.tls_cipher; }
Text ssl_curve(Exchange& ex) { return std::string_view(ex.connection.tls_curve); }
Text ssl_early_data(Exchange& ex) { return ex.early ? "1" : ""; }
Text ssl_protocol(Exchange& ex) { return ex.connection.tls_protocol; }
Text ssl_server_name(Exchange& ex) { return std::string_view(ex.connection.tls_server_name); }
Text ssl_session_reused(Exchange& ex) {
  if (!ex.connection.tls) return "";
  return ex.connection.tls_resumed ? "r" : ".";
}
Text ssl_sigalg(Exchange& ex) { return ex.connection.tls_signature; }

Text ssl_session_id(Exchange& ex) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto id = ex.connection.tls_session_id;
  const std::span<char> text = ex.arena.make_array<char>(2 * id.size());
  for (std::size_t i = 0; i < id.size(); ++i) {
    text[2 * i] = kDigits[id[i] >> 4U];
    text[2 * i + 1] = kDigits[id[i] & 0xfU];
  }
  return std::string_view(text.data(), text.size());
}

template <std::string exchange::Connection::TlsOffer::* Member>
Text of_offer(Exchange& ex) {
  const auto& offer = ex.connection.tls_offer;
  return offer ? std::string_view(*offer.*Member) : std::string_view();
}
using Offer = exchange::Connection::TlsOffer;

constexpr VariableSpec kTable[] = {
    {.name = "ssl_alpn_protocol",
     .get = of_exchange<ssl_alpn_protocol>,
     .documentation = "the protocol that ALPN chose: \"http/1.1\""},
    {.name = "ssl_cipher",
     .get = of_exchange<ssl_cipher>,
     .documentation = "the cipher suite of the client's TLS connection, OpenSSL's name"},
    {.name = "ssl_ciphers",
     .get = of_exchange<of_offer<&Offer::ciphers>>,
     .documentation = "the cipher suites that the client offers: names, or numbers (0x2a2a)"},
    {.name = "ssl_curve",
     .get = of_exchange<ssl_curve>,
     .documentation = "the group of the key exchange: \"X25519\""},
    {.name = "ssl_curves",
     .get = of_exchange<of_offer<&Offer::curves>>,
     .documentation = "the groups that the client offers: names, or numbers"},
    {.name = "ssl_early_data",
     .get = of_exchange<ssl_early_data>,
     .documentation = "\"1\" for a request in TLS 1.3's early data, else empty"},
    {.name = "ssl_ja4",
     .get = of_exchange<of_offer<&Offer::ja4>>,
     .documentation = "JA4, the fingerprint of what the client's TLS offers"},
    {.name = "ssl_protocol",
     .get = of_exchange<ssl_protocol>,
     .documentation = "the client's TLS version: \"TLSv1.3\""},
    {.name = "ssl_server_name",
     .get = of_exchange<ssl_server_name>,
     .documentation = "the name that the client asked for by SNI"},
    {.name = "ssl_session_id",
     .get = of_exchange<ssl_session_id>,
     .documentation = "the TLS session's id in hexadecimal"},
    {.name = "ssl_session_reused",
     .get = of_exchange<ssl_session_reused>,
     .documentation = "\"r\" if a TLS session was resumed, else \".\""},
    {.name = "ssl_sigalg",
     .get = of_exchange<ssl_sigalg>,
     .documentation = "what the server signed the handshake with: \"ecdsa_secp256r1_sha256\""},
    {.name = "ssl_sigalgs",
     .get = of_exchange<of_offer<&Offer::signatures>>,
     .documentation = "the signature algorithms that the client offers: names, or numbers"},
};

}  // namespace

constinit const VariableTable kTlsVariables = kTable;

}  // namespace script
