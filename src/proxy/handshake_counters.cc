#include <algorithm>
#include <array>

#include "proxy/worker.h"

namespace proxy {
namespace {

constexpr std::array<std::string_view, 5> kVersions{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3",
                                                    "other"};
// Those of the standard lists; what else ssl_ciphers may bring is one number.
constexpr std::array<std::string_view, 13> kCiphers{"TLS_AES_128_GCM_SHA256",
                                                    "TLS_AES_256_GCM_SHA384",
                                                    "TLS_CHACHA20_POLY1305_SHA256",
                                                    "ECDHE-ECDSA-AES128-GCM-SHA256",
                                                    "ECDHE-RSA-AES128-GCM-SHA256",
                                                    "ECDHE-ECDSA-AES256-GCM-SHA384",
                                                    "ECDHE-RSA-AES256-GCM-SHA384",
                                                    "ECDHE-ECDSA-CHACHA20-POLY1305",
                                                    "ECDHE-RSA-CHACHA20-POLY1305",
                                                    "DHE-RSA-AES128-GCM-SHA256",
                                                    "DHE-RSA-AES256-GCM-SHA384",
                                                    "DHE-RSA-CHACHA20-POLY1305",
                                                    "other"};

std::size_t index_in(std::span<const std::string_view> names, std::string_view name) noexcept {
  const auto at = std::ranges::find(names, name);
  return at == names.end() ? names.size() - 1 : static_cast<std::size_t>(at - names.begin());
}

}  // namespace

HandshakeCounters add_handshake_counters(observe::CounterLayout& layout) {
  HandshakeCounters counters;
  counters.versions = layout.add({.name = "handshakes_by_version",
                                  .help = "TLS handshakes with clients, by the protocol's version",
                                  .label = "version",
                                  .size = kVersions.size(),
                                  .label_of = [](std::size_t index) { return kVersions[index]; }});
  counters.ciphers = layout.add({.name = "handshakes_by_cipher",
                                 .help = "TLS handshakes with clients, by cipher",
                                 .label = "cipher",
                                 .size = kCiphers.size(),
                                 .label_of = [](std::size_t index) { return kCiphers[index]; }});
  return counters;
}

void count_handshake(observe::Counters& counters, const HandshakeCounters& families,
                     std::string_view version, std::string_view cipher) noexcept {
  counters.add(families.versions, index_in(kVersions, version));
  counters.add(families.ciphers, index_in(kCiphers, cipher));
}

}  // namespace proxy
