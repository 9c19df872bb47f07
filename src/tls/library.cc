#include "tls/library.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/check.h"
#include "observe/counters.h"
#include "tls/key_schedule.h"
#include "tls/openssl.h"

namespace tls {

Library::State::State(Signer& used_signer, observe::Counters* used_counters)
    : signer(used_signer), counters(used_counters), context(OSSL_LIB_CTX_new()) {
  CHECK(context != nullptr);
  // The names of errors and alerts, which are asked for even where no SSL object was ever made.
  CHECK(OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                         nullptr) == 1);
  // In this order: the default provider's RSA, EC and ED25519 are found before ours.
  schedule = std::make_unique<KeySchedule>(context.get());
  default_provider.reset(OSSL_PROVIDER_load(context.get(), "default"));
  CHECK(default_provider != nullptr);
  key_provider = load_key_provider(context.get(), signer, *schedule);
  CHECK(key_provider != nullptr);
  const std::string preferred = std::string("?provider=default,") + kKeyScheduleQuery;
  CHECK(EVP_set_default_properties(context.get(), preferred.c_str()) == 1);
  previous = OSSL_LIB_CTX_set0_default(context.get());
}

Library::State::~State() {
  certificates_.clear();
  intermediates_.clear();
  stores_.clear();
  OSSL_LIB_CTX_set0_default(previous);
}

// What no configuration has any more goes after a while, without being asked for.
void Library::State::purge() {
  if (++parsed_since_purge_ < kPurgeEvery) return;
  parsed_since_purge_ = 0;
  certificates_.erase_if([](std::uint64_t, const auto& cached) { return cached.source.expired(); });
  std::erase_if(intermediates_, [](const auto& entry) { return entry.second.source.expired(); });
}

X509Ptr Library::State::intermediate(const Certificate::SharedDer& der) {
  CachedIntermediate& cached = intermediates_[der.get()];
  if (!cached.parsed || cached.source.expired())
    cached = {.source = der, .parsed = parse_der(*der)};
  if (cached.parsed) X509_up_ref(cached.parsed.get());
  return X509Ptr(cached.parsed.get());
}

std::shared_ptr<const ParsedCertificate> Library::State::parsed(const CertificatePtr& certificate) {
  if (const CachedCertificate* known = certificates_.find(certificate->id())) return known->parsed;
  purge();
  if (counters != nullptr) counters->add(observe::Counter::certificates_parsed);
  auto made = std::make_shared<ParsedCertificate>();
  made->leaf = parse_der(*certificate->chain().front());
  made->chain.reset(sk_X509_new_null());
  for (const Certificate::SharedDer& der : std::span(certificate->chain()).subspan(1)) {
    X509Ptr next = intermediate(der);
    if (!next || sk_X509_push(made->chain.get(), next.get()) == 0) return nullptr;
    static_cast<void>(next.release());  // the stack owns it now
  }
  const EVP_PKEY* public_key = made->leaf ? X509_get0_pubkey(made->leaf.get()) : nullptr;
  if (public_key != nullptr) made->key = make_provider_key(context.get(), public_key);
  if (!made->key) return nullptr;
  return certificates_.put(certificate->id(), {.source = certificate, .parsed = made}).parsed;
}

X509_STORE* Library::State::store_of(const std::shared_ptr<const TrustedCertificates>& trusted,
                                     const std::shared_ptr<const RevocationLists>& revocations) {
  std::erase_if(stores_, [](const auto& entry) {
    const CachedStore& one = entry.second;
    return one.source.expired() || (one.has_revocations && one.revocations.expired());
  });
  CachedStore& cached = stores_[{trusted->id(), revocations ? revocations->id() : 0}];
  if (!cached.store) {
    cached.source = trusted;
    cached.has_revocations = revocations != nullptr;
    cached.revocations = revocations;
    cached.store.reset(X509_STORE_new());
    for (const Certificate::Der& der : trusted->certificates()) {
      if (const X509Ptr one = parse_der(der)) X509_STORE_add_cert(cached.store.get(), one.get());
    }
    if (revocations) {
      for (const RevocationLists::Der& der : revocations->lists()) {
        const unsigned char* at = der.data();
        const CrlPtr one(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())));
        if (one) X509_STORE_add_crl(cached.store.get(), one.get());
      }
    }
    ERR_clear_error();
  }
  return cached.store.get();
}

const EVP_CIPHER* Library::State::cipher(std::string_view name) {
  const auto found = std::ranges::find(ciphers_, name, [](const auto& one) { return one.first; });
  if (found != ciphers_.end()) return found->second.get();
  CipherPtr fetched(EVP_CIPHER_fetch(context.get(), std::string(name).c_str(), nullptr));
  ERR_clear_error();
  return ciphers_.emplace_back(name, std::move(fetched)).second.get();
}

void Library::State::keep_certificates(std::size_t most) { certificates_.set_most(most); }

Library::Library(Signer& signer, observe::Counters* counters)
    : state_(std::make_unique<State>(signer, counters)) {}
Library::~Library() = default;

void Library::keep_certificates(std::size_t most) { state_->keep_certificates(most); }

const char* library_version() noexcept { return OpenSSL_version(OPENSSL_VERSION); }

}  // namespace tls
