#include "tls/key_schedule.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include <algorithm>
#include <optional>

#include "base/check.h"

namespace tls {
namespace {

using Bytes = std::span<const std::uint8_t>;

thread_local ConnectionSecrets* captured = nullptr;

Bytes bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

constexpr std::size_t kBlocks[] = {64, 128};  // of SHA-256 and SHA-384 (FIPS 180-4 §1)
constexpr std::size_t kMaxBlock = 128;
constexpr std::string_view kPrefix = "tls13 ";

// Bytes that are wiped at the end of the scope.
template <std::size_t size>
struct Scratch {
  ~Scratch() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
  std::array<std::uint8_t, size> bytes{};
};

// What libssl asks for, as the parameters of OpenSSL's own TLS13-KDF name it.
struct Question {
  int mode = -1;
  std::optional<KeySchedule::Hash> hash;
  Bytes key;
  Bytes salt;
  std::string_view label;
  Bytes data;
};

std::optional<KeySchedule::Hash> hash_named(std::string_view name) noexcept {
  if (name == "SHA2-256" || name == "SHA256") return KeySchedule::Hash::sha256;
  if (name == "SHA2-384" || name == "SHA384") return KeySchedule::Hash::sha384;
  return std::nullopt;
}

bool read_params(const OSSL_PARAM params[], Question& question) {
  for (const OSSL_PARAM* param = params; param != nullptr && param->key != nullptr; ++param) {
    const std::string_view name = param->key;
    const Bytes bytes(static_cast<const std::uint8_t*>(param->data), param->data_size);
    if (name == OSSL_KDF_PARAM_MODE) {
      if (OSSL_PARAM_get_int(param, &question.mode) != 1) return false;
    } else if (name == OSSL_KDF_PARAM_DIGEST) {
      const char* digest = nullptr;
      if (OSSL_PARAM_get_utf8_string_ptr(param, &digest) != 1) return false;
      question.hash = hash_named(digest);
    } else if (name == OSSL_KDF_PARAM_KEY) {
      question.key = bytes;
    } else if (name == OSSL_KDF_PARAM_SALT) {
      question.salt = bytes;
    } else if (name == OSSL_KDF_PARAM_LABEL) {
      question.label = {static_cast<const char*>(param->data), param->data_size};
    } else if (name == OSSL_KDF_PARAM_DATA) {
      question.data = bytes;
    } else if (name == OSSL_KDF_PARAM_PREFIX) {
      if (!std::ranges::equal(bytes, bytes_of(kPrefix))) return false;
    }
  }
  return question.hash.has_value();
}

void capture(std::string_view label, Bytes secret) noexcept {
  if (captured == nullptr || secret.size() > Secret::kMaxSize) return;
  if (label == "c ap traffic") captured->client.assign(secret);
  if (label == "s ap traffic") captured->server.assign(secret);
  if (label == "res master") captured->resumption.assign(secret);
}

// ---- the algorithm, as a provider shows it

// A derivation is told everything at once, so that its context needs to hold nothing of its own.
void* kdf_new(void* provider) { return key_schedule_of(provider); }
void kdf_free(void* /*schedule*/) {}
void kdf_reset(void* /*schedule*/) {}

int kdf_derive(void* schedule, unsigned char* out, std::size_t size, const OSSL_PARAM params[]) {
  Question question;
  if (!read_params(params, question)) return 0;
  KeySchedule& keys = *static_cast<KeySchedule*>(schedule);
  const std::span into(out, size);
  if (question.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY) {
    return keys.extract(*question.hash, question.salt, question.label, question.key, into) ? 1 : 0;
  }
  if (question.mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY ||
      !keys.expand_label(*question.hash, question.key, question.label, question.data, into)) {
    return 0;
  }
  capture(question.label, into);
  return 1;
}

const OSSL_PARAM* kdf_settable(void* /*schedule*/, void* /*provider*/) {
  static constexpr std::array<OSSL_PARAM, 8> types{{
      {OSSL_KDF_PARAM_MODE, OSSL_PARAM_INTEGER, nullptr, 0, 0},
      {OSSL_KDF_PARAM_DIGEST, OSSL_PARAM_UTF8_STRING, nullptr, 0, 0},
      {OSSL_KDF_PARAM_KEY, OSSL_PARAM_OCTET_STRING, nullptr, 0, 0},
      {OSSL_KDF_PARAM_SALT, OSSL_PARAM_OCTET_STRING, nullptr, 0, 0},
      {OSSL_KDF_PARAM_PREFIX, OSSL_PARAM_OCTET_STRING, nullptr, 0, 0},
      {OSSL_KDF_PARAM_LABEL, OSSL_PARAM_OCTET_STRING, nullptr, 0, 0},
      {OSSL_KDF_PARAM_DATA, OSSL_PARAM_OCTET_STRING, nullptr, 0, 0},
      {nullptr, 0, nullptr, 0, 0},
  }};
  return types.data();
}

using Function = void (*)();

}  // namespace

void Secret::assign(Bytes bytes) noexcept {
  std::ranges::copy(bytes, resize(bytes.size()).begin());
}

std::span<std::uint8_t> Secret::resize(std::size_t size) noexcept {
  CHECK(size <= kMaxSize);
  size_ = size;
  return std::span(bytes_).first(size);
}

KeySchedule::Capture::Capture(KeySchedule& schedule, ConnectionSecrets* into) noexcept
    : schedule_(schedule) {
  captured = into;
}
KeySchedule::Capture::~Capture() {
  captured = nullptr;
  schedule_.forget();
}

KeySchedule::Digest* KeySchedule::digest_for(Hash hash) noexcept {
  Digest& digest = digests_[hash == Hash::sha256 ? 0 : 1];
  if (!digest.state) {
    digest.algorithm.reset(
        EVP_MD_fetch(context_, hash == Hash::sha256 ? "SHA256" : "SHA384", "provider=default"));
    if (!digest.algorithm) return nullptr;
    digest.state.reset(EVP_MD_CTX_new());
    if (!digest.state) return nullptr;
  }
  return &digest;
}

// RFC 2104 §2, for keys that are not longer than a block: those of TLS 1.3 are as long as a hash.
const KeySchedule::Keyed* KeySchedule::keyed(Hash hash, Bytes key) noexcept {
  const auto known = std::ranges::find_if(keyed_, [&](const Keyed& one) {
    const Bytes have = one.key.bytes();
    return one.hash == hash && !have.empty() && have.size() == key.size() &&
           CRYPTO_memcmp(have.data(), key.data(), key.size()) == 0;
  });
  if (known != keyed_.end()) {
    oldest_ = known == keyed_.begin() ? 1 : 0;
    return &*known;
  }
  Digest* digest = digest_for(hash);
  Keyed& made = keyed_[oldest_];
  if (!made.inner) made.inner.reset(EVP_MD_CTX_new());
  if (!made.outer) made.outer.reset(EVP_MD_CTX_new());
  if (digest == nullptr || !made.inner || !made.outer) return nullptr;
  made.key.wipe();
  Scratch<kMaxBlock> pad;
  const auto begin = [&](EVP_MD_CTX* state, std::uint8_t filling) {
    const auto padded = std::span(pad.bytes).first(kBlocks[hash == Hash::sha256 ? 0 : 1]);
    std::ranges::fill(padded, filling);
    std::ranges::transform(key, padded.begin(), [filling](std::uint8_t byte) {
      return static_cast<std::uint8_t>(byte ^ filling);
    });
    return EVP_DigestInit_ex2(state, digest->algorithm.get(), nullptr) == 1 &&
           EVP_DigestUpdate(state, padded.data(), padded.size()) == 1;
  };
  if (!begin(made.inner.get(), 0x36) || !begin(made.outer.get(), 0x5c)) return nullptr;
  made.hash = hash;
  made.key.assign(key);
  oldest_ = 1 - oldest_;
  return &made;
}

bool KeySchedule::hmac(Hash hash, Bytes key, std::span<const Bytes> message,
                       std::span<std::uint8_t> into) noexcept {
  const std::size_t size = size_of(hash);
  if (key.size() > Secret::kMaxSize || into.size() != size) return false;
  Digest* digest = digest_for(hash);
  const Keyed* begun = digest == nullptr ? nullptr : keyed(hash, key);
  if (begun == nullptr) return false;
  EVP_MD_CTX* state = digest->state.get();
  if (EVP_MD_CTX_copy_ex(state, begun->inner.get()) != 1) return false;
  for (const Bytes part : message) {
    if (EVP_DigestUpdate(state, part.data(), part.size()) != 1) return false;
  }
  Scratch<Secret::kMaxSize> inner;
  return EVP_DigestFinal_ex(state, inner.bytes.data(), nullptr) == 1 &&
         EVP_MD_CTX_copy_ex(state, begun->outer.get()) == 1 &&
         EVP_DigestUpdate(state, inner.bytes.data(), size) == 1 &&
         EVP_DigestFinal_ex(state, into.data(), nullptr) == 1;
}

void KeySchedule::forget() noexcept {
  for (Keyed& one : keyed_) {
    one.key.wipe();
    EVP_MD_CTX_reset(one.inner.get());  // wipes, too
    EVP_MD_CTX_reset(one.outer.get());
  }
  for (Digest& digest : digests_) EVP_MD_CTX_reset(digest.state.get());  // it has gone on from one
}

bool KeySchedule::expand_label(Hash hash, Bytes secret, std::string_view label, Bytes context,
                               std::span<std::uint8_t> into) noexcept {
  const std::size_t size = size_of(hash);
  if (into.size() > size * 255 || label.size() + kPrefix.size() > 255 || context.size() > 255) {
    return false;
  }
  // struct HkdfLabel: uint16 length, opaque label<7..255>, opaque context<0..255>.
  const std::array<std::uint8_t, 3> head{static_cast<std::uint8_t>(into.size() >> 8U),
                                         static_cast<std::uint8_t>(into.size() & 0xffU),
                                         static_cast<std::uint8_t>(kPrefix.size() + label.size())};
  const std::array<std::uint8_t, 1> context_size{static_cast<std::uint8_t>(context.size())};
  // RFC 5869 §2.3: T(n) = HMAC(PRK, T(n - 1) | info | n).
  Scratch<Secret::kMaxSize> block;
  Bytes previous;
  for (std::uint8_t number = 1; !into.empty(); ++number) {
    const std::array<std::uint8_t, 1> counter{number};
    const std::array<Bytes, 7> message{
        previous, head, bytes_of(kPrefix), bytes_of(label), context_size, context, counter};
    if (!hmac(hash, secret, message, std::span(block.bytes).first(size))) return false;
    previous = std::span(block.bytes).first(size);
    const std::size_t count = std::min(size, into.size());
    std::ranges::copy(previous.first(count), into.begin());
    into = into.subspan(count);
  }
  return true;
}

bool KeySchedule::extract(Hash hash, Bytes previous, std::string_view label, Bytes input,
                          std::span<std::uint8_t> into) noexcept {
  static constexpr std::array<std::uint8_t, Secret::kMaxSize> zeros{};
  const std::size_t size = size_of(hash);
  Scratch<Secret::kMaxSize> salt;
  if (!previous.empty()) {
    Digest* digest = digest_for(hash);
    Scratch<Secret::kMaxSize> nothing;
    if (digest == nullptr ||
        EVP_DigestInit_ex2(digest->state.get(), digest->algorithm.get(), nullptr) != 1 ||
        EVP_DigestFinal_ex(digest->state.get(), nothing.bytes.data(), nullptr) != 1 ||
        !expand_label(hash, previous, label, std::span(nothing.bytes).first(size),
                      std::span(salt.bytes).first(size))) {
      return false;
    }
  }
  const std::array<Bytes, 1> message{input.empty() ? Bytes(zeros).first(size) : input};
  return hmac(hash, std::span(salt.bytes).first(size), message, into);
}

const OSSL_ALGORITHM* key_schedule_algorithms() noexcept {
  static const std::array functions{
      OSSL_DISPATCH{OSSL_FUNC_KDF_NEWCTX, reinterpret_cast<Function>(kdf_new)},
      OSSL_DISPATCH{OSSL_FUNC_KDF_FREECTX, reinterpret_cast<Function>(kdf_free)},
      OSSL_DISPATCH{OSSL_FUNC_KDF_RESET, reinterpret_cast<Function>(kdf_reset)},
      OSSL_DISPATCH{OSSL_FUNC_KDF_DERIVE, reinterpret_cast<Function>(kdf_derive)},
      OSSL_DISPATCH{OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, reinterpret_cast<Function>(kdf_settable)},
      OSSL_DISPATCH{0, nullptr}};
  static const std::array algorithms{
      OSSL_ALGORITHM{OSSL_KDF_NAME_TLS1_3_KDF,
                     "provider=sallyport,version=sallyport,structure=tls13", functions.data(),
                     nullptr},
      OSSL_ALGORITHM{nullptr, nullptr, nullptr, nullptr}};
  return algorithms.data();
}

}  // namespace tls
