#include "tls/openssl.h"

#include <array>
#include <cstring>

namespace tls {
namespace {

std::string first_error(bool reason_only) {
  const char* data = nullptr;
  int flags = 0;
  const unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags);
  if (code == 0) return {};
  std::string text;
  if (const char* reason = ERR_reason_error_string(code); reason_only && reason != nullptr) {
    text = reason;
  } else {
    std::array<char, 256> buffer{};
    ERR_error_string_n(code, buffer.data(), buffer.size());
    text = buffer.data();
  }
  if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0') {
    text += ':';
    text += data;
  }
  ERR_clear_error();
  return text;
}

// Without this OpenSSL would ask for the password on the terminal.
int no_password(char* /*into*/, int /*size*/, int /*for_writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 0;
}

}  // namespace

std::string take_error_text() { return first_error(false); }
std::string take_error_reason() { return first_error(true); }

BioPtr bio_over(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

X509Ptr parse_der(std::span<const std::uint8_t> der) {
  const unsigned char* at = der.data();
  return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

KeyId key_id_of(const EVP_PKEY* key) {
  KeyId id{};
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size > 0) {
    unsigned int written = 0;
    EVP_Digest(der, static_cast<std::size_t>(size), id.data(), &written, EVP_sha256(), nullptr);
  }
  OPENSSL_free(der);
  return id;
}

std::expected<PkeyPtr, std::string> parse_private_key(std::string_view pem, OSSL_LIB_CTX* context) {
  const BioPtr bio = bio_over(pem);
  bool asked = false;
  PkeyPtr key(
      PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, no_password, &asked, context, nullptr));
  if (asked) {
    ERR_clear_error();
    return std::unexpected("the private key is encrypted and no password was given");
  }
  if (!key) {
    ERR_clear_error();
    return std::unexpected(pem.find("PRIVATE KEY-----") == std::string_view::npos
                               ? "it has no private key (no PEM block \"BEGIN ... PRIVATE KEY\")"
                               : "its private key cannot be read (damaged, or of an unknown kind)");
  }
  if (EVP_PKEY_is_a(key.get(), "RSA") == 0 && EVP_PKEY_is_a(key.get(), "EC") == 0 &&
      EVP_PKEY_is_a(key.get(), "ED25519") == 0) {
    return std::unexpected("its private key is neither RSA nor EC nor Ed25519");
  }
  return key;
}

}  // namespace tls
