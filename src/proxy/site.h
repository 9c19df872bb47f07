// What a configuration serves, and one worker's part of it.
//
//   Listing (shared, immutable)   listen groups by address → names → virtual servers → routes
//   Site    (one per worker)      the same with TLS contexts, clusters and their pools
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "accesslog/access_log.h"
#include "base/address.h"
#include "config/level.h"
#include "content/file.h"
#include "content/open_files.h"
#include "guard/zone.h"
#include "io/listen_options.h"
#include "proxy/plan.h"
#include "proxy/traffic.h"
#include "route/name_table.h"
#include "route/route_table.h"
#include "tls/certificate.h"
#include "tls/client_context.h"
#include "tls/server_context.h"
#include "upstream/cluster.h"
#include "upstream/cluster_cache.h"
#include "upstream/cluster_report.h"

namespace observe {
class ErrorLog;
}

namespace proxy {

class ClientCertificateCache;
struct NamedCertificate;
struct Worker;

struct VirtualServer {
  const config::Level* level = nullptr;
  std::string name;  // the first server_name, "" if there is none
  route::RouteTable routes;
  std::vector<tls::CertificatePtr> certificates;  // none: not a TLS server, or it rejects
  bool takes_connect = false;                     // a tunnel_pass holds somewhere in it
  bool rejects = false;                           // its handshakes (ssl_reject_handshake)
  std::size_t policy = 0;                         // in Listing::policies
};

/// All servers that listen on one address.
struct ListenGroup {
  base::Address address;
  bool tls = false;
  bool proxy_protocol = false;  // connections begin with a PROXY protocol header
  bool http2 = false;           // `listen ... http2`: for all servers of the address
  bool serves_calls = false;    // some server has a grpc_pass
  io::ListenOptions socket;
  std::vector<const VirtualServer*> servers;
  route::NameTable names;               // to an index in `servers`
  std::size_t default_server = 0;
  [[nodiscard]] const VirtualServer& find(std::string_view host, base::Captures& captures,
                                          script::Slots slots) const;
  /// In the clear, where no name tells the servers apart before the first request.
  [[nodiscard]] bool speaks_http2() const;
};

struct Listing {
  std::vector<std::unique_ptr<VirtualServer>> servers;
  std::vector<std::unique_ptr<ListenGroup>> groups;
  std::vector<tls::ServerPolicy> policies;
  std::vector<std::shared_ptr<const upstream::ClusterSpec>> clusters;
  std::vector<std::shared_ptr<const tls::ClientPolicy>> client_policies;
  std::vector<ClientCertificate> client_certificates;  // of these policies
  std::vector<guard::Zone> zones;       // of limit_req and limit_conn
  std::size_t slot_count = 0;           // of named captures
  std::size_t place_count = 0;          // servers and locations, numbered (traffic.h)
  bool compat_nginx = false;
  std::string temporary_directory;
  bool shows_body_files = false;  // $request_body_file is used
  std::vector<std::string> body_directories;  // client_body_temp_path: the server process's own
  std::shared_ptr<const observe::ErrorLog> error_log;  // the main context's
};

class Site {
 public:
  /// `owner` keeps `listing` alive (the snapshot). Goes on with what `worker.site` has, where the
  /// configuration says the same.
  [[nodiscard]] static std::expected<std::shared_ptr<Site>, std::string> make(
      Worker& worker, std::shared_ptr<const void> owner, const Listing& listing);

  [[nodiscard]] const Listing& listing() const noexcept { return listing_; }
  /// Of the sites of its worker, from 1: tells them apart, also from one that is gone.
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  /// What the HTTP/2 connections of this worker may hold together: http2_max_total_memory.
  [[nodiscard]] std::uint64_t http2_memory() const;
  /// Null if nothing is configured there any more.
  [[nodiscard]] const ListenGroup* find(const base::Address& listener) const noexcept;

  /// The cluster of a plan whose target is constant.
  [[nodiscard]] upstream::Cluster& cluster(const upstream::ClusterSpec& spec);
  /// The group of that name that variables may mean; null if none has it.
  [[nodiscard]] upstream::Cluster* group(std::string_view name);
  [[nodiscard]] upstream::ClusterCache& dynamic_clusters() noexcept { return *dynamic_; }
  [[nodiscard]] tls::ClientContext* client_context(const tls::ClientPolicy& policy) noexcept;
  /// Of a plan of this site.
  [[nodiscard]] ClientCertificateCache& client_certificates(Worker& worker,
                                                            const NamedCertificate& named);

  /// Contexts and certificates for a name on one listener.
  class Source final : public tls::CertificateSource {
   public:
    Source(Site& site, const ListenGroup& group) noexcept : site_(site), group_(group) {}
    [[nodiscard]] tls::Selection select(std::string_view sni) override;
    [[nodiscard]] tls::ServerContext& initial();

   private:
    Site& site_;
    const ListenGroup& group_;
  };

  [[nodiscard]] accesslog::Writer& access_log() noexcept { return access_log_; }
  [[nodiscard]] content::Roots& roots() noexcept { return roots_; }
  /// The files that `open_file_cache` of that place keeps; null: it keeps none.
  [[nodiscard]] content::OpenFiles* open_files(const content::OpenFileOptions& options);
  [[nodiscard]] TrafficTable& traffic() noexcept { return traffic_; }
  /// Of every cluster that the configuration names, as this worker sees it.
  [[nodiscard]] std::vector<upstream::ClusterReport> report_clusters(base::TimePoint now) const;

  /// The zones' tables, as Listing::zones.
  [[nodiscard]] guard::Tables zones() const noexcept { return zones_; }

  /// Closes what open_file_cache keeps and nobody is sent; how much that was.
  std::size_t close_kept_files() noexcept;
  /// Closes the connection to a backend that has been idle longest. False: none is idle.
  bool close_oldest_idle();
  /// A newer site has taken over, or none when the worker ends: of what it does not go on with,
  /// idle connections to backends are closed. Lines of access logs are no longer held back.
  void retire(const Site* successor);

 private:
  Site(Worker& worker, std::shared_ptr<const void> owner, const Listing& listing);
  void make_clusters(Worker& worker);
  [[nodiscard]] std::expected<void, std::string> make_contexts(Worker& worker);

  std::shared_ptr<const void> owner_;
  const std::uint64_t number_;
  const Listing& listing_;
  accesslog::Writer access_log_;
  TrafficTable traffic_;
  content::Roots roots_;
  io::EventLoop& loop_;
  observe::Counters& counters_;
  std::vector<std::shared_ptr<guard::StateTable>> zones_;
  std::unordered_map<base::Address, const ListenGroup*> groups_;
  std::vector<std::unique_ptr<tls::ServerContext>> server_contexts_;  // by policy
  // These live on in the next site where the configuration says the same of them. A cluster's own
  // spec is equal to the one that it stands under, not always the same object.
  std::vector<std::shared_ptr<tls::ClientContext>> client_contexts_;  // as client_policies
  std::unordered_map<const upstream::ClusterSpec*, std::shared_ptr<upstream::Cluster>> clusters_;
  std::map<std::string, upstream::Cluster*, std::less<>> groups_by_name_;  // in lower case
  std::shared_ptr<upstream::ClusterCache> dynamic_;
  // These do not: after a reload files are read again.
  std::unordered_map<const content::OpenFileCache*, std::unique_ptr<content::OpenFiles>>
      open_files_;
  std::unordered_map<const NamedCertificate*, std::shared_ptr<ClientCertificateCache>>
      client_certificates_;
};

}  // namespace proxy
