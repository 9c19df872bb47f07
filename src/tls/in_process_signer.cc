#include "tls/in_process_signer.h"

#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tls/openssl.h"

namespace tls {
namespace {

struct SchemeFacts {
  const char* key_name;
  const char* digest;  // null: the scheme has its own
  bool pss;
};

std::optional<SchemeFacts> facts_of(SignatureScheme scheme) {
  using enum SignatureScheme;
  switch (scheme) {
    case rsa_pkcs1_sha1: return SchemeFacts{"RSA", "SHA1", false};
    case rsa_pkcs1_sha256: return SchemeFacts{"RSA", "SHA256", false};
    case rsa_pkcs1_sha384: return SchemeFacts{"RSA", "SHA384", false};
    case rsa_pkcs1_sha512: return SchemeFacts{"RSA", "SHA512", false};
    case rsa_pkcs1_md5_sha1: return SchemeFacts{"RSA", "MD5-SHA1", false};
    case rsa_pss_rsae_sha256: return SchemeFacts{"RSA", "SHA256", true};
    case rsa_pss_rsae_sha384: return SchemeFacts{"RSA", "SHA384", true};
    case rsa_pss_rsae_sha512: return SchemeFacts{"RSA", "SHA512", true};
    case ecdsa_sha1: return SchemeFacts{"EC", "SHA1", false};
    case ecdsa_secp256r1_sha256: return SchemeFacts{"EC", "SHA256", false};
    case ecdsa_secp384r1_sha384: return SchemeFacts{"EC", "SHA384", false};
    case ecdsa_secp521r1_sha512: return SchemeFacts{"EC", "SHA512", false};
    case ed25519: return SchemeFacts{"ED25519", nullptr, false};
  }
  return std::nullopt;
}

// A key made ready for one scheme: the fetching and checking that OpenSSL would do for each
// signature is done once.
struct Prepared {
  PkeyPtr key;
  PkeyCtxPtr context;  // null for Ed25519
  MdPtr digest;
};

using SecretDer = std::vector<std::uint8_t>;

base::Result<Prepared> prepare(const SecretDer& der, SignatureScheme scheme,
                               OSSL_LIB_CTX* library) {
  const auto facts = facts_of(scheme);
  if (!facts) return base::fail(base::ErrorCode::invalid, "unknown signature scheme");
  Prepared made;
  const unsigned char* at = der.data();
  made.key.reset(
      d2i_AutoPrivateKey_ex(nullptr, &at, static_cast<long>(der.size()), library, nullptr));
  if (!made.key || EVP_PKEY_is_a(made.key.get(), facts->key_name) == 0) {
    return base::fail(base::ErrorCode::invalid, "the key cannot make such signatures");
  }
  if (facts->digest == nullptr) return made;
  made.digest.reset(EVP_MD_fetch(library, facts->digest, nullptr));
  made.context.reset(EVP_PKEY_CTX_new_from_pkey(library, made.key.get(), nullptr));
  EVP_PKEY_CTX* context = made.context.get();
  bool fine = made.digest && context != nullptr && EVP_PKEY_sign_init(context) > 0;
  if (fine && facts->pss) fine = EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0;
  fine = fine && EVP_PKEY_CTX_set_signature_md(context, made.digest.get()) > 0;
  if (fine && facts->pss) {
    fine = EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0;
  }
  if (!fine) return base::fail(base::ErrorCode::internal, "preparing a key");
  return made;
}

base::Result<std::size_t> sign_with(const Prepared& prepared, OSSL_LIB_CTX* library,
                                    std::span<const std::uint8_t> message,
                                    std::span<std::uint8_t> signature) {
  std::size_t size = signature.size();
  if (!prepared.context) {
    const MdCtxPtr context(EVP_MD_CTX_new());
    if (EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, library, nullptr, prepared.key.get(),
                              nullptr) <= 0 ||
        EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) <=
            0) {
      return base::fail(base::ErrorCode::internal, "signing");
    }
    return size;
  }
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned int digest_size = 0;
  if (EVP_Digest(message.data(), message.size(), digest.data(), &digest_size, prepared.digest.get(),
                 nullptr) <= 0 ||
      EVP_PKEY_sign(prepared.context.get(), signature.data(), &size, digest.data(), digest_size) <=
          0) {
    return base::fail(base::ErrorCode::internal, "signing");
  }
  return size;
}

// A thread's own objects.
struct ThreadKeys {
  LibCtxPtr library{OSSL_LIB_CTX_new()};
  std::map<std::pair<KeyId, SignatureScheme>, Prepared> prepared;
};

struct Secret {
  SecretDer der;
  std::size_t holds = 0;
};

}  // namespace

// Signing shares the mutex, so whoever has it alone may take from every thread what it prepared.
struct InProcessSigner::Keys {
  LibCtxPtr library{OSSL_LIB_CTX_new()};
  mutable std::shared_mutex mutex;  // guards all below; a thread's own objects: see above
  std::map<KeyId, Secret> secrets;
  std::map<std::thread::id, ThreadKeys> threads;

  ~Keys() {
    for (auto& [id, secret] : secrets) OPENSSL_cleanse(secret.der.data(), secret.der.size());
  }

  std::expected<KeyId, std::string> take(std::string_view pem) {
    TRY(const PkeyPtr key, parse_private_key(pem, library.get()));
    unsigned char* der = nullptr;
    const int size = i2d_PrivateKey(key.get(), &der);
    if (size <= 0) return std::unexpected(take_error_reason());
    const std::span bytes(der, static_cast<std::size_t>(size));
    const KeyId id = key_id_of(key.get());
    {
      const std::unique_lock lock(mutex);
      Secret& secret = secrets[id];
      if (secret.holds++ == 0) secret.der.assign(bytes.begin(), bytes.end());
    }
    OPENSSL_clear_free(der, bytes.size());
    return id;
  }

  void release(std::span<const KeyId> ids) {
    const std::unique_lock lock(mutex);
    for (const KeyId& id : ids) {
      const auto found = secrets.find(id);
      CHECK(found != secrets.end());
      if (--found->second.holds > 0) continue;
      OPENSSL_cleanse(found->second.der.data(), found->second.der.size());
      secrets.erase(found);
      for (auto& [thread, own] : threads) {
        std::erase_if(own.prepared, [&](const auto& entry) { return entry.first.first == id; });
      }
    }
  }

  ThreadKeys& of_this_thread() {
    const auto me = std::this_thread::get_id();
    {
      const std::shared_lock lock(mutex);
      if (const auto found = threads.find(me); found != threads.end()) return found->second;
    }
    const std::unique_lock lock(mutex);
    return threads[me];
  }
};

struct InProcessSigner::HeldKeys {
  std::shared_ptr<Keys> keys;
  std::vector<KeyId> ids{};

  explicit HeldKeys(std::shared_ptr<Keys> of) noexcept : keys(std::move(of)) {}
  HeldKeys(const HeldKeys&) = delete;
  HeldKeys& operator=(const HeldKeys&) = delete;
  ~HeldKeys() { keys->release(ids); }
};

InProcessSigner::InProcessSigner() : keys_(std::make_shared<Keys>()) {}
InProcessSigner::~InProcessSigner() = default;

std::expected<KeyId, std::string> InProcessSigner::add(std::string_view pem) {
  return keys_->take(pem);
}

std::expected<InProcessSigner::Hold, std::string> InProcessSigner::hold(
    const std::vector<std::string>& pems) {
  auto held = std::make_shared<HeldKeys>(keys_);
  for (const std::string& pem : pems) {
    TRY(const KeyId id, keys_->take(pem));
    held->ids.push_back(id);
  }
  return held;
}

std::size_t InProcessSigner::size() const {
  const std::shared_lock lock(keys_->mutex);
  return keys_->secrets.size();
}

base::Result<std::size_t> InProcessSigner::sign(const KeyId& key, SignatureScheme scheme,
                                                std::span<const std::uint8_t> message,
                                                std::span<std::uint8_t> signature) noexcept {
  ThreadKeys& mine = keys_->of_this_thread();
  const std::shared_lock lock(keys_->mutex);
  const auto secret = keys_->secrets.find(key);
  if (secret == keys_->secrets.end()) return base::fail(base::ErrorCode::not_found, "no such key");
  auto found = mine.prepared.find({key, scheme});
  if (found == mine.prepared.end()) {
    auto made = prepare(secret->second.der, scheme, mine.library.get());
    ERR_clear_error();
    if (!made) return base::fail(made.error());
    found = mine.prepared.emplace(std::pair(key, scheme), *std::move(made)).first;
  }
  const auto room = static_cast<std::size_t>(EVP_PKEY_get_size(found->second.key.get()));
  if (signature.size() < room) return base::fail(base::ErrorCode::too_large, "signing");
  return sign_with(found->second, mine.library.get(), message, signature);
}

}  // namespace tls
