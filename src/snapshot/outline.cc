#include "snapshot/outline.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>

#include "base/check.h"
#include "config/interpreter.h"
#include "proxy/site.h"
#include "route/route_options.h"
#include "snapshot/canonical.h"
#include "snapshot/features.h"
#include "snapshot/snapshot.h"
#include "tls/tls_directives.h"

namespace snapshot {
namespace {

using config::Context;
using config::Directive;
using config::DirectiveSpec;
using config::Level;

// Of server blocks, though their contexts are those of directives that pass on.
constexpr std::array<std::string_view, 8> kOwn{
    "return", "rewrite", "set", "break", "if", "try_files", "stub_status", "health_endpoint"};
// Of location blocks alone, and yet inherited by those inside.
constexpr std::array<std::string_view, 2> kInheritedByNested{"internal", "alias"};
// Whose order among each other counts: one setting for all of them, inherited as one.
constexpr std::array<std::string_view, 5> kRewrite{"rewrite", "set", "if", "break", "return"};
constexpr std::array<std::string_view, 2> kAccess{"allow", "deny"};
// Whose order among themselves means nothing.
constexpr std::array<std::string_view, 7> kUnordered{"proxy_set_header",
                                                     "proxy_hide_header",
                                                     "proxy_pass_header",
                                                     "grpc_set_header",
                                                     "grpc_hide_header",
                                                     "grpc_pass_header",
                                                     "listen"};

bool is_in(std::span<const std::string_view> names, std::string_view name) noexcept {
  return std::ranges::find(names, name) != names.end();
}

// What a directive is inherited and replaced with.
std::string_view group_of(const DirectiveSpec& spec) noexcept {
  if (is_in(kRewrite, spec.name)) return "rewrite";
  if (is_in(kAccess, spec.name)) return "access";
  if (spec.name == "alias") return "root";
  return spec.name;
}

using Text = std::pair<const std::string, std::uint32_t>;  // with its number

struct Setting {
  std::string_view group;
  const DirectiveSpec* spec = nullptr;  // of the group's first
  const Text* text = nullptr;
  bool is_default = false;
  std::size_t position = 0;  // in its block
};
using Settings = std::vector<Setting>;  // by group

// --- keys

std::string_view modifier_of(const route::LocationOptions& location) noexcept {
  using Kind = route::Location::Kind;
  switch (location.kind) {
    case Kind::exact: return "= ";
    case Kind::prefix_final: return "^~ ";
    case Kind::regex: return location.ignore_case ? "~* " : "~ ";
    case Kind::prefix:
    case Kind::named: return "";
  }
  return "";
}

class Keys {
 public:
  [[nodiscard]] std::string server(const Level& level);
  [[nodiscard]] std::string location(const std::string& around, const Level& level);
  [[nodiscard]] std::string unique(ItemKind kind, std::string key);

 private:
  std::array<std::unordered_map<std::string, std::size_t>, kItemKinds> seen_;
};

std::string Keys::unique(ItemKind kind, std::string key) {
  const std::size_t times = ++seen_[static_cast<std::size_t>(kind)][key];
  if (times > 1) key += fmt::format(" #{}", times);
  return key;
}

std::string Keys::server(const Level& level) {
  const auto& options = level.get<route::ServerOptions>();
  std::vector<std::string> addresses;
  addresses.reserve(options.listens.size());
  for (const auto& listen : options.listens) addresses.push_back(listen.address.text());
  std::ranges::sort(addresses);
  std::string key = fmt::format("{}", fmt::join(addresses, ", "));
  if (!options.names.empty()) key += ' ' + options.names.front().text;
  return unique(ItemKind::server, std::move(key));
}

std::string Keys::location(const std::string& around, const Level& level) {
  const auto& options = level.get<route::LocationOptions>();
  const bool nested = level.parent()->context() == Context::location;
  return unique(ItemKind::location, fmt::format("{}{}{}{}", around, nested ? " > " : ": ",
                                                modifier_of(options), options.name));
}

const Level* find_http(const Level& root) noexcept {
  for (const auto& child : root.children()) {
    if (child->context() == Context::http) return child.get();
  }
  return nullptr;
}

// --- the walk

class Walk {
 public:
  explicit Walk(const Snapshot& snapshot);
  [[nodiscard]] Outline take();

 private:
  void process();
  void listeners();
  void certificates();
  void upstream(const Level& level);
  void server(const Level& level, const Settings& outside);
  void location(const Level& level, const Settings& outside, const std::string& around);

  [[nodiscard]] Settings own(std::span<const Directive> directives, const Level& level);
  [[nodiscard]] Settings inherit(const Settings& outside, Context context, Settings own) const;
  [[nodiscard]] bool passes_on(const Setting& setting, Context to) const;
  void add_joined(Settings& settings, std::string_view group, std::vector<std::string> parts);
  void add_order_of_patterns(const Level& level, std::vector<std::uint32_t>& settings);
  [[nodiscard]] std::string listen_text(const Directive& directive, const DirectiveSpec& spec,
                                        const Level& level) const;
  void add(ItemKind kind, std::string key, const Settings& settings);
  const Text* keep(std::string text);
  std::uint32_t number_of(std::string text) { return keep(std::move(text))->second; }

  const Snapshot& snapshot_;
  const config::Vocabulary vocabulary_;
  std::unordered_map<const DirectiveSpec*, bool> inherits_;
  Keys keys_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<Item> items_;
  std::map<const Level*, std::string> server_keys_;
};

Walk::Walk(const Snapshot& snapshot)
    : snapshot_(snapshot), vocabulary_(features(), unsupported_directives()) {
  for (const config::Feature& feature : features()) {
    for (const DirectiveSpec& spec : feature.directives) {
      inherits_[&spec] = feature.inherit != nullptr;
    }
  }
  process();
  if (const Level* http = find_http(snapshot.root())) {
    const Settings of_main = own(snapshot.tree().directives, snapshot.root());
    const Settings settings = inherit(of_main, Context::http, own(http->directive()->block, *http));
    Settings kept;  // what servers have not, having it themselves
    std::ranges::copy_if(settings, std::back_inserter(kept),
                         [&](const Setting& each) { return !passes_on(each, Context::server); });
    add(ItemKind::process, "http", kept);
    for (const auto& child : http->children()) {
      if (child->context() == Context::server) server(*child, settings);
      if (child->context() == Context::upstream) upstream(*child);
    }
  }
  listeners();
  certificates();
}

const Text* Walk::keep(std::string text) {
  return &*numbers_.try_emplace(std::move(text), static_cast<std::uint32_t>(numbers_.size())).first;
}

void Walk::add(ItemKind kind, std::string key, const Settings& settings) {
  Item item{.kind = kind, .key = std::move(key), .settings = {}};
  for (const Setting& setting : settings) {
    if (!setting.is_default) item.settings.push_back(setting.text->second);
  }
  items_.push_back(std::move(item));
}

// Blocks that become items of their own are not settings.
bool is_item(const DirectiveSpec& spec) noexcept {
  if (spec.block.kind != config::Block::Kind::nested) return false;
  const Context child = spec.block.child;
  return child == Context::events || child == Context::http || child == Context::server ||
         child == Context::location || child == Context::upstream;
}

std::string Walk::listen_text(const Directive& directive, const DirectiveSpec& spec,
                              const Level& level) const {
  Directive plain = directive;
  const auto* options = level.find<route::ServerOptions>();
  std::vector<std::string> addresses;
  for (const auto& listen : options->listens) {
    if (listen.where == directive.name.at) addresses.push_back(listen.address.text());
  }
  if (!addresses.empty()) {
    plain.arguments.front().text = fmt::format("{}", fmt::join(addresses, ","));
  }
  std::ranges::sort(plain.arguments.begin() + 1, plain.arguments.end(), {}, &config::Word::text);
  return canonical(plain, spec);
}

Settings Walk::own(std::span<const Directive> directives, const Level& level) {
  Settings settings;
  std::map<std::string_view, std::vector<std::string>> joined;
  for (const Directive& directive : directives) {
    const DirectiveSpec* spec = vocabulary_.find(directive.name.text, level.context());
    if (spec == nullptr || is_item(*spec)) continue;  // without effect so far
    const std::string_view group = group_of(*spec);
    std::string text =
        spec->name == "listen" ? listen_text(directive, *spec, level) : canonical(directive, *spec);
    // Under `compat nginx` other defaults hold than the tables tell.
    const bool standard = !snapshot_.process.compat_nginx && is_default(text, *spec);
    const bool is_joined = group != spec->name || is_in(kRewrite, group);
    if (is_joined) {
      auto& parts = joined[group];
      if (parts.empty()) settings.push_back({group, spec, nullptr, false, settings.size()});
      parts.push_back(std::move(text));
    } else {
      settings.push_back({group, spec, keep(std::move(text)), standard, settings.size()});
    }
  }
  for (Setting& setting : settings) {
    const auto parts = joined.find(setting.group);
    if (parts == joined.end()) continue;
    setting.text = keep(fmt::format("{}", fmt::join(parts->second, "; ")));
  }
  std::ranges::sort(settings, [](const Setting& a, const Setting& b) {
    if (a.group != b.group) return a.group < b.group;
    if (is_in(kUnordered, a.group)) return a.text->first < b.text->first;
    return a.position < b.position;
  });
  // A directive of several lines says something else than its default as soon as there are two.
  for (auto at = settings.begin(); at != settings.end();) {
    const auto end = std::find_if(at, settings.end(),
                                  [&](const Setting& each) { return each.group != at->group; });
    if (end - at > 1) {
      std::for_each(at, end, [](Setting& each) { each.is_default = false; });
    }
    at = end;
  }
  return settings;
}

bool Walk::passes_on(const Setting& setting, Context to) const {
  const DirectiveSpec& spec = *setting.spec;
  if (!spec.contexts.contains(to) || !inherits_.at(&spec) || is_in(kOwn, spec.name)) return false;
  const bool only_locations =
      !spec.contexts.intersects(config::kHttpServer | Context::main) && to == Context::location;
  return !only_locations || is_in(kInheritedByNested, spec.name);
}

Settings Walk::inherit(const Settings& outside, Context context, Settings own) const {
  Settings all;
  all.reserve(outside.size() + own.size());
  auto mine = own.begin();
  for (auto theirs = outside.begin(); theirs != outside.end(); ++theirs) {
    while (mine != own.end() && mine->group < theirs->group) all.push_back(*mine++);
    const bool replaced = mine != own.end() && mine->group == theirs->group;
    if (!replaced && passes_on(*theirs, context)) all.push_back(*theirs);
  }
  all.insert(all.end(), mine, own.end());
  return all;
}

void Walk::process() {
  add(ItemKind::process, "main", own(snapshot_.tree().directives, snapshot_.root()));
  for (const auto& child : snapshot_.root().children()) {
    if (child->context() == Context::events) {
      add(ItemKind::process, "events", own(child->directive()->block, *child));
    }
  }
}

void Walk::upstream(const Level& level) {
  const Directive& block = *level.directive();
  add(ItemKind::upstream, keys_.unique(ItemKind::upstream, block.arguments.front().text),
      own(block.block, level));
}

void Walk::server(const Level& level, const Settings& outside) {
  const Settings settings = inherit(outside, Context::server, own(level.directive()->block, level));
  const std::string key = keys_.server(level);
  add(ItemKind::server, key, settings);
  add_order_of_patterns(level, items_.back().settings);
  server_keys_.emplace(&level, key);
  for (const auto& child : level.children()) {
    if (child->context() == Context::location) location(*child, settings, key);
  }
}

void Walk::location(const Level& level, const Settings& outside, const std::string& around) {
  const Settings settings =
      inherit(outside, Context::location, own(level.directive()->block, level));
  const std::string key = keys_.location(around, level);
  add(ItemKind::location, key, settings);
  add_order_of_patterns(level, items_.back().settings);
  for (const auto& child : level.children()) {
    if (child->context() == Context::location) location(*child, settings, key);
  }
}

// Regular expressions are tried in the order of the file.
void Walk::add_order_of_patterns(const Level& level, std::vector<std::uint32_t>& settings) {
  std::vector<std::string> patterns;
  for (const auto& child : level.children()) {
    const auto* options = child->find<route::LocationOptions>();
    if (child->context() != Context::location || options == nullptr) continue;
    if (options->kind != route::Location::Kind::regex) continue;
    patterns.push_back(std::string(modifier_of(*options)) + options->name);
  }
  if (patterns.size() < 2) return;
  settings.push_back(number_of(fmt::format("order of locations: {}", fmt::join(patterns, ", "))));
}

void Walk::listeners() {
  std::map<std::string, const ListenerSpec*> specs;
  for (const ListenerSpec& spec : snapshot_.listeners) specs.emplace(spec.address.text(), &spec);
  for (const auto& group : snapshot_.listing().groups) {
    Item item{.kind = ItemKind::listener, .key = group->address.text(), .settings = {}};
    const proxy::VirtualServer* first = group->servers[group->default_server];
    item.settings.push_back(number_of(group->tls ? "tls" : "plain"));
    item.settings.push_back(number_of("default server: " + server_keys_[first->level]));
    if (const auto spec = specs.find(item.key); spec != specs.end()) {
      const io::ListenOptions& options = spec->second->options;
      item.settings.push_back(number_of(fmt::format("backlog {}", options.backlog)));
      if (!options.ipv6_only) item.settings.push_back(number_of("ipv6only off"));
    }
    std::vector<std::string> patterns;
    for (const proxy::VirtualServer* each : group->servers) {
      for (const config::Word& name : each->level->get<route::ServerOptions>().names) {
        if (name.text.starts_with('~')) patterns.push_back(name.text);
      }
    }
    if (patterns.size() > 1) {
      item.settings.push_back(
          number_of(fmt::format("order of server names: {}", fmt::join(patterns, ", "))));
    }
    items_.push_back(std::move(item));
  }
}

std::string hexadecimal(std::span<const std::uint8_t> bytes) {
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

void Walk::certificates() {
  std::set<std::pair<std::string, std::uint64_t>> seen;
  const auto add = [&](const std::string& name, const tls::Certificate& certificate) {
    if (!seen.emplace(name, certificate.id()).second) return;
    const auto& facts = certificate.facts();
    Item item{.kind = ItemKind::certificate, .key = name, .settings = {}};
    const auto date = [](base::WallTime time) {
      return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC",
                         fmt::gmtime(std::chrono::floor<std::chrono::seconds>(time)));
    };
    std::vector<std::string> names = facts.dns_names;
    names.insert(names.end(), facts.ip_addresses.begin(), facts.ip_addresses.end());
    for (std::string text :
         {"subject " + facts.subject, "issuer " + facts.issuer, "serial " + facts.serial,
          fmt::format("names {}", fmt::join(names, ", ")), "not before " + date(facts.not_before),
          "not after " + date(facts.not_after),
          "fingerprint " + hexadecimal(facts.fingerprint).substr(0, 32)}) {
      item.settings.push_back(number_of(std::move(text)));
    }
    items_.push_back(std::move(item));
  };
  for (const auto& server : snapshot_.listing().servers) {
    for (const auto& file : *server->level->get<tls::TlsOptions>().certificates) {
      add(file.name, *file.certificate);
    }
  }
  for (const auto& [file, certificate] : snapshot_.listing().client_certificates) {
    add(file, *certificate);
  }
}

Outline Walk::take() {
  Outline outline;
  outline.texts.resize(numbers_.size());
  for (auto& [text, number] : numbers_) outline.texts[number] = text;
  std::ranges::sort(items_, {}, [](const Item& item) { return std::tie(item.kind, item.key); });
  // Two certificates may have come from one name, when the file changed in between.
  for (std::size_t i = 1; i < items_.size(); ++i) {
    if (items_[i].kind == items_[i - 1].kind && items_[i].key == items_[i - 1].key) {
      items_[i].key += " #2";
    }
  }
  outline.items = std::move(items_);
  return outline;
}

void add_places(const Level& level, const std::string& around, Keys& keys,
                std::vector<Place>& places) {
  for (const auto& child : level.children()) {
    if (child->context() != Context::location) continue;
    places.push_back({ItemKind::location, keys.location(around, *child), child.get()});
    add_places(*child, std::string(places.back().key), keys, places);
  }
}

}  // namespace

std::string_view name_of(ItemKind kind) noexcept {
  switch (kind) {
    case ItemKind::process: return "setting";
    case ItemKind::listener: return "listener";
    case ItemKind::certificate: return "certificate";
    case ItemKind::upstream: return "upstream";
    case ItemKind::server: return "server";
    case ItemKind::location: return "location";
  }
  return "";
}

Outline outline(const Snapshot& snapshot) { return Walk(snapshot).take(); }

std::vector<Place> places(const Snapshot& snapshot) {
  std::vector<Place> places;
  Keys keys;
  const Level* http = find_http(snapshot.root());
  if (http == nullptr) return places;
  for (const auto& child : http->children()) {
    if (child->context() != Context::server) continue;
    places.push_back({ItemKind::server, keys.server(*child), child.get()});
    add_places(*child, std::string(places.back().key), keys, places);
  }
  return places;
}

}  // namespace snapshot
