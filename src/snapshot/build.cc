#include "snapshot/build.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "admission/auth_basic.h"
#include "admission/auth_request.h"
#include "admission/secure_link.h"
#include "base/text.h"
#include "content/error_page_directive.h"
#include "content/static_directives.h"
#include "content/try_files.h"
#include "filter/add_header.h"
#include "filter/expires.h"
#include "filter/filter_plan.h"
#include "filter/userid.h"
#include "guard/limit_directives.h"
#include "proxy/client_options.h"
#include "proxy/http2_options.h"
#include "proxy/limit_rate.h"
#include "proxy/plan.h"
#include "proxy/tunnel_pass.h"
#include "route/route_builder.h"
#include "script/data_directives.h"
#include "script/referer.h"
#include "script/rewrite_directives.h"
#include "tls/tls_directives.h"
#include "upstream/upstream_directives.h"

namespace snapshot {
namespace {

using config::Context;
using config::Level;

// Where nginx logs when nobody says otherwise.
constexpr std::string_view kNginxAccessLog = "logs/access.log";
// What it serves then.
constexpr std::string_view kNginxRoot = "html";

content::StaticSurroundings::Location static_location(const Level& level) {
  const auto* location = level.find<route::LocationOptions>();
  if (location == nullptr) return {};
  return {.name_size = location->name.size(),
          .regex = location->kind == route::Location::Kind::regex,
          .named = location->kind == route::Location::Kind::named};
}

// Blocks whose settings can hold for a request.
bool is_place(Context context) {
  return context == Context::server || context == Context::location ||
         context == Context::if_in_location || context == Context::limit_except;
}

bool has_tunnel(const Level& level) {
  return level.find<proxy::TunnelPlan>() != nullptr ||
         std::ranges::any_of(level.children(),
                             [](const auto& child) { return has_tunnel(*child); });
}

// nginx's: a server without a name has the empty one.
std::span<const config::Word> server_names(const Level& level) {
  static const config::Word kNoName;
  const Level* server = level.enclosing(Context::server);
  const auto* options = server != nullptr ? server->find<route::ServerOptions>() : nullptr;
  if (options == nullptr || options->names.empty()) return {&kNoName, 1};
  return options->names;
}

class Builder {
 public:
  Builder(script::Variables& variables, const config::BuildFlags& flags,
          config::Diagnostics& diagnostics, const upstream::Groups& groups,
          accesslog::LogCompiler& logs, std::string default_root, Built& built)
      : variables_(variables),
        flags_(flags),
        diagnostics_(diagnostics),
        logs_(logs),
        built_(built),
        upstreams_(groups),
        plans_(variables, groups, diagnostics, flags),
        static_{variables, diagnostics, flags.compat_nginx, std::move(default_root),
                static_location} {}

  void build(Level& http);

 private:
  void provision(Level& level);
  void number(Level& level);
  void add_server(Level& level);
  void add_names(const Level& level, const route::ServerOptions& options,
                 const proxy::VirtualServer& server, proxy::ListenGroup& group);
  proxy::ListenGroup& group_for(const route::ListenOptions& listen);
  void take_socket_options(const route::ListenOptions& listen, proxy::ListenGroup& group);
  void take_protocols(const route::ListenOptions& listen, proxy::ListenGroup& group);
  void add_certificates(const Level& level, proxy::VirtualServer& server);
  void choose_policy(proxy::VirtualServer& server);
  void check_session_cache(const tls::TlsOptions& options);
  void finish_groups();
  void keep_client_hellos();

  script::Variables& variables_;
  const config::BuildFlags& flags_;
  config::Diagnostics& diagnostics_;
  accesslog::LogCompiler& logs_;
  Built& built_;
  const upstream::Groups& upstreams_;
  proxy::PlanMaker plans_;
  content::StaticSurroundings static_;
  std::map<std::string, proxy::ListenGroup*> groups_;  // by address
  std::map<const proxy::ListenGroup*, config::Position> default_of_;
  std::map<const proxy::ListenGroup*, config::Position> options_of_;
  using Protocols = std::array<bool, 3>;  // ssl, http2, proxy_protocol
  std::map<const proxy::ListenGroup*, std::pair<Protocols, config::Position>> protocols_of_;
  std::set<tls::KeyId> keys_;
  std::map<std::string, std::size_t> caches_;  // of TLS sessions: their sizes
  std::set<const proxy::VirtualServer*> secured_;  // whose certificates were looked at
};

// Whatever has variables in it is compiled, level by level from the top.
void Builder::provision(Level& level) {
  filter::provision_expires(level, variables_, diagnostics_);
  filter::provision_add_header(level, variables_, diagnostics_);
  filter::provision_filters(level, variables_, diagnostics_);
  level.options<accesslog::Logs>() = logs_.compile(level);
  content::provision_error_pages(level, variables_, diagnostics_);
  filter::provision_user_id(level, variables_, diagnostics_);
  admission::provision_secure_link(level, variables_, diagnostics_);
  guard::provision_limits(level, built_.listing.zones, diagnostics_);
  admission::provision_auth_basic(level, variables_, diagnostics_);
  admission::provision_auth_request(level, variables_, diagnostics_);
  const Context context = level.context();
  if (context == Context::server || context == Context::location) {
    script::provision_referers(level, server_names, diagnostics_);
    script::provision_program(level, variables_, diagnostics_);
    content::provision_try_files(level, variables_, diagnostics_);
  }
  if (context != Context::http) {
    content::provision_static(level, static_);
    if (const auto& path = level.get<proxy::ClientOptions>().body_temp_path;
        path.is_set && std::ranges::find(built_.listing.body_directories, *path) ==
                           built_.listing.body_directories.end()) {
      built_.listing.body_directories.push_back(*path);
    }
    proxy::provision_limit_rate(level, variables_, diagnostics_);
  }
  if (context != Context::http && context != Context::server) plans_.provision(level);
  if (context != Context::http) plans_.provision_tunnel(level);
  for (const auto& child : level.children()) {
    if (is_place(child->context())) provision(*child);
  }
}

// In the order of snapshot::places().
void Builder::number(Level& level) {
  level.options<proxy::PlaceNumber>().number = built_.listing.place_count++;
  for (const auto& child : level.children()) {
    if (child->context() == Context::location) number(*child);
  }
}

void Builder::build(Level& http) {
  filter::define_user_id(variables_, diagnostics_);  // before a map that defines its own
  script::provision_data(http, variables_, diagnostics_);
  built_.listing.zones = guard::make_zones(http, variables_, diagnostics_);
  provision(http);
  for (const auto& child : http.children()) {
    if (child->context() != Context::server) continue;
    add_server(*child);
    number(*child);
  }
  finish_groups();
  keep_client_hellos();
  upstream::warn_of_unused(http, upstreams_, plans_.clusters(), diagnostics_);
  built_.listing.clusters = plans_.clusters();
  built_.listing.client_policies = plans_.policies();
  built_.listing.client_certificates = plans_.client_certificates();
  for (const auto& [id, key] : plans_.private_keys()) {
    if (keys_.insert(id).second) built_.private_keys.push_back(key);
  }
  built_.names.insert(built_.names.end(), plans_.names().begin(), plans_.names().end());
}

// nginx allows them in one `listen` of each address.
void Builder::take_socket_options(const route::ListenOptions& listen, proxy::ListenGroup& group) {
  if (!listen.has_socket_options) return;
  const auto [first, is_new] = options_of_.try_emplace(&group, listen.where);
  if (is_new) {
    group.socket = listen.socket;
    return;
  }
  diagnostics_.error(listen.where, "duplicate listen options for " + listen.address.text(),
                     "the first time is at " + diagnostics_.place(first->second));
}

// An address has what any of its servers asks for. As nginx, a bare `listen` goes along in silence;
// those that ask for something else are warned of.
void Builder::take_protocols(const route::ListenOptions& listen, proxy::ListenGroup& group) {
  group.tls = group.tls || listen.tls;
  group.proxy_protocol = group.proxy_protocol || listen.proxy_protocol;
  group.http2 = group.http2 || listen.http2;
  const Protocols protocols{listen.tls, listen.http2, listen.proxy_protocol};
  if (protocols == Protocols{}) return;
  const auto [first, is_new] =
      protocols_of_.try_emplace(&group, std::pair(protocols, listen.where));
  if (is_new || first->second.first == protocols) return;
  diagnostics_.warning(listen.where, "protocol options redefined for " + listen.address.text(),
                       "the first time is at " + diagnostics_.place(first->second.second));
}

proxy::ListenGroup& Builder::group_for(const route::ListenOptions& listen) {
  auto& group = groups_[listen.address.text()];
  if (group == nullptr) {
    group = built_.listing.groups.emplace_back(std::make_unique<proxy::ListenGroup>()).get();
    group->address = listen.address;
  }
  take_socket_options(listen, *group);
  take_protocols(listen, *group);
  if (listen.default_server) {
    const auto [first, is_new] = default_of_.try_emplace(group, listen.where);
    if (!is_new) {
      diagnostics_.error(listen.where, "a duplicate default server for " + listen.address.text(),
                         "the first one is at " + diagnostics_.place(first->second));
    }
    group->default_server = group->servers.size();
  }
  return *group;
}

void Builder::add_names(const Level& level, const route::ServerOptions& options,
                        const proxy::VirtualServer& server, proxy::ListenGroup& group) {
  const std::size_t index = group.servers.size();
  group.servers.push_back(&server);
  if (level.find<proxy::ServesCalls>() != nullptr) group.serves_calls = true;
  if (options.names.empty()) static_cast<void>(group.names.add("", index));
  for (const config::Word& name : options.names) {
    if (name.text.starts_with('~')) {
      auto pattern = script::Pattern::compile(std::string_view(name.text).substr(1),
                                              base::Regex::Case::insensitive, name.at, variables_,
                                              diagnostics_);
      if (pattern) group.names.add(*std::move(pattern), index);
      continue;
    }
    switch (group.names.add(name.text, index)) {
      case route::NameTable::Added::ok: break;
      case route::NameTable::Added::duplicate:
        diagnostics_.warning(name.at,
                             "conflicting server name \"" + name.text + "\" on " +
                                 group.address.text() + ", ignored",
                             "another server on that address has the name already");
        break;
      case route::NameTable::Added::invalid:
        diagnostics_.error(
            name.at,
            "invalid server name or wildcard \"" + name.text + "\" on " + group.address.text(),
            "a star may stand for the first label or the last one");
        break;
    }
  }
  static_cast<void>(level);
}

void Builder::add_certificates(const Level& level, proxy::VirtualServer& server) {
  const auto& options = level.get<tls::TlsOptions>();
  if (!tls::check(options, level.where(), diagnostics_, flags_)) return;
  server.rejects = *options.reject_handshake;
  if (!server.rejects) {
    for (const auto& file : *options.certificates) server.certificates.push_back(file.certificate);
    for (tls::PrivateKeyPtr& key : tls::open_keys(options)) {
      if (keys_.insert(key->id()).second) built_.private_keys.push_back(std::move(key));
    }
  }
  check_session_cache(options);
}

// Once it is known what the addresses speak: `listen ... http2` is for all servers of one.
void Builder::choose_policy(proxy::VirtualServer& server) {
  tls::ServerPolicy policy = tls::policy_of(server.level->get<tls::TlsOptions>(), flags_);
  const bool http2 =
      *server.level->get<proxy::Http2Options>().on ||
      std::ranges::any_of(built_.listing.groups, [&](const auto& group) {
        return group->http2 && std::ranges::find(group->servers, &server) != group->servers.end();
      });
  if (http2) policy.alpn.insert(policy.alpn.begin(), "h2");
  auto& policies = built_.listing.policies;
  const auto known = std::ranges::find(policies, policy);
  server.policy = static_cast<std::size_t>(known - policies.begin());
  if (known == policies.end()) policies.push_back(std::move(policy));
}

// What clients offer is read only if a variable shows it, wherever that is used.
void Builder::keep_client_hellos() {
  constexpr std::array<std::string_view, 4> kNames{"ssl_ciphers", "ssl_curves", "ssl_ja4",
                                                   "ssl_sigalgs"};
  if (std::ranges::none_of(kNames, [&](auto name) { return variables_.is_used(name); })) return;
  for (tls::ServerPolicy& policy : built_.listing.policies) policy.client_hello = true;
}

// One name is one cache, whoever names it.
void Builder::check_session_cache(const tls::TlsOptions& options) {
  const tls::SessionStore& store = *options.sessions;
  if (store.mode != tls::SessionStore::Mode::shared) return;
  const auto [first, is_new] = caches_.try_emplace(store.name, store.capacity);
  if (is_new || first->second == store.capacity) return;
  diagnostics_.error(options.sessions.where,
                     fmt::format("the size {} of session cache \"{}\" conflicts with already "
                                 "declared size {}",
                                 store.capacity, store.name, first->second));
}

void Builder::add_server(Level& level) {
  auto& options = level.options<route::ServerOptions>();
  if (options.listens.empty()) {
    route::ListenOptions listen;
    listen.address = *base::Address::from_ip("0.0.0.0", ::geteuid() == 0 ? 80 : 8000);
    listen.where = level.where();
    options.listens.push_back(listen);
  }
  auto& server = *built_.listing.servers.emplace_back(std::make_unique<proxy::VirtualServer>());
  server.level = &level;
  if (!options.names.empty()) {
    const std::string& first = options.names.front().text;
    // As nginx: the name without the dot of ".example.com"; a regular expression shows as written.
    server.name = base::lower(first.starts_with('.') ? first.substr(1) : first);
  }
  server.routes = route::build_routes(level, variables_, diagnostics_, [](const Level& location) {
    return location.find<proxy::ForwardPlan>() != nullptr;
  });
  server.takes_connect = has_tunnel(level);
  bool tls = false;
  for (const route::ListenOptions& listen : options.listens) {
    proxy::ListenGroup& group = group_for(listen);
    add_names(level, options, server, group);
    tls = tls || listen.tls;
  }
  if (tls && secured_.insert(&server).second) add_certificates(level, server);
}

// A port speaks TLS as soon as one of its servers says so; the others need certificates then.
void Builder::finish_groups() {
  for (const auto& group : built_.listing.groups) {
    if (!group->tls) continue;
    for (const auto& server : built_.listing.servers) {
      if (secured_.contains(server.get())) continue;
      const bool listens = std::ranges::find(group->servers, server.get()) != group->servers.end();
      const auto& options = server->level->get<tls::TlsOptions>();
      const bool given = !options.certificates->empty() || *options.reject_handshake;
      if (listens && secured_.insert(server.get()).second && given) {
        add_certificates(*server->level, *server);
      }
    }
    const proxy::VirtualServer& standard = *group->servers[group->default_server];
    if (standard.certificates.empty() && !standard.rejects && !diagnostics_.has_errors()) {
      diagnostics_.absent(
          standard.level->where(),
          "no \"ssl_certificate\" is defined for the default server of " + group->address.text());
    }
  }
  for (const auto& server : built_.listing.servers) {
    if (!server->certificates.empty() || server->rejects) choose_policy(*server);
  }
}

}  // namespace

void build(Level& root, Level* http, script::Variables& variables, const config::BuildFlags& flags,
           config::FileSource& files, config::Diagnostics& diagnostics, Built& built) {
  if (http == nullptr) return;
  upstream::add_named_servers(*http, built.names);
  const upstream::Groups groups = upstream::collect_groups(root, diagnostics, flags, built.names);
  std::shared_ptr<const accesslog::Target> default_log;
  auto& destinations = root.options<accesslog::Destinations>();
  const auto* own = http->find<accesslog::AccessLogOptions>();
  if (flags.compat_nginx && (own == nullptr || !own->logs.is_set)) {
    auto opened = destinations.open(kNginxAccessLog, files);
    if (opened) {
      default_log = destinations.target(*std::move(opened));
    } else {
      const std::string name = files.full_name(kNginxAccessLog, config::Purpose::log_append);
      diagnostics.error({}, config::describe_failure(name, opened.error()),
                        "make the directory, or set access_log");
    }
  }
  accesslog::LogCompiler logs(*http, destinations, variables, diagnostics, default_log);
  Builder builder(variables, flags, diagnostics, groups, logs,
                  files.full_name(kNginxRoot, config::Purpose::place), built);
  builder.build(*http);
  built.listing.shows_body_files = variables.is_used("request_body_file");
  built.listing.slot_count = variables.slot_count();
}

}  // namespace snapshot
