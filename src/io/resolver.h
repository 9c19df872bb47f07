// Resolver: names to addresses, for one worker. DnsResolver does it with c-ares: /etc/hosts first,
// then the name servers of /etc/resolv.conf (or given ones), A and AAAA together, on this thread's
// event loop.
//
// Answers are cached for their TTL (1 s to 1 h), and there is at most one query in flight for a
// name, however many wait for it. When a refresh fails, the old answer is served on as `stale`; a
// name that is authoritatively gone is not. Failures are remembered for a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/result.h"
#include "io/event_loop.h"

namespace io {

struct Resolution {
  std::vector<base::Address> addresses;  // at least one, in the resolver's order of preference
  std::chrono::seconds ttl{};            // what is left of it; at least one second
  bool stale = false;                    // out of date: the refresh has failed or is under way
};

class Resolver {
 public:
  virtual ~Resolver() = default;

  /// `name` is a host name or an IP address without brackets. Errors: not_found, timed_out (at the
  /// deadline, or no server answered), cancelled, invalid, ...
  [[nodiscard]] virtual async::Task<base::Result<Resolution>> resolve(std::string name,
                                                                      std::uint16_t port,
                                                                      base::Deadline deadline) = 0;

  /// What is known now, without waiting; starts a query when that is nothing or out of date.
  [[nodiscard]] virtual std::optional<Resolution> known(std::string_view name,
                                                        std::uint16_t port) = 0;
};

struct DnsOptions {
  std::vector<base::Address> servers;  // none: those of /etc/resolv.conf
  std::chrono::milliseconds query_timeout{2000};  // of the first try; later ones wait longer
  int tries = 2;  // per server
  bool ipv6 = true;
  std::size_t max_addresses = 32;  // per name; what exceeds it is dropped
  std::size_t max_names = 1024;  // in the cache
};

class DnsResolver final : public Resolver {
 public:
  /// `loop` outlives the resolver; nobody waits for it any more when it is destroyed.
  [[nodiscard]] static base::Result<std::unique_ptr<DnsResolver>> make(EventLoop& loop,
                                                                       DnsOptions options = {});
  ~DnsResolver() override;
  DnsResolver(const DnsResolver&) = delete;
  DnsResolver& operator=(const DnsResolver&) = delete;

  [[nodiscard]] async::Task<base::Result<Resolution>> resolve(std::string name, std::uint16_t port,
                                                              base::Deadline deadline) override;
  [[nodiscard]] std::optional<Resolution> known(std::string_view name, std::uint16_t port) override;

  static constexpr std::chrono::seconds kMinTtl{1};
  static constexpr std::chrono::seconds kMaxTtl{3600};
  static constexpr std::chrono::seconds kFailureTtl{1};

 private:
  class State;
  explicit DnsResolver(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace io
