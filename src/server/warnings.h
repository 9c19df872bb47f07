// Warnings: what an administrator should know before anything else that `status` tells. Pure: facts
// in, sentences out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "observe/counters.h"
#include "upstream/cluster_report.h"

namespace snapshot {
class Snapshot;
}

namespace server {

struct CertificateFacts {
  std::string file;
  std::string subject;
  std::vector<std::string> names;
  std::string issuer;
  std::string serial;
  base::WallTime not_before;
  base::WallTime not_after;

  /// Whole days until it ends, negative afterwards.
  [[nodiscard]] std::int64_t days_left(base::WallTime now) const noexcept;
};
/// Each file once, those that end first, first.
[[nodiscard]] std::vector<CertificateFacts> certificates_of(const snapshot::Snapshot& snapshot);

struct Observations {
  std::span<const observe::Reading> readings;
  std::span<const std::uint64_t> lately;  // how much each reading has risen (Recent)
  std::span<const CertificateFacts> certificates;
  std::span<const upstream::ClusterReport> clusters;
  std::span<const unsigned> silent_workers;  // that did not answer
  std::span<const std::string> not_listening{};  // Server::not_listening()
  std::uint32_t restarts = 0;  // of the server process
  base::WallTime now;
};

/// Let's Encrypt and others renew thirty days before the end: what is nearer was not renewed.
inline constexpr std::int64_t kSoonDays = 21;

struct Warning {
  std::string_view about;  // "certificate", "upstream", "worker", "process", "limit", "log"
  std::string text;
};
/// The most urgent first.
[[nodiscard]] std::vector<Warning> warnings_of(const Observations& observations);

}  // namespace server
