// SRV records (RFC 2782): read out of the message of a name server, since c-ares gives their TTL to
// nobody. What comes from there is hostile until it is read: names are bounded, and pointers of
// RFC 1035 §4.1.4 lead backwards only, so that each name ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace io {

struct ServiceRecord {
  std::string target;  // a host name in lower case, not empty
  std::uint16_t port = 0;  // not 0
  std::uint16_t priority = 0;  // the lowest first
  std::uint16_t weight = 0;  // among those of its priority
  bool operator==(const ServiceRecord&) const = default;
};

struct ServiceRecords {
  std::vector<ServiceRecord> records;
  std::chrono::seconds ttl{};  // the least of the records' and of the aliases' before them
};

/// The SRV records that a DNS message gives for the name that it was asked for, aliases followed.
/// Records of the target "." ("decidedly not available") or of port 0 are left out. Linear in the
/// size of the message, times what a name may have.
[[nodiscard]] base::Result<ServiceRecords> parse_service_records(std::string_view message);

}  // namespace io
