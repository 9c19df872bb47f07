// InProcessSigner: keys in this process's own memory, for `vault off`, tests and tools.
//
// One object serves all workers. A thread parses a key once, into an OpenSSL library context of its
// own, so that signing takes no lock that another thread holds for long.
//
// A configuration holds its keys; one that no configuration holds any more is wiped, with what the
// threads have made of it.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tls/private_key.h"
#include "tls/signer.h"

namespace tls {

class InProcessSigner final : public Signer {
 public:
  InProcessSigner();
  ~InProcessSigner() override;

  /// Takes the first private key of `pem` (see PrivateKey::parse), for good. Adding a key twice is
  /// harmless.
  [[nodiscard]] std::expected<KeyId, std::string> add(std::string_view pem);

  /// Takes the keys for as long as the hold lives, which may end on any thread and after the
  /// signer.
  using Hold = std::shared_ptr<const void>;
  [[nodiscard]] Hold hold(std::span<const PrivateKeyPtr> keys);
  /// How many keys each thread keeps ready to sign, 1 or more; those used last are. 1000 unless
  /// told.
  void keep_ready(std::size_t most) noexcept;
  /// Keys that it can sign with.
  [[nodiscard]] std::size_t size() const;

  [[nodiscard]] base::Result<std::size_t> sign(const KeyId& key, SignatureScheme scheme,
                                               std::span<const std::uint8_t> message,
                                               std::span<std::uint8_t> signature) noexcept override;

 private:
  struct Keys;
  struct HeldKeys;
  std::shared_ptr<Keys> keys_;
};

}  // namespace tls
