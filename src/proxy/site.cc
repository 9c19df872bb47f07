#include "proxy/site.h"

#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "proxy/worker.h"

namespace proxy {

const VirtualServer& ListenGroup::find(std::string_view host, base::Captures& captures,
                                       script::Slots slots) const {
  // Most listeners have one server: no look-up then.
  if (servers.size() == 1 && !names.has_patterns()) return *servers.front();
  const auto match = names.find(host, captures, slots);
  return *servers[match ? match->value : default_server];
}

Site::Site(Worker& worker, std::shared_ptr<const void> owner, const Listing& listing)
    : owner_(std::move(owner)),
      number_(++worker.sites_made),
      listing_(listing),
      network_(worker.loop),
      connector_(worker.connector != nullptr ? *worker.connector : network_),
      access_log_(worker.loop, worker.counters),
      dynamic_({worker.loop, worker.resolver, connector_, worker.counters}) {
  const upstream::Surroundings surroundings{worker.loop, worker.resolver, connector_,
                                            worker.counters};
  for (const auto& group : listing.groups) groups_.emplace(group->address, group.get());
  for (const auto& spec : listing.clusters) {
    const auto made =
        clusters_.emplace(spec.get(), std::make_unique<upstream::Cluster>(spec, surroundings));
    if (spec->is_group) {
      groups_by_name_.emplace(base::lower(spec->name), made.first->second.get());
    }
  }
}

std::expected<std::shared_ptr<Site>, std::string> Site::make(Worker& worker,
                                                             std::shared_ptr<const void> owner,
                                                             const Listing& listing) {
  std::shared_ptr<Site> site(new Site(worker, std::move(owner), listing));
  for (const tls::ServerPolicy& policy : listing.policies) {
    auto context = tls::ServerContext::make(worker.tls, policy, worker.ticket_keys);
    if (!context) return std::unexpected(std::move(context).error());
    site->server_contexts_.push_back(*std::move(context));
  }
  for (const auto& policy : listing.client_policies) {
    auto context = tls::ClientContext::make(worker.tls, *policy);
    if (!context) return std::unexpected(std::move(context).error());
    site->client_contexts_.push_back(*std::move(context));
  }
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

tls::ServerContext& Site::Source::initial() {
  return *site_.server_contexts_[group_.servers[group_.default_server]->policy];
}

tls::Selection Site::Source::select(std::string_view sni) {
  base::Captures captures;
  const VirtualServer& server = group_.find(sni, captures, {});
  if (server.certificates.empty()) return {};
  return {site_.server_contexts_[server.policy].get(), server.certificates};
}

void Site::retire() {
  for (auto& [spec, cluster] : clusters_) cluster->drain();
  dynamic_.drain();
}

}  // namespace proxy
