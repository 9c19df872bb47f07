#include "guard/limit_directives.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/text.h"
#include "config/setters.h"
#include "config/values.h"

namespace guard {
namespace {

using config::Binding;
using config::kHttpServerLocation;
using config::Repeat;
using config::takes;
using observe::Level;

constexpr std::size_t kLeastZone = 8 * 4096;  // nginx's eight pages
constexpr std::uint64_t kThousandths = 1000;

// What can't be had would end the server when the configuration is taken up.
std::uint64_t largest_zone() {
  const auto pages = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PHYS_PAGES), 1L));
  const auto page = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PAGESIZE), 1L));
  const std::uint64_t most = StateTable::kMostStates * StateTable::kBytesPerState;
  return std::min(most, pages * page / 2);
}

// "zone=NAME:SIZE".
bool read_zone(const Binding& binding, std::size_t i, ZoneSpec& spec) {
  std::string_view rest = std::string_view(binding.argument(i)).substr(5);
  const std::size_t colon = rest.find(':');
  const auto size =
      colon == std::string_view::npos ? std::nullopt : config::parse_size(rest.substr(colon + 1));
  if (!size || colon == 0) {
    binding.error_at(i, "invalid zone size \"" + binding.argument(i) + "\"",
                     "zone=NAME:SIZE, such as zone=clients:10m");
    return false;
  }
  spec.name = rest.substr(0, colon);
  if (*size < kLeastZone) {
    binding.error_at(i, "zone \"" + binding.argument(i) + "\" is too small", "at least 32k");
    return false;
  }
  if (*size > largest_zone()) {
    binding.error_at(i, "zone \"" + binding.argument(i) + "\" is too large",
                     "at most half of the machine's memory");
    return false;
  }
  spec.size = *size;
  return true;
}

// "10r/s", "30r/m".
std::optional<std::uint64_t> read_rate(std::string_view text) {
  std::uint64_t seconds = 1;
  if (text.ends_with("r/s")) {
    text.remove_suffix(3);
  } else if (text.ends_with("r/m")) {
    text.remove_suffix(3);
    seconds = 60;
  }
  constexpr std::uint64_t kMost = 1'000'000'000;
  const auto number = base::parse_number<std::uint64_t>(text);
  if (!number || *number == 0 || *number > kMost) return std::nullopt;
  return *number * kThousandths / seconds;
}

void add_zone(Binding& binding, ZoneKind kind) {
  ZoneDeclaration zone{.spec = {.kind = kind, .name = {}, .key = binding.argument(0)},
                       .key = binding.word(0),
                       .where = binding.where()};
  for (std::size_t i = 1; i < binding.count(); ++i) {
    const std::string_view text = binding.argument(i);
    if (text.starts_with("zone=")) {
      if (!read_zone(binding, i, zone.spec)) return;
    } else if (kind == ZoneKind::requests && text.starts_with("rate=")) {
      const auto rate = read_rate(text.substr(5));
      if (!rate || *rate == 0) {
        return binding.error_at(i, fmt::format("invalid rate \"{}\"", text),
                                "requests per second or minute: rate=10r/s, rate=30r/m");
      }
      zone.rate = *rate;
    } else {
      return binding.error_at(i, fmt::format("invalid parameter \"{}\"", text));
    }
  }
  if (zone.spec.name.empty()) {
    return binding.error(fmt::format("\"{}\" must have \"zone\" parameter", binding.name()),
                         "zone=NAME:SIZE, such as zone=clients:10m");
  }
  auto& zones = binding.options<ZoneOptions>().zones;
  const auto known = std::ranges::find(zones, zone.spec.name,
                                       [](const ZoneDeclaration& each) { return each.spec.name; });
  if (known == zones.end()) {
    zones.push_back(std::move(zone));
  } else if (known->spec.kind == kind) {
    binding.error(fmt::format("{} \"{}\" is already bound to key \"{}\"", binding.name(),
                              zone.spec.name, known->spec.key));
  } else {
    binding.error(
        fmt::format("the shared memory zone \"{}\" is already declared for a different "
                    "use",
                    zone.spec.name));
  }
}

void add_request_zone(Binding& binding) { add_zone(binding, ZoneKind::requests); }
void add_connection_zone(Binding& binding) { add_zone(binding, ZoneKind::connections); }

template <class Limit>
void append(Binding& binding, Limit limit) {
  auto& limits = binding.options<LimitOptions<Limit>>().limits;
  limit.where = binding.where();
  const auto same = [&](const Limit& other) { return other.zone == limit.zone; };
  if (limits.is_set && std::ranges::any_of(*limits, same)) {
    return binding.error(fmt::format("\"{}\" directive is duplicate", binding.name()),
                         fmt::format("zone \"{}\" is limited here already", limit.zone));
  }
  limits.append(std::move(limit), binding.where());
}

void add_request_limit(Binding& binding) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  RequestLimit limit;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const std::string_view text = binding.argument(i);
    if (text.starts_with("zone=")) {
      limit.zone = text.substr(5);
    } else if (text == "nodelay") {
      limit.delay = RequestLimit::kNoDelay;
    } else if (text.starts_with("burst=") || text.starts_with("delay=")) {
      const auto number = base::parse_number<std::uint64_t>(text.substr(6));
      const bool is_burst = text.starts_with('b');
      if (!number || *number == 0 || *number > kMost) {
        return binding.error_at(
            i, fmt::format("invalid {} value \"{}\"", is_burst ? "burst" : "delay", text),
            "a number of requests");
      }
      (is_burst ? limit.burst : limit.delay) = *number * kThousandths;
    } else {
      return binding.error_at(i, fmt::format("invalid parameter \"{}\"", text),
                              "zone=NAME [burst=NUMBER] [nodelay | delay=NUMBER]");
    }
  }
  if (limit.zone.empty()) {
    return binding.error(fmt::format("\"{}\" must have \"zone\" parameter", binding.name()));
  }
  append(binding, std::move(limit));
}

void add_connection_limit(Binding& binding) {
  const auto number = base::parse_number<std::uint32_t>(binding.argument(1));
  if (!number || *number == 0) {
    return binding.error_at(1, "invalid number of connections \"" + binding.argument(1) + "\"");
  }
  if (*number > 65535) return binding.error_at(1, "connection limit must be less 65536");
  append(binding, ConnectionLimit{.zone = binding.argument(0), .most = *number});
}

constexpr config::Choice<Level> kLogLevels[] = {{"info", Level::info},
                                                {"notice", Level::notice},
                                                {"warn", Level::warn},
                                                {"error", Level::error}};

using Req = LimitReqOptions;
using Conn = LimitConnOptions;
constexpr std::string_view kLevels = "info | notice | warn | error";

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "limit_req_zone",
     .contexts = config::Context::http,
     .arguments = takes(3),
     .repeat = Repeat::repeatable,
     .syntax = "KEY zone=NAME:SIZE rate=RATE",
     .documentation =
         "Counts requests for each value of KEY; RATE is 10r/s or 30r/m. A value takes "
         "64 bytes; in a full zone the one seen longest ago gives way.",
     .set = add_request_zone},
    {.name = "limit_req",
     .contexts = kHttpServerLocation,
     .arguments = takes(1, 3),
     .repeat = Repeat::repeatable,
     .syntax = "zone=NAME [burst=NUMBER] [nodelay | delay=NUMBER]",
     .documentation = "Holds requests to a zone's rate: those above it wait, and beyond the burst "
                      "they are refused.",
     .set = add_request_limit},
    {.name = "limit_req_dry_run",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Only counts and logs what limit_req would do.",
     .set = config::set_flag<&Req::dry_run>},
    {.name = "limit_req_log_level",
     .contexts = kHttpServerLocation,
     .syntax = kLevels,
     .default_text = "error",
     .documentation = "How refusals of limit_req are logged; delays one level lower.",
     .set = config::set_enum<&Req::log_level, kLogLevels>},
    {.name = "limit_req_status",
     .contexts = kHttpServerLocation,
     .syntax = "STATUS",
     .default_text = "503",
     .documentation = "The status of requests that limit_req refuses, 400 to 599.",
     .set = config::set_number<&Req::status, 400, 599>},
    {.name = "limit_conn_zone",
     .contexts = config::Context::http,
     .arguments = takes(2),
     .repeat = Repeat::repeatable,
     .syntax = "KEY zone=NAME:SIZE",
     .documentation = "Counts the requests under way for each value of KEY. A value takes 64 bytes "
                      "while it has any.",
     .set = add_connection_zone},
    {.name = "limit_conn",
     .contexts = kHttpServerLocation,
     .arguments = takes(2),
     .repeat = Repeat::repeatable,
     .syntax = "ZONE NUMBER",
     .documentation = "How many requests of one value of the zone's key may be under way.",
     .set = add_connection_limit},
    {.name = "limit_conn_dry_run",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Only counts and logs what limit_conn would do.",
     .set = config::set_flag<&Conn::dry_run>},
    {.name = "limit_conn_log_level",
     .contexts = kHttpServerLocation,
     .syntax = kLevels,
     .default_text = "error",
     .documentation = "How refusals of limit_conn are logged.",
     .set = config::set_enum<&Conn::log_level, kLogLevels>},
    {.name = "limit_conn_status",
     .contexts = kHttpServerLocation,
     .syntax = "STATUS",
     .default_text = "503",
     .documentation = "The status of requests that limit_conn refuses, 400 to 599.",
     .set = config::set_number<&Conn::status, 400, 599>},
};

template <class Limit>
constexpr ZoneKind kKindOf =
    std::is_same_v<Limit, RequestLimit> ? ZoneKind::requests : ZoneKind::connections;

template <class Limit>
void provision(config::Level& level, std::span<const Zone> zones,
               config::Diagnostics& diagnostics) {
  using Options = LimitOptions<Limit>;
  using Plan = LimitPlan<Limit>;
  const auto& options = level.get<Options>();
  const config::Level* parent = level.parent();
  const bool inherited = parent != nullptr && parent->find<Plan>() != nullptr &&
                         (parent->find<Options>() == &options ||
                          options.limits.where == parent->get<Options>().limits.where);
  if (inherited) return level.share_from<Plan>(*parent);
  auto& plan = level.options<Plan>();
  for (const Limit& limit : *options.limits) {
    const auto zone =
        std::ranges::find(zones, limit.zone, [](const Zone& each) { return each.spec.name; });
    if (zone == zones.end()) {
      diagnostics.error(
          limit.where, fmt::format("zero size shared memory zone \"{}\"", limit.zone),
          fmt::format("declare it in http: {} KEY zone={}:10m",
                      kKindOf<Limit> == ZoneKind::requests ? "limit_req_zone" : "limit_conn_zone",
                      limit.zone));
    } else if (zone->spec.kind != kKindOf<Limit>) {
      diagnostics.error(limit.where,
                        fmt::format("the shared memory zone \"{}\" is already declared for a "
                                    "different use",
                                    limit.zone));
    } else {
      const auto number = static_cast<std::size_t>(zone - zones.begin());
      plan.entries.push_back({.zone = &*zone, .number = number, .limit = limit});
    }
  }
}

}  // namespace

const config::Feature kFeature{"guard", kDirectives,
                               config::inherit_options<LimitReqOptions, LimitConnOptions>};

std::vector<Zone> make_zones(const config::Level& http, script::Variables& variables,
                             config::Diagnostics& diagnostics) {
  std::vector<Zone> zones;
  const auto* options = http.find<ZoneOptions>();
  if (options == nullptr) return zones;
  for (const ZoneDeclaration& each : options->zones) {
    zones.push_back({.spec = each.spec,
                     .key = script::Value::compile(each.key, variables, diagnostics),
                     .rate = each.rate});
  }
  return zones;
}

void provision_limits(config::Level& level, std::span<const Zone> zones,
                      config::Diagnostics& diagnostics) {
  provision<RequestLimit>(level, zones, diagnostics);
  provision<ConnectionLimit>(level, zones, diagnostics);
}

bool has_limits(const config::Level& level) {
  const auto* requests = level.find<LimitReqPlan>();
  const auto* connections = level.find<LimitConnPlan>();
  return (requests != nullptr && !requests->entries.empty()) ||
         (connections != nullptr && !connections->entries.empty());
}

}  // namespace guard
