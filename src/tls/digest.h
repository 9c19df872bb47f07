// Digests of old password files: MD5 and SHA-1. For nothing that must not be forged.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace tls {

class Digest {
 public:
  enum class Kind : bool { md5, sha1 };
  explicit Digest(Kind kind);
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  Digest& add(std::string_view bytes);
  /// Of all that was added; it begins anew after that.
  [[nodiscard]] std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace tls
