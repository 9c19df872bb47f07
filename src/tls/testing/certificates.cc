#include "tls/testing/certificates.h"

#include "base/address.h"
#include "base/check.h"
#include "base/random.h"
#include "tls/client_context.h"
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

PkeyPtr decoded_key(const Issued& issued) {
  const BioPtr text = bio_over(issued.private_key);
  PkeyPtr key(PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr));
  CHECK(key != nullptr);
  return key;
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
    issuer_key = decoded_key(*options.issuer);
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

std::string revoke(const Issued& issuer, const RevokeOptions& options) {
  const auto read = [](const Issued& issued) {
    return X509Ptr(
        PEM_read_bio_X509(bio_over(issued.certificate).get(), nullptr, nullptr, nullptr));
  };
  const CrlPtr list(X509_CRL_new());
  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(read(issuer).get()));
  const std::unique_ptr<ASN1_TIME, Free<ASN1_TIME_free>> time(ASN1_TIME_new());
  const auto at = [&](std::chrono::hours hours) {
    return X509_gmtime_adj(time.get(), static_cast<long>(std::chrono::seconds(hours).count()));
  };
  X509_CRL_set1_lastUpdate(list.get(), at(options.valid_from));
  X509_CRL_set1_nextUpdate(list.get(), at(options.valid_until));
  for (const Issued* each : options.revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(read(*each).get()));
    X509_REVOKED_set_revocationDate(entry, at(options.valid_from));
    CHECK(X509_CRL_add0_revoked(list.get(), entry) == 1);
  }
  const PkeyPtr key = decoded_key(issuer);
  CHECK(X509_CRL_sort(list.get()) == 1 && X509_CRL_sign(list.get(), key.get(), EVP_sha256()) > 0);
  return pem_of([&](BIO* bio) { return PEM_write_bio_X509_CRL(bio, list.get()) == 1; });
}

std::string encrypt_key(const Issued& issued, const std::string& password) {
  const PkeyPtr key = decoded_key(issued);
  return pem_of([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), EVP_aes_128_cbc(), password.data(),
                                         static_cast<int>(password.size()), nullptr, nullptr) == 1;
  });
}

std::string pin_of(const Issued& issued) {
  return pin_text(Certificate::parse(issued.certificate).value()->key_id());
}

}  // namespace tls::testing
