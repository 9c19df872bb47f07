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

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/lru_cache.h"
#include "observe/counters.h"
#include "tls/certificate.h"
#include "tls/conf_command.h"
#include "tls/library.h"
#include "tls/revocation_lists.h"
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
using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX_free>>;
using CipherPtr = std::unique_ptr<EVP_CIPHER, Free<EVP_CIPHER_free>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;
using X509StackPtr = std::unique_ptr<STACK_OF(X509), Free<free_x509_stack>>;
using CrlPtr = std::unique_ptr<X509_CRL, Free<X509_CRL_free>>;
using X509StorePtr = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using LibCtxPtr = std::unique_ptr<OSSL_LIB_CTX, Free<OSSL_LIB_CTX_free>>;
using ProviderPtr = std::unique_ptr<OSSL_PROVIDER, Free<OSSL_PROVIDER_unload>>;
using SslCtxPtr = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Free<SSL_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Free<SSL_SESSION_free>>;
using ConfCtxPtr = std::unique_ptr<SSL_CONF_CTX, Free<SSL_CONF_CTX_free>>;

/// The first error of the thread's queue, as nginx shows it: "error:0A0000C1:SSL routines::no
/// shared cipher". Empties the queue. Empty when there was none.
[[nodiscard]] std::string take_error_text();
/// The same without number and library: "no shared cipher".
[[nodiscard]] std::string take_error_reason();

[[nodiscard]] BioPtr bio_over(std::string_view text);
[[nodiscard]] X509Ptr parse_der(std::span<const std::uint8_t> der);
[[nodiscard]] Certificate::Der der_of(const X509* certificate);
/// SHA-256 of a SubjectPublicKeyInfo's DER.
[[nodiscard]] KeyId key_id_of(const X509_PUBKEY* spki);
/// Of the one that `key` has: RSA, EC on a named curve or Ed25519; zeros for any other.
[[nodiscard]] KeyId key_id_of(const EVP_PKEY* key);
/// The names that a certificate is for: subjectAltName, without any the common name.
void read_names(X509* leaf, std::vector<std::string>& dns, std::vector<std::string>& ips);
[[nodiscard]] std::string subject_of(const X509* certificate);
[[nodiscard]] std::string text_of(const X509_NAME* name);  // RFC 2253
[[nodiscard]] base::WallTime time_of(const ASN1_TIME* time);

/// A Certificate as this worker's OpenSSL objects.
struct ParsedCertificate {
  X509Ptr leaf;
  X509StackPtr chain;  // what is sent after the leaf
  PkeyPtr key;         // of our provider: public half and id
};

class KeySchedule;

struct Library::State {
  State(Signer& used_signer, observe::Counters* used_counters);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// Parsed on first use, then kept until it gives way to others or nobody holds the Certificate
  /// any more. Null when OpenSSL does not take it.
  [[nodiscard]] std::shared_ptr<const ParsedCertificate> parsed(const CertificatePtr& certificate);
  /// `revocations` may be null.
  [[nodiscard]] X509_STORE* store_of(const std::shared_ptr<const TrustedCertificates>& trusted,
                                     const std::shared_ptr<const RevocationLists>& revocations);
  /// Fetched on first use, then kept: fetching one costs as much as using it. Null when OpenSSL
  /// does not have it.
  [[nodiscard]] const EVP_CIPHER* cipher(std::string_view name);

  void keep_certificates(std::size_t most);
  void count(observe::Counter counter, std::uint64_t n = 1) noexcept {
    if (counters != nullptr) counters->add(counter, n);
  }

  Signer& signer;
  observe::Counters* counters;
  LibCtxPtr context;
  std::unique_ptr<KeySchedule> schedule;
  ProviderPtr default_provider;
  ProviderPtr key_provider;
  OSSL_LIB_CTX* previous = nullptr;

 private:
  struct CachedCertificate {
    std::weak_ptr<const Certificate> source;
    std::shared_ptr<const ParsedCertificate> parsed;
  };
  struct CachedIntermediate {
    std::weak_ptr<const Certificate::Der> source;
    X509Ptr parsed;
  };
  [[nodiscard]] X509Ptr intermediate(const Certificate::SharedDer& der);
  void purge();

  struct CachedStore {
    std::weak_ptr<const TrustedCertificates> source;
    bool has_revocations = false;
    std::weak_ptr<const RevocationLists> revocations;
    X509StorePtr store;
  };
  base::LruCache<std::uint64_t, CachedCertificate> certificates_{1000};
  std::unordered_map<const Certificate::Der*, CachedIntermediate> intermediates_;
  // By the ids of what is in them.
  std::map<std::pair<std::uint64_t, std::uint64_t>, CachedStore> stores_;
  std::vector<std::pair<std::string_view, CipherPtr>> ciphers_;
  static constexpr std::size_t kPurgeEvery = 64;
  std::size_t parsed_since_purge_ = 0;
};

struct ServerContext::State {
  Library::State& library;
  SslCtxPtr context;
  ServerPolicy policy;
  KeyId scope{};                   // what its sessions are bound to
  std::vector<std::uint8_t> alpn;  // RFC 7301 §3.1's wire form
  std::string groups{};            // the list that OpenSSL took
  std::shared_ptr<TicketKeys> ticket_keys;
  TicketKeys::Copy ticket_copy;
  std::shared_ptr<SessionCache> sessions{};  // null: nothing is kept
  std::shared_ptr<ReplayGuard> replays{};    // null: no early data
  bool makes_ticket = false;  // of TLS 1.3, in OpenSSL's place
};

/// Provider keys (provider.cc). Loads the provider into `context`; its keys sign by `signer`, and
/// it derives TLS 1.3's keys by `schedule`. Both outlive it.
[[nodiscard]] ProviderPtr load_key_provider(OSSL_LIB_CTX* context, Signer& signer,
                                            KeySchedule& schedule);
/// A key of that provider with the public half of `public_key` (RSA, EC or Ed25519), or null.
[[nodiscard]] PkeyPtr make_provider_key(OSSL_LIB_CTX* context, const EVP_PKEY* public_key);

/// What server and client contexts share (context_options.cc). Sentences, empty when all is well.
[[nodiscard]] std::string set_versions(SSL_CTX* context, std::span<const Version> versions);
[[nodiscard]] std::string set_ciphers(SSL_CTX* context, const std::string& ciphers,
                                      const std::string& suites, std::span<const Version> versions);
void set_common_options(SSL_CTX* context);
/// Last of all, since what it is told is never undone: see client_commands.h.
[[nodiscard]] std::string apply_commands(SSL_CTX* context, std::span<const ConfCommand> commands);
/// A command of ssl_conf_command that passed review() (server_commands.cc).
[[nodiscard]] std::string run_command(SSL_CTX* context, const ConfCommand& command);
[[nodiscard]] std::vector<std::uint8_t> alpn_wire_form(std::span<const std::string> protocols);

}  // namespace tls
