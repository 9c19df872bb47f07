// SessionCache: sessions of clients that do not take tickets, or to whom none are given
// (ssl_session_cache shared:NAME:SIZE). TLS 1.2 finds them by session id, TLS 1.3 by a ticket that
// is no more than an id ("ssl_session_tickets off").
//
// One object is shared by all workers, as nginx's shared zone, and by servers that name it; it is
// handed on over reloads while its size stays. One lock: it is asked once per full handshake at
// most, which costs a thousand times as much. What is in it is what a stateless ticket holds
// encrypted, so it is wiped when it goes. Rejected: OpenSSL's own cache, which each SSL_CTX has for
// itself and so each worker, where the next connection seldom ends up.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tls/replay_guard.h"

namespace tls {

class SessionCache {
 public:
  using Seconds = std::chrono::seconds;  // of wall time, since 1970
  using Id = std::string;  // at most 32 bytes

  /// What an entry takes beside its session's bytes, about.
  static constexpr std::size_t kOverhead = 200;

  /// `capacity`: bytes, kOverhead for each entry included.
  explicit SessionCache(std::size_t capacity) noexcept : capacity_(capacity) {}
  ~SessionCache();
  SessionCache(const SessionCache&) = delete;
  SessionCache& operator=(const SessionCache&) = delete;

  // Thread-safe, all of them.

  /// Keeps `session` under `id` until `expires`, in place of an earlier one. Makes room by dropping
  /// what has expired, then the oldest; returns how many of the latter. One that is larger than the
  /// whole cache is not kept.
  std::size_t store(const Id& id, std::span<const std::uint8_t> session, Seconds expires,
                    Seconds now);
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> find(const Id& id, Seconds now) const;
  void remove(const Id& id);

  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::size_t size() const;  // entries

 private:
  struct Entry {
    Id id;
    std::vector<std::uint8_t> session;
    Seconds expires;
  };
  using Entries = std::list<Entry>;
  [[nodiscard]] static std::size_t cost(const Entry& entry) noexcept {
    return entry.session.size() + kOverhead;
  }
  void drop(Entries::iterator entry);  // with mutex_ held

  const std::size_t capacity_;
  mutable std::mutex mutex_;  // guards what follows
  Entries entries_;  // the oldest first
  std::unordered_map<Id, Entries::iterator> index_;
  std::size_t used_ = 0;  // sum of the costs, <= capacity_
};

/// The caches by name, for as long as a configuration uses them.
class SessionCaches {
 public:
  /// The one of that name. Another size makes a new one, without the old one's sessions.
  /// Thread-safe.
  [[nodiscard]] std::shared_ptr<SessionCache> get(const std::string& name, std::size_t capacity);

  /// Of the whole process: no server's early data is taken twice by another.
  [[nodiscard]] const std::shared_ptr<ReplayGuard>& replays() const noexcept { return replays_; }

 private:
  const std::shared_ptr<ReplayGuard> replays_ = std::make_shared<ReplayGuard>();
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<SessionCache>> by_name_;
};

}  // namespace tls
