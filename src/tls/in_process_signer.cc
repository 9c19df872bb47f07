#include "tls/in_process_signer.h"

#include <atomic>
#include <bit>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/lru_cache.h"
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

base::Result<Prepared> prepare(std::span<const std::uint8_t> der, SignatureScheme scheme,
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

struct PreparedFor {
  KeyId key;
  SignatureScheme scheme;
  bool operator==(const PreparedFor&) const = default;
};
struct HashOfPreparedFor {
  std::size_t operator()(const PreparedFor& what) const noexcept {
    return std::bit_cast<std::array<std::size_t, sizeof(KeyId) / sizeof(std::size_t)>>(
               what.key)[0] ^
           std::to_underlying(what.scheme);
  }
};

constexpr std::size_t kMostReady = 1000;

// A thread's own objects. Keys of many servers take turns: 5 KB each.
struct ThreadKeys {
  LibCtxPtr library{OSSL_LIB_CTX_new()};
  std::size_t most = kMostReady;
  base::LruCache<PreparedFor, Prepared, HashOfPreparedFor> prepared{kMostReady};
};

struct Secret {
  PrivateKeyPtr key;
  std::size_t holds = 0;
};

}  // namespace

// Signing shares the mutex, so whoever has it alone may take from every thread what it prepared.
struct InProcessSigner::Keys {
  mutable std::shared_mutex mutex;  // guards all below; a thread's own objects: see above
  std::map<KeyId, Secret> secrets;
  std::map<std::thread::id, ThreadKeys> threads;
  std::atomic<std::size_t> most_ready = kMostReady;

  void take(const PrivateKeyPtr& key) {
    const std::unique_lock lock(mutex);
    Secret& secret = secrets[key->id()];
    if (secret.holds++ == 0) secret.key = key;
  }

  void release(std::span<const KeyId> ids) {
    const std::unique_lock lock(mutex);
    for (const KeyId& id : ids) {
      const auto found = secrets.find(id);
      CHECK(found != secrets.end());
      if (--found->second.holds > 0) continue;
      secrets.erase(found);
      for (auto& [thread, own] : threads) {
        own.prepared.erase_if(
            [&](const PreparedFor& what, const Prepared&) { return what.key == id; });
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
  TRY(const PrivateKeyPtr key, PrivateKey::parse(pem));
  keys_->take(key);
  return key->id();
}

InProcessSigner::Hold InProcessSigner::hold(std::span<const PrivateKeyPtr> keys) {
  auto held = std::make_shared<HeldKeys>(keys_);
  for (const PrivateKeyPtr& key : keys) {
    keys_->take(key);
    held->ids.push_back(key->id());
  }
  return held;
}

void InProcessSigner::keep_ready(std::size_t most) noexcept { keys_->most_ready = most; }

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
  if (const std::size_t most = keys_->most_ready; most != mine.most) {
    mine.most = most;
    mine.prepared.set_most(most);
  }
  const Prepared* prepared = mine.prepared.find({key, scheme});
  if (prepared == nullptr) {
    auto made = prepare(secret->second.key->der(), scheme, mine.library.get());
    ERR_clear_error();
    if (!made) return base::fail(made.error());
    prepared = &mine.prepared.put({key, scheme}, *std::move(made));
  }
  const auto room = static_cast<std::size_t>(EVP_PKEY_get_size(prepared->key.get()));
  if (signature.size() < room) return base::fail(base::ErrorCode::too_large, "signing");
  return sign_with(*prepared, mine.library.get(), message, signature);
}

}  // namespace tls
