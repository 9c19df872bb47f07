// What the .cc files of this folder share about OpenSSL: owning pointers, its error queue as text,
// and the worker's objects. Not for other folders: OpenSSL's headers stay in here.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tls/certificate.h"
#include "tls/library.h"
#include "tls/server_context.h"

namespace tls {

template <auto free>
struct Free {
  template <class T>
  void operator()(T* object) const noexcept {
    free(object);
  }
};
inline void free_x509_stack(STACK_OF(X509) * stack) noexcept { sk_X509_pop_free(stack, X509_free); }

using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using PkeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using PkeyCtxPtr = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using MdPtr = std::unique_ptr<EVP_MD, Free<EVP_MD_free>>;
using MdCtxPtr = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using CipherPtr = std::unique_ptr<EVP_CIPHER, Free<EVP_CIPHER_free>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;
using X509StackPtr = std::unique_ptr<STACK_OF(X509), Free<free_x509_stack>>;
using X509StorePtr = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using LibCtxPtr = std::unique_ptr<OSSL_LIB_CTX, Free<OSSL_LIB_CTX_free>>;
using ProviderPtr = std::unique_ptr<OSSL_PROVIDER, Free<OSSL_PROVIDER_unload>>;
using SslCtxPtr = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Free<SSL_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Free<SSL_SESSION_free>>;

/// The first error of the thread's queue, as nginx shows it: "error:0A0000C1:SSL routines::no
/// shared cipher". Empties the queue. Empty when there was none.
[[nodiscard]] std::string take_error_text();
/// The same without number and library: "no shared cipher".
[[nodiscard]] std::string take_error_reason();

[[nodiscard]] BioPtr bio_over(std::string_view text);
[[nodiscard]] X509Ptr parse_der(std::span<const std::uint8_t> der);
/// SHA-256 of the key's SubjectPublicKeyInfo.
[[nodiscard]] KeyId key_id_of(const EVP_PKEY* key);
/// The names that a certificate is for: subjectAltName, without any the common name.
void read_names(X509* leaf, std::vector<std::string>& dns, std::vector<std::string>& ips);
[[nodiscard]] std::string subject_of(const X509* certificate);
/// The first private key in `pem`, in the library context `context` (null: the thread's).
[[nodiscard]] std::expected<PkeyPtr, std::string> parse_private_key(std::string_view pem,
                                                                    OSSL_LIB_CTX* context);

/// A Certificate as this worker's OpenSSL objects.
struct ParsedCertificate {
  X509Ptr leaf;
  X509StackPtr chain;  // what is sent after the leaf
  PkeyPtr key;         // of our provider: public half and id
};

struct Library::State {
  explicit State(Signer& used_signer);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// Parsed on first use, then kept for as long as somebody holds the Certificate. Null when
  /// OpenSSL does not take it.
  [[nodiscard]] std::shared_ptr<const ParsedCertificate> parsed(const CertificatePtr& certificate);
  [[nodiscard]] X509_STORE* store_of(const std::shared_ptr<const TrustedCertificates>& trusted);

  Signer& signer;
  LibCtxPtr context;
  ProviderPtr default_provider;
  ProviderPtr key_provider;
  CipherPtr ticket_cipher;
  OSSL_LIB_CTX* previous = nullptr;

 private:
  struct CachedCertificate {
    std::weak_ptr<const Certificate> source;
    std::shared_ptr<const ParsedCertificate> parsed;
  };
  struct CachedStore {
    std::weak_ptr<const TrustedCertificates> source;
    X509StorePtr store;
  };
  std::unordered_map<std::uint64_t, CachedCertificate> certificates_;
  std::unordered_map<std::uint64_t, CachedStore> stores_;
  std::size_t purge_at_ = 64;
};

struct ServerContext::State {
  Library::State& library;
  SslCtxPtr context;
  ServerPolicy policy;
  KeyId scope{};                   // what its sessions are bound to
  std::vector<std::uint8_t> alpn;  // RFC 7301 §3.1's wire form
  std::shared_ptr<TicketKeys> ticket_keys;
  TicketKeys::Copy ticket_copy;
};

/// Provider keys (provider.cc). Loads the provider into `context`; its keys sign by `signer`.
[[nodiscard]] ProviderPtr load_key_provider(OSSL_LIB_CTX* context, Signer& signer);
/// A key of that provider with the public half of `public_key` (RSA, EC or Ed25519), or null.
[[nodiscard]] PkeyPtr make_provider_key(OSSL_LIB_CTX* context, const EVP_PKEY* public_key);

/// What server and client contexts share (context_options.cc). Sentences, empty when all is well.
[[nodiscard]] std::string set_versions(SSL_CTX* context, std::span<const Version> versions);
[[nodiscard]] std::string set_ciphers(SSL_CTX* context, const std::string& ciphers,
                                      const std::string& suites, std::span<const Version> versions);
void set_common_options(SSL_CTX* context);
[[nodiscard]] std::vector<std::uint8_t> alpn_wire_form(std::span<const std::string> protocols);

}  // namespace tls
