#include "tls/digest.h"

#include <array>

#include "base/check.h"
#include "tls/openssl.h"

namespace tls {

struct Digest::Context {
  MdCtxPtr md;
};

Digest::Digest(Kind kind)
    : context_(std::make_unique<Context>(Context{MdCtxPtr(EVP_MD_CTX_new())})) {
  const EVP_MD* const method = kind == Kind::md5 ? EVP_md5() : EVP_sha1();
  CHECK(EVP_DigestInit_ex(context_->md.get(), method, nullptr) == 1);
}

Digest::~Digest() = default;

Digest& Digest::add(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(context_->md.get(), bytes.data(), bytes.size()) == 1);
  return *this;
}

std::string Digest::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(context_->md.get(), bytes.data(), &size) == 1);
  CHECK(EVP_DigestInit_ex(context_->md.get(), nullptr, nullptr) == 1);
  return {bytes.begin(), bytes.begin() + size};
}

}  // namespace tls
