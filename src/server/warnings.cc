#include "server/warnings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

#include "proxy/site.h"
#include "server/recent.h"
#include "snapshot/snapshot.h"
#include "tls/tls_directives.h"

namespace server {
namespace {

using upstream::PeerState;
using Warnings = std::vector<Warning>;

// Met in everyday work: connections that are idle or old enough.
constexpr std::array<std::string_view, 2> kEveryday{"limit_keepalive_time",
                                                    "limit_keepalive_requests"};
// Beside the limits, what should not happen at all.
constexpr std::array<std::string_view, 4> kTroubles{"accept_failures", "upstream_untrusted",
                                                    "log_lines_dropped", "error_lines_dropped"};

std::string days(std::int64_t count) {
  return count == 1 ? "1 day" : fmt::format("{} days", count);
}

void about_certificates(const Observations& observations, Warnings& warnings) {
  for (const CertificateFacts& each : observations.certificates) {
    const std::string name = each.names.empty() ? each.subject : each.names.front();
    const std::string who = fmt::format("certificate {} ({})", each.file, name);
    const std::int64_t left = each.days_left(observations.now);
    if (each.not_after <= observations.now) {
      warnings.push_back({"certificate", left == 0
                                             ? who + " has expired today"
                                             : fmt::format("{} expired {} ago", who, days(-left))});
    } else if (each.not_before > observations.now) {
      warnings.push_back({"certificate", who + " is not valid yet"});
    } else if (left <= kSoonDays) {
      warnings.push_back({"certificate", left == 0
                                             ? who + " expires within a day"
                                             : fmt::format("{} expires in {}", who, days(left))});
    }
  }
}

void about_clusters(const Observations& observations, Warnings& warnings) {
  for (const upstream::ClusterReport& cluster : observations.clusters) {
    const auto is_out = [](const upstream::PeerReport& peer) {
      return peer.state == PeerState::failed || peer.state == PeerState::down;
    };
    const auto failed =
        std::ranges::count(cluster.peers, PeerState::failed, &upstream::PeerReport::state);
    if (failed != 0 && std::ranges::all_of(cluster.peers, is_out)) {
      warnings.push_back({"upstream", fmt::format("upstream {}: no server is left, all have failed",
                                                  cluster.name)});
      continue;
    }
    for (const upstream::PeerReport& peer : cluster.peers) {
      if (peer.state != PeerState::failed) continue;
      warnings.push_back(
          {"upstream", fmt::format("upstream {}: {} has failed and is left out for now ({} of {} "
                                   "attempts failed)",
                                   cluster.name, peer.address, peer.failures, peer.attempts)});
    }
  }
}

void about_counters(const Observations& observations, Warnings& warnings) {
  for (std::size_t i = 0; i < observations.readings.size() && i < observations.lately.size(); ++i) {
    const observe::Reading& reading = observations.readings[i];
    const std::uint64_t count = observations.lately[i];
    if (count == 0 || reading.kind == observe::CounterKind::gauge) continue;
    const bool is_limit = reading.name.starts_with("limit_") &&
                          std::ranges::find(kEveryday, reading.name) == kEveryday.end();
    const bool is_trouble = std::ranges::find(kTroubles, reading.name) != kTroubles.end();
    const std::string text =
        fmt::format("{}: {} in the last {} minutes", reading.help, count, Recent::kLately.count());
    if (reading.name == "loop_stalls") warnings.push_back({"worker", text});
    if (is_limit) warnings.push_back({"limit", text});
    if (is_trouble) {
      warnings.push_back({reading.name.ends_with("_lines_dropped") ? "log" : "process", text});
    }
  }
}

}  // namespace

std::int64_t CertificateFacts::days_left(base::WallTime now) const noexcept {
  const auto left = not_after - now;
  const auto whole = std::chrono::duration_cast<std::chrono::days>(left);
  return whole.count();
}

std::vector<CertificateFacts> certificates_of(const snapshot::Snapshot& snapshot) {
  std::vector<CertificateFacts> all;
  std::set<std::pair<std::string, std::uint64_t>> seen;
  const auto add = [&](const std::string& name, const tls::Certificate& certificate) {
    if (!seen.emplace(name, certificate.id()).second) return;
    const auto& facts = certificate.facts();
    all.push_back({.file = name,
                   .subject = facts.subject,
                   .names = facts.dns_names,
                   .issuer = facts.issuer,
                   .serial = facts.serial,
                   .not_before = facts.not_before,
                   .not_after = facts.not_after});
    auto& names = all.back().names;
    names.insert(names.end(), facts.ip_addresses.begin(), facts.ip_addresses.end());
  };
  for (const auto& server : snapshot.listing().servers) {
    for (const auto& file : *server->level->get<tls::TlsOptions>().certificates) {
      add(file.name, *file.certificate);
    }
  }
  for (const auto& [file, certificate] : snapshot.listing().client_certificates) {
    add(file, *certificate);
  }
  std::ranges::sort(
      all, {}, [](const CertificateFacts& each) { return std::tie(each.not_after, each.file); });
  return all;
}

std::vector<Warning> warnings_of(const Observations& observations) {
  Warnings warnings;
  for (const unsigned worker : observations.silent_workers) {
    warnings.push_back({"worker", fmt::format("worker {} does not answer: it hangs", worker)});
  }
  for (const std::string& text : observations.not_listening) warnings.push_back({"worker", text});
  about_clusters(observations, warnings);
  about_certificates(observations, warnings);
  if (observations.restarts != 0) {
    warnings.push_back(
        {"process",
         fmt::format("the server process died and was started again {}",
                     observations.restarts == 1 ? "once"
                                                : fmt::format("{} times", observations.restarts))});
  }
  about_counters(observations, warnings);
  return warnings;
}

}  // namespace server
