// ReceivedBody: a Body that tells what of it has arrived already, so that pieces can travel on
// together, and the first of them with the head.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "http/body.h"
#include "http/refusal.h"

namespace http {

class ReceivedBody : public Body {
 public:
  /// try_read() from what was received already, without touching the connection: earlier pieces
  /// stay valid. Nothing: more must be read. Also tells whether the end has come (ended()).
  [[nodiscard]] virtual std::optional<base::Result<std::string_view>> next_received() = 0;
  /// Sees the end of the body if all of it has been received. Earlier pieces stay valid.
  virtual void notice_end() = 0;

  /// Body bytes given so far, without framing.
  [[nodiscard]] virtual std::uint64_t delivered() const noexcept = 0;
  /// Why the last error was a protocol error.
  [[nodiscard]] virtual Refusal refusal() const noexcept = 0;
};

}  // namespace http
