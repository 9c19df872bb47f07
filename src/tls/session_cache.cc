#include "tls/session_cache.h"

#include <openssl/crypto.h>

#include <utility>

namespace tls {

SessionCache::~SessionCache() {
  while (!entries_.empty()) drop(entries_.begin());
}

void SessionCache::drop(Entries::iterator entry) {
  used_ -= cost(*entry);
  OPENSSL_cleanse(entry->session.data(), entry->session.size());
  index_.erase(entry->id);
  entries_.erase(entry);
}

std::size_t SessionCache::store(const Id& id, std::span<const std::uint8_t> session,
                                Seconds expires, Seconds now) {
  Entry entry{.id = id, .session = {session.begin(), session.end()}, .expires = expires};
  const std::size_t needed = cost(entry);
  if (needed > capacity_) return 0;
  const std::scoped_lock lock(mutex_);
  if (const auto known = index_.find(id); known != index_.end()) drop(known->second);
  // In the order of their storing, which is that of their expiry where the time-outs are the same.
  while (!entries_.empty() && entries_.front().expires <= now) drop(entries_.begin());
  std::size_t evicted = 0;
  while (used_ + needed > capacity_) {
    drop(entries_.begin());
    ++evicted;
  }
  used_ += needed;
  entries_.push_back(std::move(entry));
  index_.emplace(id, std::prev(entries_.end()));
  return evicted;
}

std::optional<std::vector<std::uint8_t>> SessionCache::find(const Id& id, Seconds now) const {
  const std::scoped_lock lock(mutex_);
  const auto found = index_.find(id);
  if (found == index_.end() || found->second->expires <= now) return std::nullopt;
  return found->second->session;
}

void SessionCache::remove(const Id& id) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = index_.find(id); found != index_.end()) drop(found->second);
}

std::size_t SessionCache::size() const {
  const std::scoped_lock lock(mutex_);
  return entries_.size();
}

std::shared_ptr<SessionCache> SessionCaches::get(const std::string& name, std::size_t capacity) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(by_name_, [](const auto& entry) { return entry.second.expired(); });
  auto cache = by_name_[name].lock();
  if (cache == nullptr || cache->capacity() != capacity) {
    cache = std::make_shared<SessionCache>(capacity);
    by_name_[name] = cache;
  }
  return cache;
}

}  // namespace tls
