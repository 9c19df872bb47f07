#include "tls/record_protection.h"

#include <algorithm>

#include "base/check.h"

namespace tls {
namespace {

unsigned char* out_of(std::span<char> bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}
const unsigned char* in_of(std::span<const char> bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

struct RecordProtection::Suite {
  std::uint16_t number;
  const char* cipher;
  std::size_t key_size;
  KeySchedule::Hash hash;
};

const RecordProtection::Suite* RecordProtection::find(std::uint16_t number) noexcept {
  static constexpr std::array suites{
      Suite{0x1301, "AES-128-GCM", 16, KeySchedule::Hash::sha256},
      Suite{0x1302, "AES-256-GCM", 32, KeySchedule::Hash::sha384},
      Suite{0x1303, "ChaCha20-Poly1305", 32, KeySchedule::Hash::sha256},
  };
  const auto found = std::ranges::find(suites, number, &Suite::number);
  return found == suites.end() ? nullptr : &*found;
}

std::unique_ptr<RecordProtection> RecordProtection::make(Library::State& library,
                                                         std::uint16_t suite, const Secret& secret,
                                                         Use use, std::uint64_t first) {
  const Suite* known = find(suite);
  if (known == nullptr || secret.bytes().size() != KeySchedule::size_of(known->hash))
    return nullptr;
  std::unique_ptr<RecordProtection> made(new RecordProtection(library, *known, secret, use));
  if (!made->install_key()) return nullptr;
  made->number_ = first;
  return made;
}

bool RecordProtection::install_key() {
  std::array<std::uint8_t, 32> room{};
  const auto key = std::span(room).first(suite_.key_size);
  KeySchedule& schedule = *library_.schedule;
  const EVP_CIPHER* algorithm = library_.cipher(suite_.cipher);
  if (!cipher_) cipher_.reset(EVP_CIPHER_CTX_new());
  const bool installed = algorithm != nullptr && cipher_ != nullptr &&
                         schedule.expand_label(suite_.hash, secret_.bytes(), "key", {}, key) &&
                         schedule.expand_label(suite_.hash, secret_.bytes(), "iv", {}, iv_) &&
                         EVP_CipherInit_ex2(cipher_.get(), algorithm, key.data(), iv_.data(),
                                            use_ == Use::seal ? 1 : 0, nullptr) == 1;
  OPENSSL_cleanse(room.data(), room.size());
  number_ = 0;
  return installed;
}

bool RecordProtection::advance() {
  Secret next;
  if (!library_.schedule->expand_label(suite_.hash, secret_.bytes(), "traffic upd", {},
                                       next.resize(secret_.bytes().size()))) {
    return false;
  }
  secret_ = next;
  const bool installed = install_key();
  library_.schedule->forget();
  return installed;
}

// The nonce is the IV with the record's number in its last eight bytes (§5.3); the header is what
// is authenticated beside the content (§5.2).
bool RecordProtection::begin_record(std::span<const char> header) {
  std::array<std::uint8_t, kNonce> nonce = iv_;
  std::uint64_t number = number_++;
  for (auto byte = nonce.rbegin(); number != 0; ++byte, number >>= 8U) {
    *byte = static_cast<std::uint8_t>(*byte ^ (number & 0xffU));
  }
  int count = 0;
  return EVP_CipherInit_ex2(cipher_.get(), nullptr, nullptr, nonce.data(), -1, nullptr) == 1 &&
         EVP_CipherUpdate(cipher_.get(), nullptr, &count, in_of(header),
                          static_cast<int>(header.size())) == 1;
}

bool RecordProtection::seal(ContentType type, std::span<const char> content, std::string& into) {
  CHECK(use_ == Use::seal && content.size() <= kMaxContent);
  const std::size_t size = content.size() + 1 + kTag;
  const std::size_t before = into.size();
  const std::size_t after = before + kRecordHeader + size;
  bool sealed = false;
  // The operation's second argument is the capacity on libstdc++ 12, not the size asked for.
  into.resize_and_overwrite(after, [&](char* data, std::size_t /*room*/) {
    const std::span<char> record = std::span(data, after).subspan(before);
    const auto header = record.first<kRecordHeader>();
    header[0] = static_cast<char>(ContentType::application_data);
    header[1] = header[2] = 3;  // TLS 1.2's number, for ever (§5.2)
    header[3] = static_cast<char>(size >> 8U);
    header[4] = static_cast<char>(size & 0xffU);
    const auto body = record.subspan(kRecordHeader);
    const auto last = body.subspan(content.size(), 1);
    const auto tag = body.last<kTag>();
    const auto inner_type = static_cast<unsigned char>(type);
    EVP_CIPHER_CTX* cipher = cipher_.get();
    int count = 0;
    sealed = begin_record(header) &&
             (content.empty() || EVP_EncryptUpdate(cipher, out_of(body), &count, in_of(content),
                                                   static_cast<int>(content.size())) == 1) &&
             EVP_EncryptUpdate(cipher, out_of(last), &count, &inner_type, 1) == 1 &&
             EVP_EncryptFinal_ex(cipher, out_of(tag), &count) == 1 &&
             EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, kTag, out_of(tag)) == 1;
    return sealed ? after : before;
  });
  return sealed;
}

std::expected<RecordProtection::Opened, Alert> RecordProtection::open(std::span<char> record) {
  CHECK(use_ == Use::open && record.size() >= kRecordHeader);
  const auto body = record.subspan(kRecordHeader);
  if (body.size() > kMaxProtected) return std::unexpected(Alert::record_overflow);
  if (body.size() <= kTag) return std::unexpected(Alert::bad_record_mac);  // nothing in it
  const auto inner = body.first(body.size() - kTag);
  if (inner.size() > kMaxContent + 1) return std::unexpected(Alert::record_overflow);
  EVP_CIPHER_CTX* cipher = cipher_.get();
  int count = 0;
  if (!begin_record(record.first(kRecordHeader)) ||
      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, kTag, out_of(body.last(kTag))) != 1 ||
      EVP_DecryptUpdate(cipher, out_of(inner), &count, in_of(inner),
                        static_cast<int>(inner.size())) != 1 ||
      EVP_DecryptFinal_ex(cipher, out_of(body.last(kTag)), &count) != 1) {
    ERR_clear_error();
    OPENSSL_cleanse(inner.data(), inner.size());  // nobody shall see what was not authentic
    return std::unexpected(Alert::bad_record_mac);
  }
  // TLSInnerPlaintext: content, type, zeros (§5.2, §5.4).
  std::size_t size = inner.size();
  while (size > 0 && inner[size - 1] == 0) --size;
  if (size == 0) return std::unexpected(Alert::unexpected_message);
  return Opened{.type = static_cast<ContentType>(inner[size - 1]),
                .content = inner.first(size - 1)};
}

}  // namespace tls
