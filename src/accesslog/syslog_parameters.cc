// syslog:server=ADDRESS[,facility=F][,tag=T][,severity=S][,nohostname], for both logs.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "accesslog/options.h"
#include "base/address.h"
#include "base/text.h"
#include "config/directive.h"

namespace accesslog {
namespace {

using config::Binding;
using observe::SyslogOptions;

constexpr std::uint16_t kSyslogPort = 514;
constexpr std::size_t kMaxTag = 32;
constexpr std::string_view kUnix = "unix:";

bool refuse(const Binding& binding, std::string message, std::string hint = {}) {
  binding.error_at(0, std::move(message), std::move(hint));
  return false;
}

/// "HOST", "HOST:PORT", "[::1]:PORT".
bool read_host(const Binding& binding, std::string_view text, SyslogOptions& options) {
  if (const auto address = base::Address::from_ip_and_port(text)) {
    options.server = *address;
    return true;
  }
  if (const auto address = base::Address::from_ip(text, kSyslogPort)) {
    options.server = *address;
    return true;
  }
  const std::size_t colon = text.rfind(':');
  const std::string_view host = text.substr(0, colon);
  std::uint16_t port = kSyslogPort;
  if (colon != std::string_view::npos) {
    const auto given = base::parse_number<std::uint16_t>(text.substr(colon + 1));
    if (!given || *given == 0) {
      return refuse(binding, fmt::format("invalid port in syslog server \"{}\"", text));
    }
    port = *given;
  }
  const auto addresses = binding.files.resolve(host);
  if (host.empty() || !addresses || addresses->empty()) {
    return refuse(binding, fmt::format("host not found in syslog server \"{}\"", text),
                  "an address need not be looked up");
  }
  const auto address = base::Address::from_ip(addresses->front(), port);
  if (!address) return refuse(binding, fmt::format("no address for syslog server \"{}\"", text));
  options.server = *address;
  return true;
}

bool read_server(const Binding& binding, std::string_view text, SyslogOptions& options) {
  if (!text.starts_with(kUnix)) return read_host(binding, text, options);
  const auto address = base::Address::from_path(text.substr(kUnix.size()));
  if (!address || text.size() == kUnix.size()) {
    return refuse(binding, fmt::format("invalid path of syslog server \"{}\"", text),
                  "a socket's path has at most 107 bytes");
  }
  options.server = *address;
  return true;
}

bool read_tag(const Binding& binding, std::string_view text, SyslogOptions& options) {
  const auto is_good = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  if (text.empty() || !std::ranges::all_of(text, is_good)) {
    return refuse(binding, "syslog \"tag\" only allows alphanumeric characters and underscore");
  }
  if (text.size() > kMaxTag) {
    return refuse(binding, fmt::format("syslog tag length exceeds {}", kMaxTag));
  }
  options.tag = text;
  return true;
}

bool read_parameter(const Binding& binding, std::string_view name, std::string_view value,
                    SyslogOptions& options) {
  if (name == "server") return read_server(binding, value, options);
  if (name == "tag") return read_tag(binding, value, options);
  if (name == "facility") {
    const auto facility = observe::parse_facility(value);
    if (!facility) return refuse(binding, fmt::format("unknown syslog facility \"{}\"", value));
    options.facility = *facility;
    return true;
  }
  if (name == "severity") {
    const auto severity = observe::parse_level(value);
    if (!severity) return refuse(binding, fmt::format("unknown syslog severity \"{}\"", value));
    options.severity = static_cast<std::uint8_t>(*severity);
    return true;
  }
  return refuse(binding, fmt::format("unknown syslog parameter \"{}\"", name),
                "there are server=, facility=, tag=, severity= and nohostname");
}

}  // namespace

std::shared_ptr<const observe::Syslog> read_syslog(const Binding& binding) {
  const std::string& given = binding.argument(0);
  SyslogOptions options;
  options.name = given;
  std::set<std::string_view> seen;
  std::string_view rest = std::string_view(given).substr(given.find(':') + 1);
  while (!rest.empty()) {
    const std::string_view parameter = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), parameter.size() + 1));
    const std::size_t equals = parameter.find('=');
    const std::string_view name = parameter.substr(0, equals);
    if (!seen.insert(name).second) {
      refuse(binding, fmt::format("duplicate syslog \"{}\"", name));
      return nullptr;
    }
    if (parameter == "nohostname") {
      options.hostname = false;
      continue;
    }
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view{} : parameter.substr(equals + 1);
    if (!read_parameter(binding, name, value, options)) return nullptr;
  }
  if (!seen.contains("server")) {
    refuse(binding, "no syslog server specified",
           "syslog:server=127.0.0.1, or server=unix:/dev/log");
    return nullptr;
  }
  return binding.level.root().options<Destinations>().syslog(std::move(options));
}

}  // namespace accesslog
