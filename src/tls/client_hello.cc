#include "tls/client_hello.h"

#include <fmt/core.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace tls {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint8_t kClientHelloType = 1;
constexpr std::uint16_t kServerName = 0;  // extensions
constexpr std::uint16_t kSignatureAlgorithms = 13;
constexpr std::uint16_t kAlpn = 16;
constexpr std::uint16_t kSupportedVersions = 43;

// Reads from the front of a span; once something was missing, `fine` is false and stays so.
class Reader {
 public:
  explicit Reader(Bytes bytes) noexcept : rest_(bytes) {}

  [[nodiscard]] bool fine() const noexcept { return fine_; }
  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  Bytes bytes(std::size_t count) noexcept {
    if (count > rest_.size()) {
      fine_ = false;
      rest_ = {};
      return {};
    }
    const Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  /// A big-endian number of `size` bytes.
  std::size_t number(std::size_t size) noexcept {
    std::size_t value = 0;
    for (const std::uint8_t byte : bytes(size)) value = value << 8U | byte;
    return value;
  }
  /// What follows its own length of `size` bytes.
  Bytes vector(std::size_t size) noexcept { return bytes(number(size)); }

 private:
  Bytes rest_;
  bool fine_ = true;
};

bool read_numbers(Bytes list, std::vector<std::uint16_t>& into) {
  Reader reader(list);
  while (!reader.empty()) into.push_back(static_cast<std::uint16_t>(reader.number(2)));
  return reader.fine();
}

// The one extension's part of the hello; false: malformed.
bool read_extension(std::uint16_t type, Bytes body, ClientHello& hello) {
  Reader reader(body);
  if (type == kSignatureAlgorithms) {
    return read_numbers(reader.vector(2), hello.signature_schemes) && reader.fine();
  }
  if (type == kAlpn) {
    Reader protocols(reader.vector(2));
    const Bytes first = protocols.vector(1);
    hello.alpn.assign(first.begin(), first.end());
    return reader.fine() && protocols.fine();
  }
  if (type == kSupportedVersions) {
    std::vector<std::uint16_t> versions;
    if (!read_numbers(reader.vector(1), versions) || !reader.fine()) return false;
    std::erase_if(versions, is_grease);
    if (!versions.empty()) hello.version = std::ranges::max(versions);
  }
  return true;
}

std::string_view name_of_version(std::uint16_t version) noexcept {
  switch (version) {
    case 0x0304: return "13";
    case 0x0303: return "12";
    case 0x0302: return "11";
    case 0x0301: return "10";
    case 0x0300: return "s3";
    case 0x0002: return "s2";
    default: return "00";
  }
}

bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The first and the last character of the protocol, or of it in hexadecimal.
std::string ends_of(std::string_view alpn) {
  if (alpn.empty()) return "00";
  const char first = alpn.front();
  const char last = alpn.back();
  if (is_alphanumeric(first) && is_alphanumeric(last)) return {first, last};
  constexpr std::string_view kDigits = "0123456789abcdef";
  return {kDigits[static_cast<unsigned char>(first) >> 4U],
          kDigits[static_cast<unsigned char>(last) & 0xfU]};
}

std::string list_of(std::span<const std::uint16_t> values) {
  std::string text;
  for (const std::uint16_t value : values) {
    fmt::format_to(std::back_inserter(text), "{}{:04x}", text.empty() ? "" : ",", value);
  }
  return text;
}

// The first 12 digits of SHA-256.
std::string hash_of(const std::string& list) {
  if (list.empty()) return "000000000000";
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(list.data(), list.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string text;
  for (const std::uint8_t byte : std::span(digest).first(6)) {
    fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  }
  return text;
}

std::vector<std::uint16_t> without_grease(std::vector<std::uint16_t> values) {
  std::erase_if(values, is_grease);
  return values;
}

}  // namespace

std::optional<ClientHello> ClientHello::parse(std::span<const std::uint8_t> message) {
  constexpr std::size_t kRandom = 32;
  Reader whole(message);
  if (whole.number(1) != kClientHelloType) return std::nullopt;
  Reader body(whole.vector(3));
  ClientHello hello;
  hello.version = static_cast<std::uint16_t>(body.number(2));
  body.bytes(kRandom);
  body.vector(1);  // session id
  if (!read_numbers(body.vector(2), hello.ciphers)) return std::nullopt;
  body.vector(1);  // compression methods
  if (!whole.fine() || !body.fine()) return std::nullopt;
  if (body.empty()) return hello;  // TLS 1.2 and older may come without extensions
  Reader extensions(body.vector(2));
  while (!extensions.empty()) {
    const auto type = static_cast<std::uint16_t>(extensions.number(2));
    const Bytes content = extensions.vector(2);
    if (!extensions.fine() || !read_extension(type, content, hello)) return std::nullopt;
    hello.extensions.push_back(type);
  }
  if (!body.fine()) return std::nullopt;
  return hello;
}

std::string ja4(const ClientHello& hello) {
  auto ciphers = without_grease(hello.ciphers);
  auto extensions = without_grease(hello.extensions);
  const auto schemes = without_grease(hello.signature_schemes);
  const bool named = std::ranges::find(extensions, kServerName) != extensions.end();
  constexpr std::size_t kMost = 99;  // two digits
  const std::string first = fmt::format("t{}{}{:02}{:02}{}", name_of_version(hello.version),
                                        named ? 'd' : 'i', std::min(ciphers.size(), kMost),
                                        std::min(extensions.size(), kMost), ends_of(hello.alpn));
  std::erase_if(extensions,
                [](std::uint16_t type) { return type == kServerName || type == kAlpn; });
  std::ranges::sort(ciphers);
  std::ranges::sort(extensions);
  std::string rest = list_of(extensions);
  if (!rest.empty() && !schemes.empty()) rest += '_' + list_of(schemes);
  return fmt::format("{}_{}_{}", first, hash_of(list_of(ciphers)), hash_of(rest));
}

std::string_view name_of_signature_scheme(std::uint16_t scheme) noexcept {
  constexpr std::array<std::pair<std::uint16_t, std::string_view>, 21> kNames{
      {{0x0201, "rsa_pkcs1_sha1"},
       {0x0203, "ecdsa_sha1"},
       {0x0401, "rsa_pkcs1_sha256"},
       {0x0403, "ecdsa_secp256r1_sha256"},
       {0x0501, "rsa_pkcs1_sha384"},
       {0x0503, "ecdsa_secp384r1_sha384"},
       {0x0601, "rsa_pkcs1_sha512"},
       {0x0603, "ecdsa_secp521r1_sha512"},
       {0x0804, "rsa_pss_rsae_sha256"},
       {0x0805, "rsa_pss_rsae_sha384"},
       {0x0806, "rsa_pss_rsae_sha512"},
       {0x0807, "ed25519"},
       {0x0808, "ed448"},
       {0x0809, "rsa_pss_pss_sha256"},
       {0x080a, "rsa_pss_pss_sha384"},
       {0x080b, "rsa_pss_pss_sha512"},
       {0x081a, "ecdsa_brainpoolP256r1tls13_sha256"},
       {0x081b, "ecdsa_brainpoolP384r1tls13_sha384"},
       {0x081c, "ecdsa_brainpoolP512r1tls13_sha512"},
       {0x0904, "mldsa44"},
       {0x0905, "mldsa65"}}};
  const auto* found = std::ranges::find(kNames, scheme, [](const auto& one) { return one.first; });
  return found == kNames.end() ? std::string_view() : found->second;
}

}  // namespace tls
