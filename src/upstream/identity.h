// What a connection to a backend must agree in to serve a request.
#pragma once

#include <cstdint>
#include <string>

#include "base/address.h"
#include "upstream/connector.h"

namespace upstream {

/// As a request has it: views.
struct Identity {
  std::uint32_t peer = 0;
  std::uint64_t locality = 0;  // of the location, where connections are not shared between them
  const TlsTarget* tls = nullptr;
  const base::Address* from = nullptr;  // the local end, where one was asked for
};

/// As a connection keeps it.
class OwnIdentity {
 public:
  explicit OwnIdentity(const Identity& identity);
  [[nodiscard]] bool matches(const Identity& identity) const noexcept;
  [[nodiscard]] std::uint32_t peer() const noexcept { return peer_; }

 private:
  std::uint32_t peer_;
  std::uint64_t locality_;
  base::Address from_;  // AF_UNSPEC: whatever the system chose
  bool over_tls_;
  std::uint64_t context_ = 0;  // its id: what a reload makes may have the address of what is gone
  std::string server_name_;
  std::string verify_name_;
};

}  // namespace upstream
