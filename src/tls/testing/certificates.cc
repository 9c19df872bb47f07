#include "tls/testing/certificates.h"

#include "base/address.h"
#include "base/check.h"
#include "base/random.h"
#include "tls/openssl.h"

namespace tls::testing {
namespace {

PkeyPtr make_key(KeyType type) {
  switch (type) {
    case KeyType::rsa: return PkeyPtr(EVP_RSA_gen(2048));
    case KeyType::ec: return PkeyPtr(EVP_EC_gen("P-256"));
    case KeyType::ed25519: return PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  }
  return nullptr;
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

template <class Write>
std::string pem_of(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  CHECK(write(bio.get()));
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

void add_names(X509* certificate, const IssueOptions& options) {
  std::string value;
  for (const std::string& name : options.names) {
    value += value.empty() ? "" : ",";
    value += (base::Address::from_ip(name, 0) ? "IP:" : "DNS:") + name;
  }
  if (!value.empty()) add_extension(certificate, NID_subject_alt_name, value);
  add_extension(certificate, NID_basic_constraints,
                options.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
}

}  // namespace

Issued issue(const IssueOptions& options) {
  const PkeyPtr key = make_key(options.key_type);
  const X509Ptr certificate(X509_new());
  CHECK(key && certificate);
  const std::string name = options.names.empty() ? "nobody" : options.names.front();
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), base::random_u64() >> 1U);
  const auto seconds = [](std::chrono::hours hours) {
    return static_cast<long>(std::chrono::seconds(hours).count());
  };
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), seconds(options.valid_from));
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), seconds(options.valid_until));
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(certificate.get(), key.get());
  add_names(certificate.get(), options);

  X509_set_issuer_name(certificate.get(), subject);
  PkeyPtr issuer_key;
  if (options.issuer != nullptr) {
    const BioPtr bio = bio_over(options.issuer->certificate);
    const X509Ptr issuer(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get()));
    issuer_key = parse_private_key(options.issuer->private_key, nullptr).value();
  }
  EVP_PKEY* signing_key = issuer_key ? issuer_key.get() : key.get();
  const bool own_digest = EVP_PKEY_is_a(signing_key, "ED25519") == 1;
  CHECK(X509_sign(certificate.get(), signing_key, own_digest ? nullptr : EVP_sha256()) > 0);
  return {.certificate =
              pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()) == 1; }),
          .private_key = pem_of([&](BIO* bio) {
            return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr,
                                                 nullptr) == 1;
          })};
}

}  // namespace tls::testing
