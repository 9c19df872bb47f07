#include "tls/certificate.h"

#include <fmt/core.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>

#include "base/address.h"
#include "tls/openssl.h"

namespace tls {
namespace {

std::uint64_t next_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::string text_of(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(std::max(size, 0L))};
}

base::WallTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return base::WallTime(std::chrono::seconds(::timegm(&parts)));
}

std::string serial_of(const X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  i2a_ASN1_INTEGER(bio.get(), X509_get0_serialNumber(certificate));
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(std::max(size, 0L))};
}

// Each certificate's length stands before it: two chains of the same bytes are the same chain.
KeyId fingerprint_of(const std::vector<Certificate::Der>& chain) {
  KeyId digest{};
  const MdCtxPtr context(EVP_MD_CTX_new());
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  for (const Certificate::Der& der : chain) {
    const std::uint64_t size = der.size();
    EVP_DigestUpdate(context.get(), &size, sizeof size);
    EVP_DigestUpdate(context.get(), der.data(), der.size());
  }
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  return digest;
}

std::string_view bytes_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string ip_text(std::string_view bytes) {
  sockaddr_in6 six{};
  sockaddr_in four{};
  if (bytes.size() == 4) {
    four.sin_family = AF_INET;
    std::ranges::copy(bytes, reinterpret_cast<char*>(&four.sin_addr));
    return base::Address::from_native(reinterpret_cast<const sockaddr*>(&four), sizeof four)
        .ip_text();
  }
  if (bytes.size() != 16) return {};
  six.sin6_family = AF_INET6;
  std::ranges::copy(bytes, reinterpret_cast<char*>(&six.sin6_addr));
  return base::Address::from_native(reinterpret_cast<const sockaddr*>(&six), sizeof six).ip_text();
}

using NamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;

}  // namespace

void read_names(X509* leaf, std::vector<std::string>& dns, std::vector<std::string>& ips) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) dns.emplace_back(bytes_of(name->d.dNSName));
    if (name->type == GEN_IPADD) ips.push_back(ip_text(bytes_of(name->d.iPAddress)));
  }
  if (!dns.empty() || !ips.empty()) return;
  std::array<char, 256> common_name{};
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName,
                                             common_name.data(), common_name.size());
  if (size > 0) dns.emplace_back(common_name.data());
}

std::string subject_of(const X509* certificate) {
  return text_of(X509_get_subject_name(certificate));
}

namespace {

// Every CERTIFICATE block of `pem`, checked and in DER.
std::expected<std::vector<Certificate::Der>, std::string> read_all(std::string_view pem) {
  const BioPtr bio = bio_over(pem);
  std::vector<Certificate::Der> all;
  while (const X509Ptr one{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    Certificate::Der der(static_cast<std::size_t>(std::max(i2d_X509(one.get(), nullptr), 0)));
    unsigned char* at = der.data();
    i2d_X509(one.get(), &at);
    all.push_back(std::move(der));
  }
  // The end of the text looks like "no start line"; anything else is damage.
  const bool clean_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = take_error_reason();
  if (!clean_end) {
    return std::unexpected(
        fmt::format("certificate {} of the file cannot be read ({})", all.size() + 1, reason));
  }
  if (all.empty()) {
    return std::unexpected("it has no certificate (no PEM block \"BEGIN CERTIFICATE\")");
  }
  return all;
}

std::expected<KeyType, std::string> key_type_of(const EVP_PKEY* key) {
  if (key != nullptr && EVP_PKEY_is_a(key, "RSA") == 1) return KeyType::rsa;
  if (key != nullptr && EVP_PKEY_is_a(key, "EC") == 1) return KeyType::ec;
  if (key != nullptr && EVP_PKEY_is_a(key, "ED25519") == 1) return KeyType::ed25519;
  ERR_clear_error();
  return std::unexpected("its public key is neither RSA nor EC nor Ed25519");
}

}  // namespace

Certificate::Certificate(std::vector<Der> chain, Facts facts)
    : chain_(std::move(chain)), facts_(std::move(facts)), id_(next_id()) {}

std::expected<std::shared_ptr<const Certificate>, std::string> Certificate::parse(
    std::string_view pem) {
  TRY(auto chain, read_all(pem));
  const X509Ptr leaf = parse_der(chain.front());
  const EVP_PKEY* key = X509_get0_pubkey(leaf.get());
  Facts facts;
  TRY(facts.key_type, key_type_of(key));
  facts.key_id = tls::key_id_of(key);
  read_names(leaf.get(), facts.dns_names, facts.ip_addresses);
  facts.subject = subject_of(leaf.get());
  facts.issuer = text_of(X509_get_issuer_name(leaf.get()));
  facts.not_before = time_of(X509_get0_notBefore(leaf.get()));
  facts.not_after = time_of(X509_get0_notAfter(leaf.get()));
  facts.serial = serial_of(leaf.get());
  facts.fingerprint = fingerprint_of(chain);
  return std::shared_ptr<const Certificate>(new Certificate(std::move(chain), std::move(facts)));
}

std::expected<KeyId, std::string> key_id_of(std::string_view private_key_pem) {
  TRY(const PkeyPtr key, parse_private_key(private_key_pem, nullptr));
  return key_id_of(key.get());
}

std::optional<std::string> mismatch(const Certificate& certificate, const KeyId& key) {
  if (certificate.key_id() == key) return std::nullopt;
  return "key values mismatch: the private key does not belong to the first certificate of the "
         "chain";
}

TrustedCertificates::TrustedCertificates(std::vector<Certificate::Der> all)
    : all_(std::move(all)), id_(next_id()) {}

std::expected<std::shared_ptr<const TrustedCertificates>, std::string> TrustedCertificates::parse(
    std::string_view pem) {
  TRY(auto all, read_all(pem));
  return std::shared_ptr<const TrustedCertificates>(new TrustedCertificates(std::move(all)));
}

std::expected<std::shared_ptr<const TrustedCertificates>, std::string>
TrustedCertificates::system() {
  const char* named = std::getenv(X509_get_default_cert_file_env());
  const std::array<const char*, 5> places{named, "/etc/ssl/certs/ca-certificates.crt",
                                          "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
                                          "/etc/ssl/ca-bundle.pem"};
  for (const char* place : places) {
    if (place == nullptr) continue;
    std::ifstream file(place, std::ios::binary);
    if (!file) continue;
    const std::string pem{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    auto parsed = parse(pem);
    if (!parsed) return std::unexpected(fmt::format("{}: {}", place, parsed.error()));
    return parsed;
  }
  return std::unexpected(
      "the system has no bundle of trusted certificates (Debian: ca-certificates)");
}

}  // namespace tls
