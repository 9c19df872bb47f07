// RevocationLists: the certificates that authorities have taken back (CRLs, RFC 5280 §5), as they
// are configured. Immutable DER, shared by all workers; each worker's store has them parsed.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace tls {

class RevocationLists {
 public:
  using Der = std::vector<std::uint8_t>;

  /// Every list of a PEM text. The error is a sentence without the file's name.
  [[nodiscard]] static std::expected<std::shared_ptr<const RevocationLists>, std::string> parse(
      std::string_view pem);

  [[nodiscard]] const std::vector<Der>& lists() const noexcept { return all_; }
  /// Authorities (RFC 2253) whose list should have been replaced before `now`: what they signed is
  /// refused until it is.
  [[nodiscard]] std::vector<std::string> expired(base::WallTime now) const;
  /// Unique in the process and never used again.
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

 private:
  struct Facts {
    std::string issuer;
    base::WallTime next_update;  // the far future, when the list does not say
  };
  RevocationLists(std::vector<Der> all, std::vector<Facts> facts);
  std::vector<Der> all_;
  std::vector<Facts> facts_;
  std::uint64_t id_;
};

}  // namespace tls
