#include "tls/development_certificate.h"

#include "base/address.h"
#include "base/random.h"
#include "tls/openssl.h"

namespace tls {
namespace {

constexpr std::chrono::days kValid{397};

bool add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// Letters that cannot mean anything else in OpenSSL's extension syntax.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() < 254 &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*:") ==
             std::string_view::npos;
}

base::Result<std::string> alternative_names(std::span<const std::string> names) {
  std::string value;
  for (const std::string& name : names) {
    const bool ip = base::Address::from_ip(name, 0).has_value();
    if (!is_plain_name(name) || (!ip && name.find(':') != std::string::npos)) {
      return base::fail(base::ErrorCode::invalid, "a name for the development certificate");
    }
    value += value.empty() ? "" : ",";
    value += (ip ? "IP:" : "DNS:") + name;
  }
  if (value.empty()) return base::fail(base::ErrorCode::invalid, "no name for the certificate");
  return value;
}

template <class Write>
std::string pem_of(Write write) {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (!write(bio.get())) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

bool fill_in(X509* certificate, EVP_PKEY* key, const std::string& name, base::WallTime now) {
  std::uint64_t serial = base::random_u64() >> 1U;  // positive (RFC 5280 §4.1.2.2)
  const auto begin = std::chrono::system_clock::to_time_t(now - std::chrono::hours(1));
  const auto end = begin + std::chrono::seconds(kValid).count();
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto common_name = name.substr(0, 64);  // ub-common-name
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial) == 1 &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), begin) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), end) != nullptr &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                                    -1, 0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1 && X509_set_pubkey(certificate, key) == 1;
}

}  // namespace

base::Result<PemPair> make_development_certificate(std::span<const std::string> names,
                                                   base::WallTime now) {
  TRY(const std::string alternatives, alternative_names(names));
  const PkeyPtr key(EVP_EC_gen("P-256"));
  const X509Ptr certificate(X509_new());
  const bool made = key && certificate &&
                    fill_in(certificate.get(), key.get(), names.front(), now) &&
                    add_extension(certificate.get(), NID_subject_alt_name, alternatives) &&
                    add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                    add_extension(certificate.get(), NID_key_usage, "critical,digitalSignature") &&
                    add_extension(certificate.get(), NID_ext_key_usage, "serverAuth") &&
                    X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0;
  ERR_clear_error();
  if (!made) return base::fail(base::ErrorCode::internal, "making a development certificate");
  return PemPair{.certificate = pem_of(
                     [&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()) == 1; }),
                 .private_key = pem_of([&](BIO* bio) {
                   return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0,
                                                        nullptr, nullptr) == 1;
                 })};
}

}  // namespace tls
