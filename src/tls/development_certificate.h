// A self-signed certificate for trying things out: ECDSA P-256, valid for 397 days (what browsers
// accept at most), made in milliseconds.
#pragma once

#include <span>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace tls {

struct PemPair {
  std::string certificate;
  std::string private_key;
};

/// `names`: DNS names and IP addresses; the first is the common name. At least one.
[[nodiscard]] base::Result<PemPair> make_development_certificate(std::span<const std::string> names,
                                                                 base::WallTime now);

}  // namespace tls
