#include "tls/library.h"

#include <openssl/crypto.h>

#include "base/check.h"
#include "tls/openssl.h"

namespace tls {

Library::State::State(Signer& used_signer) : signer(used_signer), context(OSSL_LIB_CTX_new()) {
  CHECK(context != nullptr);
  // In this order: the default provider's RSA, EC and ED25519 are found before ours.
  default_provider.reset(OSSL_PROVIDER_load(context.get(), "default"));
  CHECK(default_provider != nullptr);
  key_provider = load_key_provider(context.get(), signer);
  CHECK(key_provider != nullptr);
  CHECK(EVP_set_default_properties(context.get(), "?provider=default") == 1);
  ticket_cipher.reset(EVP_CIPHER_fetch(context.get(), "AES-256-CBC", nullptr));
  CHECK(ticket_cipher != nullptr);
  previous = OSSL_LIB_CTX_set0_default(context.get());
}

Library::State::~State() {
  certificates_.clear();
  stores_.clear();
  OSSL_LIB_CTX_set0_default(previous);
}

std::shared_ptr<const ParsedCertificate> Library::State::parsed(const CertificatePtr& certificate) {
  if (const auto found = certificates_.find(certificate->id()); found != certificates_.end()) {
    return found->second.parsed;
  }
  if (certificates_.size() >= purge_at_) {
    std::erase_if(certificates_, [](const auto& entry) { return entry.second.source.expired(); });
    purge_at_ = std::max<std::size_t>(64, 2 * certificates_.size());
  }
  auto made = std::make_shared<ParsedCertificate>();
  made->leaf = parse_der(certificate->chain().front());
  made->chain.reset(sk_X509_new_null());
  for (const Certificate::Der& der : std::span(certificate->chain()).subspan(1)) {
    X509Ptr next = parse_der(der);
    if (!next || sk_X509_push(made->chain.get(), next.get()) == 0) return nullptr;
    static_cast<void>(next.release());  // the stack owns it now
  }
  const EVP_PKEY* public_key = made->leaf ? X509_get0_pubkey(made->leaf.get()) : nullptr;
  if (public_key != nullptr) made->key = make_provider_key(context.get(), public_key);
  if (!made->key) return nullptr;
  certificates_[certificate->id()] = {.source = certificate, .parsed = made};
  return made;
}

X509_STORE* Library::State::store_of(const std::shared_ptr<const TrustedCertificates>& trusted) {
  std::erase_if(stores_, [](const auto& entry) { return entry.second.source.expired(); });
  CachedStore& cached = stores_[trusted->id()];
  if (!cached.store) {
    cached.source = trusted;
    cached.store.reset(X509_STORE_new());
    for (const Certificate::Der& der : trusted->certificates()) {
      if (const X509Ptr one = parse_der(der)) X509_STORE_add_cert(cached.store.get(), one.get());
    }
    ERR_clear_error();
  }
  return cached.store.get();
}

Library::Library(Signer& signer) : state_(std::make_unique<State>(signer)) {}
Library::~Library() = default;

const char* library_version() noexcept { return OpenSSL_version(OPENSSL_VERSION); }

}  // namespace tls
