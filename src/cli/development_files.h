// What commands share that write a configuration for their user: its files, a development
// certificate, and what to listen on.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cli {

/// In one step, so that a program that reads meanwhile sees the old file or the new one.
[[nodiscard]] base::Result<void> write_file(const std::string& path, std::string_view text,
                                            mode_t mode);

/// Whether wildcard addresses want a second `listen`.
[[nodiscard]] bool has_ipv6();

/// certificate.pem and key.pem in `directory`, for `names` (DNS names and IP addresses, at least
/// one). Existing ones for the same names stay while they are recent, so that whoever trusts them
/// goes on doing so.
[[nodiscard]] base::Result<void> provide_development_certificate(
    const std::string& directory, std::span<const std::string> names);

}  // namespace cli
