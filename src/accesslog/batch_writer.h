// BatchWriter: lines of access logs into files, gzip members and datagrams. One thread's; it may
// wait where a worker may not: for a slow disk as long as that takes, for a pipe or a syslog server
// that is behind for kPatience. A target that was waited for in vain is not waited for again until
// it works: its lines are dropped, counted, and told in the error log (observe/losses.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "accesslog/target.h"
#include "base/clock.h"
#include "observe/counters.h"
#include "observe/error_log.h"

namespace accesslog {

class BatchWriter {
 public:
  static constexpr std::chrono::milliseconds kPatience{100};

  /// Both outlive it.
  BatchWriter(const base::Clock& clock, observe::Counters& counters) noexcept
      : clock_(clock), counters_(counters) {}

  void write(const Batch& batch);
  /// Where losses are told.
  void report_to(std::shared_ptr<const observe::ErrorLog> log) noexcept { log_ = std::move(log); }

 private:
  /// What became of some lines.
  struct Outcome {
    std::uint64_t lost = 0;
    int failure = 0;  // errno
  };
  void write_runs(const Batch& batch);
  [[nodiscard]] Outcome send(const Target& target, std::string_view text) const;
  [[nodiscard]] static Outcome append(PathFiles::File file, const Target& target,
                                      std::string_view text);
  void settle(const Target& target, std::string_view name, const Outcome& outcome);
  /// Lines that were lost before they came here.
  void tell_lost(const Target& target, std::uint64_t lines, std::string_view why);
  void tell(observe::Level level, std::string_view message) const;

  const base::Clock& clock_;
  observe::Counters& counters_;
  std::shared_ptr<const observe::ErrorLog> log_;
};

}  // namespace accesslog
