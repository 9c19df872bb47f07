#include "tls/private_key.h"

#include <fmt/core.h>
#include <openssl/decoder.h>
#include <openssl/pkcs12.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "base/text.h"
#include "tls/openssl.h"

namespace tls {
namespace {

using DecoderPtr = std::unique_ptr<OSSL_DECODER_CTX, Free<OSSL_DECODER_CTX_free>>;
using EncryptedPtr = std::unique_ptr<X509_SIG, Free<X509_SIG_free>>;
using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Free<PKCS8_PRIV_KEY_INFO_free>>;
using Bytes = std::vector<std::uint8_t>;

constexpr const char* kNotOurs = "its private key is neither RSA nor EC nor Ed25519";
constexpr const char* kUnreadable =
    "its private key cannot be read (damaged, or of an unknown kind)";

void wipe(Bytes& bytes) noexcept { OPENSSL_cleanse(bytes.data(), bytes.size()); }

/// A block of a PEM file.
struct Block {
  std::string label;  // "EC PRIVATE KEY"
  Bytes der;
};

/// One password for OpenSSL's callbacks, and whether it asked.
struct Prompt {
  const std::string* password = nullptr;  // null: none is left
  bool asked = false;
};

// Without it OpenSSL would ask on the terminal.
int answer(char* into, int size, int /*for_writing*/, void* data) {
  auto& prompt = *static_cast<Prompt*>(data);
  prompt.asked = true;
  if (prompt.password == nullptr) return 0;
  const std::span<char> room(into, static_cast<std::size_t>(std::max(size, 0)));
  if (prompt.password->size() > room.size()) return 0;
  std::ranges::copy(*prompt.password, room.begin());
  return static_cast<int>(prompt.password->size());
}

// The first private key's block. PEM's own encryption ("Proc-Type: 4,ENCRYPTED") is undone by it.
std::optional<Block> read_block(std::string_view pem, Prompt& prompt) {
  const BioPtr bio = bio_over(pem);
  unsigned char* data = nullptr;
  char* label = nullptr;
  long size = 0;
  if (PEM_bytes_read_bio(&data, &size, &label, PEM_STRING_EVP_PKEY, bio.get(), answer, &prompt) !=
      1) {
    return std::nullopt;
  }
  const std::span<const unsigned char> bytes(data, static_cast<std::size_t>(size));
  Block block{.label = label, .der = {bytes.begin(), bytes.end()}};
  OPENSSL_free(label);
  OPENSSL_clear_free(data, bytes.size());
  return block;
}

// PKCS #8's EncryptedPrivateKeyInfo to its PrivateKeyInfo.
bool decrypt(Block& block, Prompt& prompt) {
  const unsigned char* at = block.der.data();
  const EncryptedPtr sealed(d2i_X509_SIG(nullptr, &at, static_cast<long>(block.der.size())));
  if (!sealed) return false;
  prompt.asked = true;
  if (prompt.password == nullptr) return false;
  const Pkcs8Ptr opened(PKCS8_decrypt(sealed.get(), prompt.password->data(),
                                      static_cast<int>(prompt.password->size())));
  if (!opened) return false;
  wipe(block.der);
  block.der.resize(
      static_cast<std::size_t>(std::max(i2d_PKCS8_PRIV_KEY_INFO(opened.get(), nullptr), 0)));
  unsigned char* into = block.der.data();
  i2d_PKCS8_PRIV_KEY_INFO(opened.get(), &into);
  block.label = PEM_STRING_PKCS8INF;
  return true;
}

enum class Form : std::uint8_t { pkcs8, own };

/// What a key says that it is.
struct Kind {
  Form form = Form::pkcs8;
  std::string_view type{};  // OpenSSL's name; it is a literal, and so ends with a zero
};

std::expected<Kind, const char*> kind_of(std::string_view label,
                                         std::span<const std::uint8_t> der) {
  if (label == PEM_STRING_RSA) return Kind{Form::own, "RSA"};
  if (label == PEM_STRING_ECPRIVATEKEY) return Kind{Form::own, "EC"};
  if (label != PEM_STRING_PKCS8INF) return std::unexpected(kNotOurs);
  const unsigned char* at = der.data();
  const Pkcs8Ptr info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
  const ASN1_OBJECT* type = nullptr;
  if (!info || PKCS8_pkey_get0(&type, nullptr, nullptr, nullptr, info.get()) != 1) {
    return std::unexpected(kUnreadable);
  }
  switch (OBJ_obj2nid(type)) {
    case NID_rsaEncryption: return Kind{Form::pkcs8, "RSA"};
    case NID_X9_62_id_ecPublicKey: return Kind{Form::pkcs8, "EC"};
    case NID_ED25519: return Kind{Form::pkcs8, "ED25519"};
    default: return std::unexpected(kNotOurs);
  }
}

/// OpenSSL's decoders. To collect those that fit costs ten times as much as to decode a key, so
/// each collection is made once, for one type and form, and kept for the life of the process.
class Decoders {
 public:
  static PkeyPtr decode(const Kind& kind, std::span<const std::uint8_t> der) {
    static Decoders all;
    const std::scoped_lock lock(all.mutex_);
    Decoder& decoder = all.decoder_for(kind);
    const unsigned char* at = der.data();
    std::size_t left = der.size();
    if (OSSL_DECODER_from_data(decoder.context.get(), &at, &left) != 1) decoder.discard();
    ERR_clear_error();
    return PkeyPtr(std::exchange(decoder.key, nullptr));
  }

 private:
  struct Decoder {
    Kind kind;
    EVP_PKEY* key = nullptr;  // where `context` puts what it makes
    DecoderPtr context{};
    void discard() noexcept { EVP_PKEY_free(std::exchange(key, nullptr)); }
  };

  Decoder& decoder_for(const Kind& kind) {
    const auto found = std::ranges::find_if(known_, [&](const auto& one) {
      return one->kind.form == kind.form && one->kind.type == kind.type;
    });
    if (found != known_.end()) return **found;
    Decoder& made = *known_.emplace_back(std::make_unique<Decoder>(Decoder{.kind = kind}));
    made.context.reset(OSSL_DECODER_CTX_new_for_pkey(
        &made.key, "DER", kind.form == Form::pkcs8 ? "PrivateKeyInfo" : "type-specific",
        kind.type.data(), EVP_PKEY_KEYPAIR, library_.get(), nullptr));
    return made;
  }

  std::mutex mutex_;
  LibCtxPtr library_{OSSL_LIB_CTX_new()};
  std::vector<std::unique_ptr<Decoder>> known_;  // five at most
};

std::string unreadable(std::string_view pem, bool asked, std::size_t passwords) {
  if (asked && passwords == 0) return "the private key is encrypted and no password was given";
  if (asked) {
    return passwords == 1
               ? "the private key is encrypted, and the password does not open it"
               : fmt::format("the private key is encrypted, and none of the {} passwords opens it",
                             passwords);
  }
  return pem.find("PRIVATE KEY-----") == std::string_view::npos
             ? "it has no private key (no PEM block \"BEGIN ... PRIVATE KEY\")"
             : kUnreadable;
}

}  // namespace

PrivateKey::PrivateKey(KeyId id, std::vector<std::uint8_t> der) noexcept
    : id_(id), der_(std::move(der)) {}
PrivateKey::~PrivateKey() { wipe(der_); }

bool is_encrypted(std::string_view pem) noexcept {
  const std::size_t key = pem.find("PRIVATE KEY-----");
  if (key == std::string_view::npos) return false;
  // "BEGIN ENCRYPTED PRIVATE KEY" (PKCS #8), or a line "Proc-Type: 4,ENCRYPTED" below (RFC 1421).
  const auto block = pem.substr(0, pem.find("-----END", key));
  return block.contains("BEGIN ENCRYPTED PRIVATE KEY") || block.contains("Proc-Type: 4,ENCRYPTED");
}

std::vector<std::string> parse_passwords(std::string_view text) {
  std::vector<std::string> passwords;
  while (!text.empty()) {
    std::string_view line = base::split_first(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) passwords.emplace_back(line);
  }
  return passwords;
}

void wipe(std::string& text) noexcept {
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

std::expected<PrivateKeyPtr, std::string> PrivateKey::read(std::string_view label,
                                                           std::vector<std::uint8_t> der) {
  // From here on the key's destructor wipes the bytes.
  std::shared_ptr<PrivateKey> key(new PrivateKey({}, std::move(der)));
  const auto kind = kind_of(label, key->der());
  ERR_clear_error();
  if (!kind) return std::unexpected(kind.error());
  const PkeyPtr decoded = Decoders::decode(*kind, key->der());
  if (!decoded) return std::unexpected(kUnreadable);
  key->id_ = key_id_of(decoded.get());
  return key;
}

std::expected<PrivateKeyPtr, std::string> PrivateKey::parse(
    std::string_view pem, std::span<const std::string> passwords) {
  Prompt prompt;
  const auto attempt = [&]() -> std::expected<PrivateKeyPtr, std::string> {
    std::optional<Block> block = read_block(pem, prompt);
    if (block && block->label == PEM_STRING_PKCS8 && !decrypt(*block, prompt)) block.reset();
    ERR_clear_error();
    if (!block) return std::unexpected(unreadable(pem, prompt.asked, passwords.size()));
    return read(block->label, std::move(block->der));
  };
  auto key = attempt();
  if (!prompt.asked) return key;
  for (const std::string& password : passwords) {
    if (key) break;
    prompt.password = &password;
    key = attempt();
    // One wrong password in 256 leaves what looks like padding behind what is no key: it does not
    // fit.
    if (!key && key.error() == kUnreadable) {
      key = std::unexpected(unreadable(pem, prompt.asked, passwords.size()));
    }
  }
  return key;
}

}  // namespace tls
