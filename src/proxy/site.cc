#include "proxy/site.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "guard/zones.h"
#include "proxy/client_certificates.h"
#include "proxy/http2_options.h"
#include "proxy/worker.h"

namespace proxy {

const VirtualServer& ListenGroup::find(std::string_view host, base::Captures& captures,
                                       script::Slots slots) const {
  // Most listeners have one server: no look-up then.
  if (servers.size() == 1 && !names.has_patterns()) return *servers.front();
  const auto match = names.find(host, captures, slots);
  return *servers[match ? match->value : default_server];
}

bool ListenGroup::speaks_http2() const {
  return http2 || *servers[default_server]->level->get<Http2Options>().on;
}

std::uint64_t Site::http2_memory() const {
  if (listing_.servers.empty()) return *Http2Memory{}.total;
  return *listing_.servers.front()->level->get<Http2Memory>().total;
}

Site::Site(Worker& worker, std::shared_ptr<const void> owner, const Listing& listing)
    : owner_(std::move(owner)),
      number_(++worker.sites_made),
      listing_(listing),
      access_log_(worker.loop, worker.counters, worker.logs),
      traffic_(listing.place_count),
      roots_(worker.loop),
      loop_(worker.loop),
      counters_(worker.counters) {
  for (const auto& group : listing.groups) groups_.emplace(group->address, group.get());
  make_clusters(worker);
  guard::Zones own;  // where nobody lends any
  guard::Zones& zones = worker.zones != nullptr ? *worker.zones : own;
  for (const guard::Zone& zone : listing.zones) zones_.push_back(zones.get(zone.spec));
}

// What the configuration says the same of as before goes on as it is: addresses, failures, weights
// and idle connections of a group, sessions of a TLS policy.
void Site::make_clusters(Worker& worker) {
  const upstream::Surroundings surroundings{worker.loop,       worker.resolvers,
                                            *worker.connector, worker.counters,
                                            worker.background, worker.http2_budget};
  std::unordered_multimap<std::string_view, std::shared_ptr<upstream::Cluster>> before;
  if (const Site* old = worker.site.get()) {
    for (const auto& [spec, cluster] : old->clusters_) before.emplace(spec->name, cluster);
    dynamic_ = old->dynamic_;
  } else {
    dynamic_ = std::make_shared<upstream::ClusterCache>(surroundings);
  }
  for (const auto& spec : listing_.clusters) {
    const auto [first, last] = before.equal_range(spec->name);
    const auto same =
        std::find_if(first, last, [&](const auto& known) { return known.second->spec() == *spec; });
    std::shared_ptr<upstream::Cluster> cluster;
    if (same != last) {
      cluster = std::move(same->second);
      before.erase(same);
    } else {
      cluster = std::make_shared<upstream::Cluster>(spec, surroundings);
    }
    if (spec->is_group) groups_by_name_.emplace(base::lower(spec->name), cluster.get());
    clusters_.emplace(spec.get(), std::move(cluster));
  }
}

std::expected<void, std::string> Site::make_contexts(Worker& worker) {
  for (const tls::ServerPolicy& policy : listing_.policies) {
    auto context = tls::ServerContext::make(worker.tls, policy, worker.ticket_keys,
                                            worker.session_caches.get());
    if (!context) return std::unexpected(std::move(context).error());
    server_contexts_.push_back(*std::move(context));
  }
  for (const auto& policy : listing_.client_policies) {
    std::shared_ptr<tls::ClientContext> context;
    if (const Site* old = worker.site.get()) {
      const auto same = std::ranges::find_if(
          old->client_contexts_, [&](const auto& known) { return known->policy() == *policy; });
      if (same != old->client_contexts_.end()) context = *same;
    }
    if (context == nullptr) {
      auto made = tls::ClientContext::make(worker.tls, *policy);
      if (!made) return std::unexpected(std::move(made).error());
      context = *std::move(made);
    }
    client_contexts_.push_back(std::move(context));
  }
  return {};
}

std::expected<std::shared_ptr<Site>, std::string> Site::make(Worker& worker,
                                                             std::shared_ptr<const void> owner,
                                                             const Listing& listing) {
  std::shared_ptr<Site> site(new Site(worker, std::move(owner), listing));
  if (auto made = site->make_contexts(worker); !made) return std::unexpected(made.error());
  return site;
}

const ListenGroup* Site::find(const base::Address& listener) const noexcept {
  const auto found = groups_.find(listener);
  return found == groups_.end() ? nullptr : found->second;
}

upstream::Cluster& Site::cluster(const upstream::ClusterSpec& spec) {
  const auto found = clusters_.find(&spec);
  CHECK(found != clusters_.end());
  return *found->second;
}

upstream::Cluster* Site::group(std::string_view name) {
  const auto found = groups_by_name_.find(base::lower(name));
  return found == groups_by_name_.end() ? nullptr : found->second;
}

tls::ClientContext* Site::client_context(const tls::ClientPolicy& policy) noexcept {
  for (std::size_t i = 0; i < listing_.client_policies.size(); ++i) {
    if (listing_.client_policies[i].get() == &policy) return client_contexts_[i].get();
  }
  return nullptr;
}

content::OpenFiles* Site::open_files(const content::OpenFileOptions& options) {
  const content::OpenFileCache* cache = options.cache->get();
  if (cache == nullptr) return nullptr;
  auto& files = open_files_[cache];
  if (files == nullptr) files = std::make_unique<content::OpenFiles>(loop_, *cache, counters_);
  return files.get();
}

ClientCertificateCache& Site::client_certificates(Worker& worker, const NamedCertificate& named) {
  auto& cache = client_certificates_[&named];
  if (cache == nullptr) {
    const ClientCertificateCache::Surroundings surroundings{worker.loop, worker.tls, worker.signer,
                                                            worker.counters};
    cache = std::make_shared<ClientCertificateCache>(surroundings, named);
  }
  return *cache;
}

tls::ServerContext& Site::Source::initial() {
  return *site_.server_contexts_[group_.servers[group_.default_server]->policy];
}

tls::Selection Site::Source::select(std::string_view sni) {
  base::Captures captures;
  const VirtualServer& server = group_.find(sni, captures, {});
  if (server.certificates.empty()) return {};
  return {site_.server_contexts_[server.policy].get(), server.certificates};
}

std::size_t Site::close_kept_files() noexcept {
  std::size_t closed = 0;
  for (const auto& [cache, files] : open_files_) closed += files->clear();
  return closed;
}

bool Site::close_oldest_idle() {
  upstream::Cluster* oldest = dynamic_->find_oldest_idle();
  base::TimePoint since = oldest != nullptr ? oldest->idle_since() : base::kNoDeadline;
  for (const auto& [spec, cluster] : clusters_) {
    if (cluster->idle_since() >= since) continue;
    oldest = cluster.get();
    since = oldest->idle_since();
  }
  if (oldest == nullptr) return false;
  oldest->discard_oldest_idle();
  return true;
}

std::vector<upstream::ClusterReport> Site::report_clusters(base::TimePoint now) const {
  std::vector<upstream::ClusterReport> reports;
  reports.reserve(listing_.clusters.size());
  for (const auto& spec : listing_.clusters) {
    reports.push_back(upstream::report_of(*clusters_.at(spec.get()), now));
  }
  return reports;
}

void Site::retire(const Site* successor) {
  access_log_.retire();
  std::unordered_set<const upstream::Cluster*> kept;
  if (successor != nullptr) {
    for (const auto& [spec, cluster] : successor->clusters_) kept.insert(cluster.get());
  }
  for (const auto& [spec, cluster] : clusters_) {
    if (!kept.contains(cluster.get())) cluster->drain();
  }
  if (successor == nullptr || successor->dynamic_ != dynamic_) dynamic_->drain();
}

}  // namespace proxy
