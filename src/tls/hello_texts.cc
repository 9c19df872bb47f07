// What is said of a handshake in variables: names of groups, ciphers and signatures, and what the
// client offered.
#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "tls/connection.h"

namespace tls {
namespace {

void append(std::string& list, std::string_view name, unsigned number) {
  if (!list.empty()) list += ':';
  if (name.empty()) {
    fmt::format_to(std::back_inserter(list), "0x{:04x}", number);
  } else {
    list += name;
  }
}

std::uint16_t scheme_of(int type, int digest) noexcept {
  const auto one_of = [digest](std::uint16_t sha1, std::uint16_t sha256, std::uint16_t sha384,
                               std::uint16_t sha512) -> std::uint16_t {
    switch (digest) {
      case NID_sha1: return sha1;
      case NID_sha256: return sha256;
      case NID_sha384: return sha384;
      case NID_sha512: return sha512;
      default: return 0;
    }
  };
  switch (type) {
    case EVP_PKEY_RSA: return one_of(0x0201, 0x0401, 0x0501, 0x0601);
    case EVP_PKEY_RSA_PSS: return one_of(0, 0x0804, 0x0805, 0x0806);
    case EVP_PKEY_EC: return one_of(0x0203, 0x0403, 0x0503, 0x0603);
    case EVP_PKEY_ED25519: return 0x0807;
    default: return 0;
  }
}

// The first message that comes in is the ClientHello; after a HelloRetryRequest a second one
// comes, which is of no interest.
void on_message(int is_sent, int /*version*/, int content_type, const void* bytes, std::size_t size,
                SSL* ssl, void* /*argument*/) {
  TlsStream::Connection* connection = connection_of(ssl);
  if (is_sent != 0 || content_type != SSL3_RT_HANDSHAKE || connection == nullptr) return;
  SSL_set_msg_callback(ssl, nullptr);
  if (!connection->handshake) return;
  connection->handshake->hello =
      ClientHello::parse(std::span(static_cast<const std::uint8_t*>(bytes), size));
}

}  // namespace

std::string name_of_group(int group) {
  if (group == NID_undef) return {};
  const auto number = static_cast<unsigned>(group);
  if ((number & TLSEXT_nid_unknown) != 0) return fmt::format("0x{:04x}", number & 0xffffU);
  const char* name = OBJ_nid2sn(group);
  return name == nullptr ? "" : name;
}

std::string_view name_of_own_signature(const SSL* ssl) noexcept {
  int type = NID_undef;
  int digest = NID_undef;
  if (SSL_get_signature_type_nid(ssl, &type) != 1) return {};
  static_cast<void>(SSL_get_signature_nid(const_cast<SSL*>(ssl), &digest));
  return name_of_signature_scheme(scheme_of(type, digest));
}

ClientHelloTexts describe_hello(SSL* ssl, const ClientHello& hello) {
  ClientHelloTexts texts;
  for (const std::uint16_t cipher : hello.ciphers) {
    const std::array<unsigned char, 2> code{static_cast<unsigned char>(cipher >> 8U),
                                            static_cast<unsigned char>(cipher & 0xffU)};
    const SSL_CIPHER* known = SSL_CIPHER_find(ssl, code.data());
    append(texts.ciphers, known == nullptr ? "" : SSL_CIPHER_get_name(known), cipher);
  }
  const long count = SSL_get1_groups(ssl, nullptr);
  std::vector<int> groups(static_cast<std::size_t>(std::max(count, 0L)));
  SSL_get1_groups(ssl, groups.data());
  for (const int group : groups) append(texts.groups, name_of_group(group), 0);
  for (const std::uint16_t scheme : hello.signature_schemes) {
    append(texts.signature_schemes, name_of_signature_scheme(scheme), scheme);
  }
  texts.ja4 = ja4(hello);
  return texts;
}

void keep_client_hello(SSL_CTX* context) noexcept { SSL_CTX_set_msg_callback(context, on_message); }

}  // namespace tls
