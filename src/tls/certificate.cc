#include "tls/certificate.h"

#include <fmt/core.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>

#include "base/address.h"
#include "base/check.h"
#include "tls/openssl.h"

namespace tls {
namespace {

std::uint64_t next_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::string serial_of(const X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  i2a_ASN1_INTEGER(bio.get(), X509_get0_serialNumber(certificate));
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(std::max(size, 0L))};
}

// Each certificate's length stands before it: two chains of the same bytes are the same chain.
KeyId fingerprint_of(std::span<const Certificate::SharedDer> chain) {
  KeyId digest{};
  const MdCtxPtr context(EVP_MD_CTX_new());
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  for (const Certificate::SharedDer& der : chain) {
    const std::uint64_t size = der->size();
    EVP_DigestUpdate(context.get(), &size, sizeof size);
    EVP_DigestUpdate(context.get(), der->data(), der->size());
  }
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  return digest;
}

std::string_view bytes_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string ip_text(std::string_view bytes) {
  sockaddr_in6 six{};
  sockaddr_in four{};
  if (bytes.size() == 4) {
    four.sin_family = AF_INET;
    std::ranges::copy(bytes, reinterpret_cast<char*>(&four.sin_addr));
    return base::Address::from_native(reinterpret_cast<const sockaddr*>(&four), sizeof four)
        .ip_text();
  }
  if (bytes.size() != 16) return {};
  six.sin6_family = AF_INET6;
  std::ranges::copy(bytes, reinterpret_cast<char*>(&six.sin6_addr));
  return base::Address::from_native(reinterpret_cast<const sockaddr*>(&six), sizeof six).ip_text();
}

using NamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;

}  // namespace

void read_names(X509* leaf, std::vector<std::string>& dns, std::vector<std::string>& ips) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) dns.emplace_back(bytes_of(name->d.dNSName));
    if (name->type == GEN_IPADD) ips.push_back(ip_text(bytes_of(name->d.iPAddress)));
  }
  if (!dns.empty() || !ips.empty()) return;
  std::array<char, 256> common_name{};
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName,
                                             common_name.data(), common_name.size());
  if (size > 0) dns.emplace_back(common_name.data());
}

std::string text_of(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(std::max(size, 0L))};
}

base::WallTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return base::WallTime(std::chrono::seconds(::timegm(&parts)));
}

std::string subject_of(const X509* certificate) {
  return text_of(X509_get_subject_name(certificate));
}

namespace {

// What is only looked at needs no public key: OpenSSL makes one of every certificate that it reads,
// where a provider has decoders for it, which costs twenty times as much as all the rest.
OSSL_LIB_CTX* keyless() {
  static OSSL_LIB_CTX* const context = [] {
    OSSL_LIB_CTX* made = OSSL_LIB_CTX_new();
    CHECK(made != nullptr && OSSL_PROVIDER_load(made, "null") != nullptr);
    return made;
  }();
  return context;
}

X509Ptr parse_keyless(std::span<const std::uint8_t> der) {
  X509* into = X509_new_ex(keyless(), nullptr);
  const unsigned char* at = der.data();
  if (d2i_X509(&into, &at, static_cast<long>(der.size())) == nullptr) {
    X509_free(into);
    return nullptr;
  }
  return X509Ptr(into);
}

/// Calls `visit(span of DER)` for every CERTIFICATE block of `pem`; false says that OpenSSL cannot
/// read it. The error is a sentence.
template <class Visit>
std::expected<void, std::string> for_each_certificate(std::string_view pem, Visit visit) {
  const BioPtr bio = bio_over(pem);
  std::size_t number = 0;
  unsigned char* bytes = nullptr;
  long size = 0;
  bool good = true;
  while (good && PEM_bytes_read_bio(&bytes, &size, nullptr, PEM_STRING_X509, bio.get(), nullptr,
                                    nullptr) == 1) {
    ++number;
    good = visit(std::span<const std::uint8_t>(bytes, static_cast<std::size_t>(size)));
    OPENSSL_free(bytes);
  }
  // The end of the text looks like "no start line"; anything else is damage.
  const bool clean_end = good && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = take_error_reason();
  if (!clean_end) {
    return std::unexpected(fmt::format("certificate {} of the file cannot be read ({})",
                                       good ? number + 1 : number, reason));
  }
  if (number == 0) {
    return std::unexpected("it has no certificate (no PEM block \"BEGIN CERTIFICATE\")");
  }
  return {};
}

/// The intermediates of a process: thousands of chains have the same ones, which are read once.
class Intermediates {
 public:
  /// Null for one that OpenSSL cannot read.
  Certificate::SharedDer get(std::span<const std::uint8_t> der) {
    const std::scoped_lock lock(mutex_);
    Certificate::Der bytes(der.begin(), der.end());
    if (const auto found = known_.find(bytes); found != known_.end()) {
      if (auto held = found->second.lock()) return held;
    }
    const X509Ptr read = parse_keyless(der);
    if (!read) return nullptr;
    auto made = std::make_shared<const Certificate::Der>(der_of(read.get()));
    if (known_.size() >= purge_at_) {
      std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
      purge_at_ = std::max<std::size_t>(64, 2 * known_.size());
    }
    known_.insert_or_assign(std::move(bytes), made);
    return made;
  }

 private:
  std::mutex mutex_;
  std::map<Certificate::Der, std::weak_ptr<const Certificate::Der>> known_;  // by what was read
  std::size_t purge_at_ = 64;
};

Certificate::SharedDer intermediate(std::span<const std::uint8_t> der) {
  static Intermediates known;
  return known.get(der);
}

/// A public key as its certificate has it.
struct PublicKey {
  KeyType type;
  KeyId id;
};

// The usual form of each type is told by its bytes. Any other (a compressed point, no NULL behind
// "rsaEncryption") is read as a key, so that both halves are compared in the same form.
std::expected<PublicKey, std::string> public_key_of(X509* leaf) {
  const X509_PUBKEY* spki = X509_get_X509_PUBKEY(leaf);
  ASN1_OBJECT* algorithm = nullptr;
  const unsigned char* bits = nullptr;
  int size = 0;
  X509_ALGOR* written = nullptr;
  X509_PUBKEY_get0_param(&algorithm, &bits, &size, &written, spki);
  int parameter_type = V_ASN1_UNDEF;
  X509_ALGOR_get0(nullptr, &parameter_type, nullptr, written);
  KeyType type = KeyType::rsa;
  bool usual = false;
  switch (OBJ_obj2nid(algorithm)) {
    case NID_rsaEncryption: usual = parameter_type == V_ASN1_NULL; break;
    case NID_X9_62_id_ecPublicKey:
      type = KeyType::ec;
      usual = parameter_type == V_ASN1_OBJECT && size > 0 && std::span(bits, 1).front() == 4;
      break;
    case NID_ED25519:
      type = KeyType::ed25519;
      usual = parameter_type == V_ASN1_UNDEF;
      break;
    default: return std::unexpected("its public key is neither RSA nor EC nor Ed25519");
  }
  if (usual) return PublicKey{type, key_id_of(spki)};
  const X509Ptr whole = parse_der(der_of(leaf));
  const EVP_PKEY* key = whole ? X509_get0_pubkey(whole.get()) : nullptr;
  const KeyId id = key != nullptr ? key_id_of(key) : KeyId{};
  ERR_clear_error();
  if (id == KeyId{}) return std::unexpected("its public key cannot be read");
  return PublicKey{type, id};
}

}  // namespace

Certificate::Certificate(std::vector<SharedDer> chain, Facts facts)
    : chain_(std::move(chain)), facts_(std::move(facts)), id_(next_id()) {}

std::expected<std::shared_ptr<const Certificate>, std::string> Certificate::parse(
    std::string_view pem) {
  X509Ptr first;
  std::vector<SharedDer> chain;
  TRY_VOID(for_each_certificate(pem, [&](std::span<const std::uint8_t> der) {
    if (first) {
      chain.push_back(intermediate(der));
      return chain.back() != nullptr;
    }
    first = parse_keyless(der);
    if (first) chain.push_back(std::make_shared<const Der>(der_of(first.get())));
    return first != nullptr;
  }));
  X509* leaf = first.get();
  TRY(const PublicKey key, public_key_of(leaf));
  Facts facts;
  facts.key_type = key.type;
  facts.key_id = key.id;
  read_names(leaf, facts.dns_names, facts.ip_addresses);
  facts.subject = subject_of(leaf);
  facts.issuer = text_of(X509_get_issuer_name(leaf));
  facts.not_before = time_of(X509_get0_notBefore(leaf));
  facts.not_after = time_of(X509_get0_notAfter(leaf));
  facts.serial = serial_of(leaf);
  facts.fingerprint = fingerprint_of(chain);
  return std::shared_ptr<const Certificate>(new Certificate(std::move(chain), std::move(facts)));
}

std::optional<std::string> mismatch(const Certificate& certificate, const KeyId& key) {
  if (certificate.key_id() == key) return std::nullopt;
  return "key values mismatch: the private key does not belong to the first certificate of the "
         "chain";
}

TrustedCertificates::TrustedCertificates(std::vector<Certificate::Der> all)
    : all_(std::move(all)), id_(next_id()) {}

std::expected<std::shared_ptr<const TrustedCertificates>, std::string> TrustedCertificates::parse(
    std::string_view pem) {
  std::vector<Certificate::Der> all;
  TRY_VOID(for_each_certificate(pem, [&](std::span<const std::uint8_t> der) {
    const X509Ptr read = parse_keyless(der);
    if (read) all.push_back(der_of(read.get()));
    return read != nullptr;
  }));
  return std::shared_ptr<const TrustedCertificates>(new TrustedCertificates(std::move(all)));
}

std::expected<std::shared_ptr<const TrustedCertificates>, std::string>
TrustedCertificates::system() {
  const char* named = std::getenv(X509_get_default_cert_file_env());
  const std::array<const char*, 5> places{named, "/etc/ssl/certs/ca-certificates.crt",
                                          "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
                                          "/etc/ssl/ca-bundle.pem"};
  for (const char* place : places) {
    if (place == nullptr) continue;
    std::ifstream file(place, std::ios::binary);
    if (!file) continue;
    const std::string pem{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    auto parsed = parse(pem);
    if (!parsed) return std::unexpected(fmt::format("{}: {}", place, parsed.error()));
    return parsed;
  }
  return std::unexpected(
      "the system has no bundle of trusted certificates (Debian: ca-certificates)");
}

}  // namespace tls
