#include "tls/ticket_secret.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/random.h"
#include "tls/openssl.h"

namespace tls {
namespace {

using base::ErrorCode;
using Chain = std::array<std::uint8_t, 32>;
using KdfPtr = std::unique_ptr<EVP_KDF, Free<EVP_KDF_free>>;
using KdfCtxPtr = std::unique_ptr<EVP_KDF_CTX, Free<EVP_KDF_CTX_free>>;

constexpr std::array<char, 8> kMark{'S', 'P', 't', 'i', 'c', 'k', 'e', '1'};
// A giver keeps it up to date: what is older than this was not given by one.
constexpr TicketSecret::Period kOldest = 24 * 7;

/// The anonymous file, in the machine's byte order.
struct File {
  std::array<char, 8> mark;
  TicketSecret::Period first;
  Chain chain;
};

template <class T>
struct Wiped {
  T value{};
  Wiped() = default;
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  ~Wiped() { OPENSSL_cleanse(&value, sizeof value); }
};

void expand(const Chain& chain, std::string_view label, std::span<std::uint8_t> out) {
  const KdfPtr kdf(EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_HKDF, nullptr));
  const KdfCtxPtr context(EVP_KDF_CTX_new(kdf.get()));
  CHECK(context != nullptr);
  std::string digest = "SHA256";
  std::string info(label);
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  Wiped<Chain> key;
  key.value = chain;
  const std::array params{
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.value.data(), key.value.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
      OSSL_PARAM_construct_end()};
  CHECK(EVP_KDF_derive(context.get(), out.data(), out.size(), params.data()) == 1);
}

void go_forward(Chain& chain) {
  Wiped<Chain> next;
  expand(chain, "sallyport tickets next", next.value);
  chain = next.value;
}

}  // namespace

TicketKey::~TicketKey() {
  OPENSSL_cleanse(cipher_key.data(), cipher_key.size());
  OPENSSL_cleanse(mac_key.data(), mac_key.size());
}

struct TicketSecret::Body {
  Period first = 0;
  Chain chain{};
};

void TicketSecret::Wipe::operator()(Body* body) const noexcept {
  OPENSSL_cleanse(body, sizeof *body);
  ::munmap(body, sizeof *body);
}

TicketSecret::TicketSecret() {
  void* page =
      ::mmap(nullptr, sizeof(Body), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  ::madvise(page, sizeof(Body), MADV_DONTDUMP);
  body_.reset(new (page) Body);
}

TicketSecret TicketSecret::make(base::TimePoint now) {
  TicketSecret secret;
  secret.body_->first = period_of(now);
  base::fill_random(secret.body_->chain);
  return secret;
}

TicketSecret::Period TicketSecret::period_of(base::TimePoint time) noexcept {
  const auto since = std::max(time.time_since_epoch(), base::TimePoint::duration::zero());
  return static_cast<Period>(since / kPeriod);
}

base::TimePoint TicketSecret::start_of(Period period) noexcept {
  return base::TimePoint(kPeriod * static_cast<std::int64_t>(period));
}

TicketSecret::Period TicketSecret::first() const noexcept { return body_->first; }

TicketKey TicketSecret::key(Period period) const {
  CHECK(period >= body_->first);
  Wiped<Chain> chain;
  chain.value = body_->chain;
  for (Period at = body_->first; at < period; ++at) go_forward(chain.value);
  TicketKey key;
  Wiped<std::array<std::uint8_t, 80>> bytes;
  expand(chain.value, "sallyport tickets key", bytes.value);
  std::span<const std::uint8_t> rest(bytes.value);
  for (const std::span<std::uint8_t> part :
       {std::span<std::uint8_t>(key.name), std::span<std::uint8_t>(key.cipher_key),
        std::span<std::uint8_t>(key.mac_key)}) {
    std::ranges::copy(rest.first(part.size()), part.begin());
    rest = rest.subspan(part.size());
  }
  key.made = start_of(period);
  return key;
}

void TicketSecret::forget_before(Period period) {
  for (; body_->first < period; ++body_->first) go_forward(body_->chain);
}

void TicketSecret::forget_expired(base::TimePoint now) {
  // A key makes tickets for one period; the last of them is good for its lifetime after that.
  forget_before(period_of(now - kPeriod - kLongestLifetime));
}

base::Result<base::Fd> TicketSecret::hand_over() const {
  base::Fd fd(::memfd_create("ticket secret", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return base::fail(base::error_from_errno(errno, "memfd_create() failed"));
  Wiped<File> file;
  file.value = {.mark = kMark, .first = body_->first, .chain = body_->chain};
  // Not F_SEAL_WRITE: the receiver wipes it.
  if (::pwrite(fd.get(), &file.value, sizeof file.value, 0) != sizeof file.value ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return base::fail(base::error_from_errno(errno, "the ticket secret's file"));
  }
  return fd;
}

base::Result<TicketSecret> TicketSecret::take(base::Fd fd, base::TimePoint now) {
  constexpr std::string_view kWhat = "the ticket secret";
  struct stat facts{};
  Wiped<File> file;
  if (!fd || ::fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode) ||
      facts.st_size != sizeof file.value ||
      ::pread(fd.get(), &file.value, sizeof file.value, 0) != sizeof file.value ||
      file.value.mark != kMark) {
    return base::fail(ErrorCode::protocol, kWhat);
  }
  const Wiped<File> nothing;
  static_cast<void>(::pwrite(fd.get(), &nothing.value, sizeof nothing.value, 0));
  const Period newest = period_of(now);
  if (file.value.first > newest || newest - file.value.first > kOldest) {
    return base::fail(ErrorCode::protocol, kWhat);
  }
  TicketSecret secret;
  secret.body_->first = file.value.first;
  secret.body_->chain = file.value.chain;
  return secret;
}

}  // namespace tls
