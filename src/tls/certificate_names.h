// What a certificate is valid for.
#pragma once

#include <string_view>

#include "tls/certificate.h"

namespace tls {

/// Whether the certificate names that host, a name in lower case or an IP literal (RFC 9525 §6.3):
/// a wildcard is the whole first label, and stands for one label.
[[nodiscard]] bool covers(const Certificate::Facts& facts, std::string_view host);

}  // namespace tls
