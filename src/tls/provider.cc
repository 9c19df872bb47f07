// The OpenSSL provider whose private keys are somewhere else. A key object holds the key's id and,
// as a key of the default provider, its public half; whatever concerns the public half is asked
// there.
//
// OpenSSL chooses a provider by the key: EVP_DigestSignInit asks the key's key management for the
// name of its signature algorithm. Ours have names of their own, so that the default provider's are
// never tried (which would want to export the private part to it, once per handshake, in vain).
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/proverr.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>

#include "tls/key_schedule.h"
#include "tls/openssl.h"

namespace tls {
namespace {

constexpr const char* kProviderName = "sallyport";
constexpr const char* kProperties = "provider=sallyport";
constexpr const char* kNotOurs = "provider=default";
constexpr const char* kSpki = "sallyport-spki";

struct Provider {
  Signer& signer;
  OSSL_LIB_CTX* context;
  KeySchedule& schedule;
};

struct Key {
  Provider& provider;
  PkeyPtr public_half;
  KeyId id{};
  bool signs = false;  // false: only a public key, imported to be compared
};

using Function = void (*)();
template <class F>
OSSL_DISPATCH entry(int id, F* function) {
  return {id, reinterpret_cast<Function>(function)};
}
constexpr OSSL_DISPATCH kEnd{0, nullptr};

// ---- key management
// ------------------------------------------------------------------------------

template <KeyType type>
constexpr const char* kKeyName = type == KeyType::rsa  ? "RSA"
                                 : type == KeyType::ec ? "EC"
                                                       : "ED25519";
template <KeyType type>
constexpr const char* kSignatureName = type == KeyType::rsa  ? "SALLYPORT-RSA"
                                       : type == KeyType::ec ? "SALLYPORT-ECDSA"
                                                             : "SALLYPORT-ED25519";

void* key_new(void* provider) {
  return new (std::nothrow)
      Key{.provider = *static_cast<Provider*>(provider), .public_half = nullptr};
}
void key_free(void* key) { delete static_cast<Key*>(key); }

int key_has(const void* opaque, int selection) {
  const Key& key = *static_cast<const Key*>(opaque);
  if (!key.public_half) return 0;
  return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || key.signs ? 1 : 0;
}

int key_match(const void* first, const void* second, int selection) {
  const Key& a = *static_cast<const Key*>(first);
  const Key& b = *static_cast<const Key*>(second);
  if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0) {
    return a.id == b.id && a.id != KeyId{} ? 1 : 0;  // all zeros: it has none
  }
  return EVP_PKEY_parameters_eq(a.public_half.get(), b.public_half.get()) == 1 ? 1 : 0;
}

template <KeyType type>
int key_import(void* opaque, int selection, const OSSL_PARAM params[]) {
  Key& key = *static_cast<Key*>(opaque);
  if (const OSSL_PARAM* spki = OSSL_PARAM_locate_const(params, kSpki)) {
    const auto* at = static_cast<const unsigned char*>(spki->data);
    key.public_half.reset(d2i_PUBKEY_ex(nullptr, &at, static_cast<long>(spki->data_size),
                                        key.provider.context, kNotOurs));
    key.signs = true;
  } else {
    const PkeyCtxPtr from(
        EVP_PKEY_CTX_new_from_name(key.provider.context, kKeyName<type>, kNotOurs));
    EVP_PKEY* made = nullptr;
    if (from && EVP_PKEY_fromdata_init(from.get()) > 0) {
      EVP_PKEY_fromdata(from.get(), &made, selection & EVP_PKEY_PUBLIC_KEY,
                        const_cast<OSSL_PARAM*>(params));
    }
    key.public_half.reset(made);
  }
  if (!key.public_half) return 0;
  key.id = key_id_of(key.public_half.get());
  return 1;
}

// The public half's own parameters; for a private part there is nothing that could be given.
int key_export(void* opaque, int selection, OSSL_CALLBACK* callback, void* argument) {
  const Key& key = *static_cast<const Key*>(opaque);
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0) {
    ERR_raise(ERR_LIB_PROV, PROV_R_NOT_A_PRIVATE_KEY);
    return 0;
  }
  OSSL_PARAM* params = nullptr;
  if (EVP_PKEY_todata(key.public_half.get(), EVP_PKEY_PUBLIC_KEY, &params) <= 0) return 0;
  const int result = callback(params, argument);
  OSSL_PARAM_free(params);
  return result;
}

constexpr OSSL_PARAM described(const char* name, unsigned int type) {
  return {name, type, nullptr, 0, OSSL_PARAM_UNMODIFIED};
}
constexpr OSSL_PARAM kNoMore{nullptr, 0, nullptr, 0, 0};

const OSSL_PARAM* key_transfer_types(int /*selection*/) {
  static constexpr std::array types{described(kSpki, OSSL_PARAM_OCTET_STRING),
                                    described(OSSL_PKEY_PARAM_PUB_KEY, OSSL_PARAM_OCTET_STRING),
                                    described(OSSL_PKEY_PARAM_GROUP_NAME, OSSL_PARAM_UTF8_STRING),
                                    described(OSSL_PKEY_PARAM_RSA_N, OSSL_PARAM_UNSIGNED_INTEGER),
                                    described(OSSL_PKEY_PARAM_RSA_E, OSSL_PARAM_UNSIGNED_INTEGER),
                                    kNoMore};
  return types.data();
}

int key_get_params(void* opaque, OSSL_PARAM params[]) {
  return EVP_PKEY_get_params(static_cast<Key*>(opaque)->public_half.get(), params);
}
const OSSL_PARAM* key_gettable_params(void* /*provider*/) {
  static constexpr std::array types{
      described(OSSL_PKEY_PARAM_BITS, OSSL_PARAM_INTEGER),
      described(OSSL_PKEY_PARAM_SECURITY_BITS, OSSL_PARAM_INTEGER),
      described(OSSL_PKEY_PARAM_MAX_SIZE, OSSL_PARAM_INTEGER),
      described(OSSL_PKEY_PARAM_GROUP_NAME, OSSL_PARAM_UTF8_STRING),
      described(OSSL_PKEY_PARAM_DEFAULT_DIGEST, OSSL_PARAM_UTF8_STRING),
      described(OSSL_PKEY_PARAM_MANDATORY_DIGEST, OSSL_PARAM_UTF8_STRING),
      described(OSSL_PKEY_PARAM_RSA_N, OSSL_PARAM_UNSIGNED_INTEGER),
      described(OSSL_PKEY_PARAM_RSA_E, OSSL_PARAM_UNSIGNED_INTEGER),
      described(OSSL_PKEY_PARAM_PUB_KEY, OSSL_PARAM_OCTET_STRING),
      kNoMore};
  return types.data();
}

template <KeyType type>
const char* key_operation_name(int operation) {
  return operation == OSSL_OP_SIGNATURE ? kSignatureName<type> : nullptr;
}

template <KeyType type>
const std::array kKeyFunctions{
    entry(OSSL_FUNC_KEYMGMT_NEW, key_new),
    entry(OSSL_FUNC_KEYMGMT_FREE, key_free),
    entry(OSSL_FUNC_KEYMGMT_HAS, key_has),
    entry(OSSL_FUNC_KEYMGMT_MATCH, key_match),
    entry(OSSL_FUNC_KEYMGMT_IMPORT, key_import<type>),
    entry(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_transfer_types),
    entry(OSSL_FUNC_KEYMGMT_EXPORT, key_export),
    entry(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_transfer_types),
    entry(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),
    entry(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params),
    entry(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_operation_name<type>),
    kEnd};

// ---- signatures
// ----------------------------------------------------------------------------------

enum class Digest : std::uint8_t { none, md5_sha1, sha1, sha256, sha384, sha512 };

struct Signing {
  Provider& provider;
  const Key* key = nullptr;
  Digest digest = Digest::none;
  bool pss = false;
};

std::optional<Digest> digest_named(const char* name) {
  struct Known {
    std::string_view name;
    Digest digest;
  };
  static constexpr std::array known{
      Known{"", Digest::none},         Known{"SHA2-256", Digest::sha256},
      Known{"SHA256", Digest::sha256}, Known{"SHA2-384", Digest::sha384},
      Known{"SHA384", Digest::sha384}, Known{"SHA2-512", Digest::sha512},
      Known{"SHA512", Digest::sha512}, Known{"SHA1", Digest::sha1},
      Known{"SHA-1", Digest::sha1},    Known{"MD5-SHA1", Digest::md5_sha1},
  };
  const std::string_view wanted = name == nullptr ? "" : name;
  const auto found = std::ranges::find(known, wanted, &Known::name);
  if (found == known.end()) return std::nullopt;
  return found->digest;
}

template <KeyType type>
std::optional<SignatureScheme> scheme_of(const Signing& signing) {
  using enum SignatureScheme;
  if constexpr (type == KeyType::ed25519) {
    if (signing.digest == Digest::none) return ed25519;
    return std::nullopt;
  }
  constexpr bool rsa = type == KeyType::rsa;
  switch (signing.digest) {
    case Digest::none: return std::nullopt;
    case Digest::md5_sha1:
      if (rsa && !signing.pss) return rsa_pkcs1_md5_sha1;
      return std::nullopt;
    case Digest::sha1:
      if (signing.pss) return std::nullopt;
      return rsa ? rsa_pkcs1_sha1 : ecdsa_sha1;
    case Digest::sha256:
      if (signing.pss) return rsa_pss_rsae_sha256;
      return rsa ? rsa_pkcs1_sha256 : ecdsa_secp256r1_sha256;
    case Digest::sha384:
      if (signing.pss) return rsa_pss_rsae_sha384;
      return rsa ? rsa_pkcs1_sha384 : ecdsa_secp384r1_sha384;
    case Digest::sha512:
      if (signing.pss) return rsa_pss_rsae_sha512;
      return rsa ? rsa_pkcs1_sha512 : ecdsa_secp521r1_sha512;
  }
  return std::nullopt;
}

void* signing_new(void* provider, const char* /*properties*/) {
  return new (std::nothrow) Signing{.provider = *static_cast<Provider*>(provider)};
}
void signing_free(void* signing) { delete static_cast<Signing*>(signing); }
void* signing_dup(void* signing) {
  return new (std::nothrow) Signing(*static_cast<Signing*>(signing));
}

// OpenSSL names the padding by a number or by a word, depending on how it was set.
int signing_set_params(void* opaque, const OSSL_PARAM params[]) {
  Signing& signing = *static_cast<Signing*>(opaque);
  if (params == nullptr) return 1;
  if (const OSSL_PARAM* pad = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE)) {
    if (pad->data_type == OSSL_PARAM_UTF8_STRING) {
      const char* word = nullptr;
      if (OSSL_PARAM_get_utf8_string_ptr(pad, &word) == 0) return 0;
      signing.pss = std::string_view(word) == OSSL_PKEY_RSA_PAD_MODE_PSS;
    } else {
      int number = 0;
      if (OSSL_PARAM_get_int(pad, &number) == 0) return 0;
      signing.pss = number == RSA_PKCS1_PSS_PADDING;
    }
  }
  // The salt's length is the digest's in every scheme of TLS (RFC 8446 §4.2.3); nothing else is
  // asked.
  return 1;
}
const OSSL_PARAM* signing_settable_params(void* /*signing*/, void* /*provider*/) {
  static constexpr std::array types{
      described(OSSL_SIGNATURE_PARAM_PAD_MODE, OSSL_PARAM_UTF8_STRING),
      described(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, OSSL_PARAM_UTF8_STRING),
      described(OSSL_SIGNATURE_PARAM_DIGEST, OSSL_PARAM_UTF8_STRING),
      described(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, OSSL_PARAM_UTF8_STRING), kNoMore};
  return types.data();
}

int signing_init(void* opaque, const char* digest, void* key, const OSSL_PARAM params[]) {
  Signing& signing = *static_cast<Signing*>(opaque);
  if (key != nullptr) signing.key = static_cast<const Key*>(key);
  const auto found = digest_named(digest);
  if (signing.key == nullptr || !signing.key->signs || !found) {
    ERR_raise_data(ERR_LIB_PROV, PROV_R_INVALID_DIGEST, "%s", digest == nullptr ? "none" : digest);
    return 0;
  }
  signing.digest = *found;
  return signing_set_params(opaque, params);
}

template <KeyType type>
int signing_sign(void* opaque, unsigned char* signature, std::size_t* size, std::size_t capacity,
                 const unsigned char* message, std::size_t message_size) {
  const Signing& signing = *static_cast<const Signing*>(opaque);
  if (signature == nullptr) {
    *size = static_cast<std::size_t>(EVP_PKEY_get_size(signing.key->public_half.get()));
    return 1;
  }
  const auto scheme = scheme_of<type>(signing);
  if (!scheme) {
    ERR_raise(ERR_LIB_PROV, PROV_R_INVALID_DIGEST);
    return 0;
  }
  const auto written = signing.provider.signer.sign(
      signing.key->id, *scheme, std::span(message, message_size), std::span(signature, capacity));
  if (!written) {
    const std::string_view words = base::name_of(written.error().code);
    ERR_raise_data(ERR_LIB_PROV, PROV_R_FAILED_TO_SIGN, "the signer says %.*s",
                   static_cast<int>(words.size()), words.data());
    return 0;
  }
  *size = *written;
  return 1;
}

template <KeyType type>
const std::array kSignatureFunctions{
    entry(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
    entry(OSSL_FUNC_SIGNATURE_FREECTX, signing_free),
    entry(OSSL_FUNC_SIGNATURE_DUPCTX, signing_dup),
    entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signing_init),
    entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signing_sign<type>),
    entry(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signing_set_params),
    entry(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signing_settable_params),
    kEnd};

// ---- the provider
// --------------------------------------------------------------------------------

template <KeyType type>
const OSSL_ALGORITHM kKeyAlgorithm{kKeyName<type>, kProperties, kKeyFunctions<type>.data(),
                                   nullptr};
template <KeyType type>
const OSSL_ALGORITHM kSignatureAlgorithm{kSignatureName<type>, kProperties,
                                         kSignatureFunctions<type>.data(), nullptr};
constexpr OSSL_ALGORITHM kNoAlgorithm{nullptr, nullptr, nullptr, nullptr};

const OSSL_ALGORITHM* query(void* /*provider*/, int operation, int* no_cache) {
  static const std::array keys{kKeyAlgorithm<KeyType::rsa>, kKeyAlgorithm<KeyType::ec>,
                               kKeyAlgorithm<KeyType::ed25519>, kNoAlgorithm};
  static const std::array signatures{kSignatureAlgorithm<KeyType::rsa>,
                                     kSignatureAlgorithm<KeyType::ec>,
                                     kSignatureAlgorithm<KeyType::ed25519>, kNoAlgorithm};
  *no_cache = 0;
  if (operation == OSSL_OP_KEYMGMT) return keys.data();
  if (operation == OSSL_OP_SIGNATURE) return signatures.data();
  if (operation == OSSL_OP_KDF) return key_schedule_algorithms();
  return nullptr;
}

void teardown(void* provider) { delete static_cast<Provider*>(provider); }

// What the provider being loaded on this thread is to be made of: OpenSSL hands nothing through.
thread_local const Provider* loading = nullptr;

int initialise(const OSSL_CORE_HANDLE* /*core*/, const OSSL_DISPATCH* /*in*/,
               const OSSL_DISPATCH** out, void** provider) {
  static const std::array functions{entry(OSSL_FUNC_PROVIDER_TEARDOWN, teardown),
                                    entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), kEnd};
  if (loading == nullptr) return 0;
  *out = functions.data();
  *provider = new (std::nothrow) Provider(*loading);
  return *provider != nullptr ? 1 : 0;
}

}  // namespace

KeySchedule* key_schedule_of(void* provider) noexcept {
  return &static_cast<Provider*>(provider)->schedule;
}

ProviderPtr load_key_provider(OSSL_LIB_CTX* context, Signer& signer, KeySchedule& schedule) {
  const Provider made_of{.signer = signer, .context = context, .schedule = schedule};
  loading = &made_of;
  ProviderPtr provider;
  if (OSSL_PROVIDER_add_builtin(context, kProviderName, initialise) != 0) {
    provider.reset(OSSL_PROVIDER_load(context, kProviderName));
  }
  loading = nullptr;
  return provider;
}

PkeyPtr make_provider_key(OSSL_LIB_CTX* context, const EVP_PKEY* public_key) {
  unsigned char* spki = nullptr;
  const int size = i2d_PUBKEY(public_key, &spki);
  if (size <= 0) return nullptr;
  const std::array params{
      OSSL_PARAM_construct_octet_string(kSpki, spki, static_cast<std::size_t>(size)),
      OSSL_PARAM_construct_end()};
  const PkeyCtxPtr from(
      EVP_PKEY_CTX_new_from_name(context, EVP_PKEY_get0_type_name(public_key), kProperties));
  EVP_PKEY* key = nullptr;
  if (from && EVP_PKEY_fromdata_init(from.get()) > 0) {
    EVP_PKEY_fromdata(from.get(), &key, EVP_PKEY_KEYPAIR, const_cast<OSSL_PARAM*>(params.data()));
  }
  OPENSSL_free(spki);
  return PkeyPtr(key);
}

}  // namespace tls
