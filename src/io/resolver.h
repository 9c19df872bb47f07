// Resolver: names to addresses, for one worker. DnsResolver asks name servers (dns_channel.h):
// the system's, or those of a `resolver` directive. For the system's it reads the hosts file first
// and follows the search list of resolv.conf, as getaddrinfo does; a configured one asks for the
// name as it is, as nginx does.
//
// Answers are cached for their TTL (1 s to 1 h, or what `valid` says), and there is at most one
// lookup under way for a name, however many wait for it. A and AAAA are asked for side by side; if
// one of them is slow, whoever knows nothing yet gets the other after 50 ms (RFC 8305 §3).
//
//   name servers fail          old addresses stay in use for a day; asked again after 1, 2, 4, 5 s
//   no such name, no address   old addresses stay in use for 30 s: an empty answer is more often a
//                              mistake or a moment of a deployment than the truth
//   one family fails           its old addresses stay, the other's are new
//
// A service is looked up in the same way: its SRV records are a name of the cache, and so are the
// hosts that they name.
//
// Each such episode is told once, and counted. A failure without old addresses is remembered for
// the same pause.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/task.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/result.h"
#include "io/address_order.h"
#include "io/dns_channel.h"
#include "io/event_loop.h"
#include "observe/counters.h"
#include "observe/error_log.h"

namespace io {

struct Resolution {
  // At least one; the best first (RFC 6724), but the families take turns (RFC 8305 §4).
  std::vector<base::Address> addresses;
  std::chrono::seconds ttl{};            // what is left of it; at least one second
  bool stale = false;                    // out of date: the refresh has failed or is under way
  bool failing = false;                  // the last refresh has failed
  base::Duration overdue{};              // since when it is stale
};

/// An address at which a service is offered, by SRV records.
struct ServiceAddress {
  base::Address address;
  std::string target;  // the host that has it
  std::uint16_t weight = 0;  // as the record says
  bool is_first = true;  // its record has the lowest priority number; else it is for emergencies
  bool operator==(const ServiceAddress&) const = default;
};

struct ServiceResolution {
  std::vector<ServiceAddress> addresses;  // at least one; those that are first come first
  std::chrono::seconds ttl{};  // the least of all records'
  bool stale = false;  // something is out of date, or the addresses of a target are not known yet
  bool failing = false;
  base::Duration overdue{};
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

  /// The same for a service ("_http._tcp.example.com"), whose SRV records name hosts and ports
  /// (RFC 2782). Waits until one of the hosts is known, those of the lowest priority number first.
  [[nodiscard]] virtual async::Task<base::Result<ServiceResolution>> resolve_service(
      std::string name, base::Deadline deadline) = 0;
  /// Nothing as long as no host has an address: what was known before is better then.
  [[nodiscard]] virtual std::optional<ServiceResolution> known_service(std::string_view name) = 0;
};

/// A name server that has a name itself, which the system's resolver knows.
struct NamedServer {
  std::string host;
  std::uint16_t port = 53;
  bool operator==(const NamedServer&) const = default;
};

/// What a `resolver` directive says; without servers, the system's resolver. Two that are equal
/// share a cache.
struct DnsOptions {
  std::vector<base::Address> servers{};
  std::vector<NamedServer> named_servers{};
  std::optional<std::chrono::seconds> valid{};  // instead of the TTL
  bool ipv4 = true;
  bool ipv6 = true;
  std::chrono::milliseconds query_timeout{2000};  // of the first try; later ones wait longer
  int tries = 2;  // per server
  // Per name, and hosts and their addresses per service; what exceeds it is dropped, and counted.
  std::size_t max_addresses = 32;
  std::size_t max_names = 1024;  // in the cache
  bool operator==(const DnsOptions&) const = default;
  [[nodiscard]] bool is_system() const noexcept { return servers.empty() && named_servers.empty(); }
};

/// What a resolver is given; all of it outlives the resolver.
struct DnsSurroundings {
  observe::Counters* counters = nullptr;
  std::function<void(observe::Level, std::string_view)> say{};  // to the administrator
  std::shared_ptr<Resolver> system{};  // for named servers
  std::string hosts_file = "/etc/hosts";
  std::string resolv_conf{};  // empty: the system's
  std::uint16_t resolv_conf_port = 53;
  std::unique_ptr<DnsChannel> channel{};  // null: by c-ares
  std::optional<base::Address> (*source_for)(const base::Address&) noexcept = io::source_for;
};

class DnsResolver final : public Resolver {
 public:
  /// `loop` outlives the resolver; nobody waits for it any more when it is destroyed.
  explicit DnsResolver(EventLoop& loop, DnsOptions options = {}, DnsSurroundings around = {});
  ~DnsResolver() override;
  DnsResolver(const DnsResolver&) = delete;
  DnsResolver& operator=(const DnsResolver&) = delete;

  [[nodiscard]] async::Task<base::Result<Resolution>> resolve(std::string name, std::uint16_t port,
                                                              base::Deadline deadline) override;
  [[nodiscard]] std::optional<Resolution> known(std::string_view name, std::uint16_t port) override;
  [[nodiscard]] async::Task<base::Result<ServiceResolution>> resolve_service(
      std::string name, base::Deadline deadline) override;
  [[nodiscard]] std::optional<ServiceResolution> known_service(std::string_view name) override;

  static constexpr std::chrono::seconds kMinTtl{1};
  static constexpr std::chrono::seconds kMaxTtl{3600};
  static constexpr std::chrono::seconds kPartialTtl{30};  // of an answer that lacks one family
  static constexpr std::chrono::seconds kMaxPause{5};  // before a lookup that failed is repeated
  static constexpr std::chrono::hours kStaleLimit{24};
  static constexpr std::chrono::seconds kGoneGrace{30};
  static constexpr std::chrono::milliseconds kOtherFamilyDelay{50};
  static constexpr std::chrono::seconds kServerNameWait{5};  // for the names of named servers

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// The resolvers of one worker.
class Resolvers {
 public:
  virtual ~Resolvers() = default;
  /// The one for these options, made when first asked for; hold it for as long as it is used.
  [[nodiscard]] virtual std::shared_ptr<Resolver> find(const DnsOptions& options) = 0;
};

/// Each has a cache of its own, and goes when nobody holds it any more: but for the system's, which
/// stays.
class DnsResolvers final : public Resolvers {
 public:
  using Say = std::function<void(observe::Level, std::string_view)>;
  DnsResolvers(EventLoop& loop, observe::Counters* counters, Say say);
  [[nodiscard]] std::shared_ptr<Resolver> find(const DnsOptions& options) override;

 private:
  [[nodiscard]] DnsSurroundings around() const;
  EventLoop& loop_;
  observe::Counters* counters_;
  Say say_;
  std::shared_ptr<Resolver> system_;
  std::vector<std::pair<DnsOptions, std::weak_ptr<Resolver>>> configured_;
};

}  // namespace io
