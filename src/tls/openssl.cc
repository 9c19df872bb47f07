#include "tls/openssl.h"

#include <openssl/core_names.h>

#include <algorithm>
#include <array>

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

using BignumPtr = std::unique_ptr<BIGNUM, Free<BN_free>>;
using SpkiPtr = std::unique_ptr<X509_PUBKEY, Free<X509_PUBKEY_free>>;

BignumPtr number_of(const EVP_PKEY* key, const char* parameter) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, parameter, &number);
  return BignumPtr(number);
}

// RSAPublicKey (RFC 8017 §A.1.1).
std::vector<std::uint8_t> rsa_bits(const EVP_PKEY* key) {
  std::vector<std::uint8_t> numbers;
  for (const char* parameter : {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E}) {
    const BignumPtr number = number_of(key, parameter);
    if (!number) return {};
    const std::unique_ptr<ASN1_INTEGER, Free<ASN1_INTEGER_free>> integer(
        BN_to_ASN1_INTEGER(number.get(), nullptr));
    const std::size_t before = numbers.size();
    numbers.resize(before + static_cast<std::size_t>(i2d_ASN1_INTEGER(integer.get(), nullptr)));
    unsigned char* into = std::span(numbers).subspan(before).data();
    i2d_ASN1_INTEGER(integer.get(), &into);
  }
  const auto size = static_cast<int>(numbers.size());
  std::vector<std::uint8_t> bits(
      static_cast<std::size_t>(ASN1_object_size(1, size, V_ASN1_SEQUENCE)));
  unsigned char* into = bits.data();
  ASN1_put_object(&into, 1, size, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
  std::ranges::copy(numbers, bits.end() - size);
  return bits;
}

// An uncompressed point (RFC 5480 §2.2), whatever form the key was read in.
std::vector<std::uint8_t> ec_bits(const EVP_PKEY* key) {
  const auto field = static_cast<std::size_t>(EVP_PKEY_get_bits(key) + 7) / 8;
  std::vector<std::uint8_t> bits(1 + 2 * field, 4);
  std::size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, bits.data(), bits.size(),
                                      &size) == 1 &&
      size == bits.size() && bits.front() == 4) {
    return bits;
  }
  ERR_clear_error();
  bits.front() = 4;
  const BignumPtr x = number_of(key, OSSL_PKEY_PARAM_EC_PUB_X);
  const BignumPtr y = number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y);
  if (!x || !y) return {};
  const std::span<std::uint8_t> point = std::span(bits).subspan(1);
  const auto width = static_cast<int>(field);
  if (BN_bn2binpad(x.get(), point.first(field).data(), width) != width ||
      BN_bn2binpad(y.get(), point.last(field).data(), width) != width) {
    return {};
  }
  return bits;
}

std::vector<std::uint8_t> raw_bits(const EVP_PKEY* key) {
  std::size_t size = 0;
  if (EVP_PKEY_get_raw_public_key(key, nullptr, &size) != 1) return {};
  std::vector<std::uint8_t> bits(size);
  EVP_PKEY_get_raw_public_key(key, bits.data(), &size);
  return bits;
}

// The identifier of a named curve, null for one that has parameters of its own.
ASN1_OBJECT* curve_of(const EVP_PKEY* key) {
  std::array<char, 64> name{};
  if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name.data(), name.size(),
                                     nullptr) != 1) {
    return nullptr;
  }
  return OBJ_txt2obj(name.data(), 0);
}

// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). i2d_PUBKEY() would look through all of OpenSSL's
// encoders first, which costs more than reading the key.
SpkiPtr spki_of(const EVP_PKEY* key) {
  std::vector<std::uint8_t> bits;
  int algorithm = NID_undef;
  int parameter_type = V_ASN1_UNDEF;
  ASN1_OBJECT* parameter = nullptr;
  if (EVP_PKEY_is_a(key, "RSA") == 1) {
    algorithm = NID_rsaEncryption;
    parameter_type = V_ASN1_NULL;
    bits = rsa_bits(key);
  } else if (EVP_PKEY_is_a(key, "EC") == 1) {
    algorithm = NID_X9_62_id_ecPublicKey;
    parameter_type = V_ASN1_OBJECT;
    parameter = curve_of(key);
    if (parameter == nullptr) return {};
    bits = ec_bits(key);
  } else if (EVP_PKEY_is_a(key, "ED25519") == 1) {
    algorithm = NID_ED25519;
    bits = raw_bits(key);
  }
  SpkiPtr spki(X509_PUBKEY_new());
  auto* const owned = static_cast<unsigned char*>(OPENSSL_memdup(bits.data(), bits.size()));
  if (bits.empty() ||
      X509_PUBKEY_set0_param(spki.get(), OBJ_nid2obj(algorithm), parameter_type, parameter, owned,
                             static_cast<int>(bits.size())) != 1) {
    ASN1_OBJECT_free(parameter);
    OPENSSL_free(owned);
    return {};
  }
  return spki;
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

Certificate::Der der_of(const X509* certificate) {
  Certificate::Der der(static_cast<std::size_t>(std::max(i2d_X509(certificate, nullptr), 0)));
  unsigned char* at = der.data();
  i2d_X509(certificate, &at);
  return der;
}

KeyId key_id_of(const X509_PUBKEY* spki) {
  KeyId id{};
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(spki, &der);
  if (size > 0) {
    unsigned int written = 0;
    EVP_Digest(der, static_cast<std::size_t>(size), id.data(), &written, EVP_sha256(), nullptr);
  }
  OPENSSL_free(der);
  return id;
}

KeyId key_id_of(const EVP_PKEY* key) {
  const SpkiPtr spki = spki_of(key);
  return spki ? key_id_of(spki.get()) : KeyId{};
}

}  // namespace tls
