#include "tls/revocation_lists.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>

#include "tls/openssl.h"

namespace tls {
namespace {

std::uint64_t next_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

RevocationLists::RevocationLists(std::vector<Der> all, std::vector<Facts> facts)
    : all_(std::move(all)), facts_(std::move(facts)), id_(next_id()) {}

std::expected<std::shared_ptr<const RevocationLists>, std::string> RevocationLists::parse(
    std::string_view pem) {
  const BioPtr bio = bio_over(pem);
  std::vector<Der> all;
  std::vector<Facts> facts;
  while (const CrlPtr one{PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)}) {
    Der der(static_cast<std::size_t>(std::max(i2d_X509_CRL(one.get(), nullptr), 0)));
    unsigned char* at = der.data();
    i2d_X509_CRL(one.get(), &at);
    all.push_back(std::move(der));
    const ASN1_TIME* until = X509_CRL_get0_nextUpdate(one.get());
    facts.push_back({.issuer = text_of(X509_CRL_get_issuer(one.get())),
                     .next_update = until == nullptr ? base::WallTime::max() : time_of(until)});
  }
  // The end of the text looks like "no start line"; anything else is damage.
  const bool clean_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = take_error_reason();
  if (!clean_end) {
    return std::unexpected(
        fmt::format("revocation list {} of the file cannot be read ({})", all.size() + 1, reason));
  }
  if (all.empty()) {
    return std::unexpected("it has no revocation list (no PEM block \"BEGIN X509 CRL\")");
  }
  return std::shared_ptr<const RevocationLists>(
      new RevocationLists(std::move(all), std::move(facts)));
}

std::vector<std::string> RevocationLists::expired(base::WallTime now) const {
  std::vector<std::string> issuers;
  for (const Facts& each : facts_) {
    if (each.next_update < now) issuers.push_back(each.issuer);
  }
  return issuers;
}

}  // namespace tls
