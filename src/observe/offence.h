// OffenceSink: codecs and TLS report what a peer did wrong; whoever keeps scores (guard) adds it
// up.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/address.h"

namespace observe {

struct Offence {
  enum class Kind : std::uint8_t {
    protocol,   // broke its protocol's rules
    handshake,  // a TLS handshake that failed by the peer's fault
    slow,       // a time limit passed
    flood,      // a limit on counts or bytes passed
  };
  Kind kind = Kind::protocol;
  base::Address peer;
  std::string_view rule{};  // which one, a static word: "bare_lf", "client_header_timeout"
};

class OffenceSink {
 public:
  virtual ~OffenceSink() = default;
  /// On the worker's thread; cheap, and never fails.
  virtual void report(const Offence& offence) noexcept = 0;
};

}  // namespace observe
