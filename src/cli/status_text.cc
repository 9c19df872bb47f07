#include "cli/status_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "cli/columns.h"
#include "cli/json_values.h"
#include "cli/request_times.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostPlaces = 10;
constexpr std::size_t kMostPeers = 40;
constexpr std::size_t kMostCertificates = 10;
constexpr std::size_t kIndent = 14;  // of what stands behind a row's name
constexpr std::string_view kAlarm = "\x1b[1;31m";
constexpr std::string_view kPlain = "\x1b[0m";

std::expected<Json, std::string> parse(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::unexpected("the answer is not JSON");
  if (json.contains("error")) {
    return std::unexpected(json["error"].is_string() ? json["error"].get<std::string>()
                                                     : "the answer has an error");
  }
  return json;
}

std::string duration(std::uint64_t seconds) {
  const std::uint64_t days = seconds / 86400;
  const std::string clock =
      fmt::format("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
  return days == 0 ? clock : fmt::format("{} d {}", days, clock);
}

std::string short_time(std::uint64_t microseconds) {
  const auto us = static_cast<double>(microseconds);
  if (us < 1000) return fmt::format("{} us", microseconds);
  if (us < 1e6) return fmt::format("{:.{}f} ms", us / 1e3, us < 1e4 ? 1 : 0);
  return fmt::format("{:.1f} s", us / 1e6);
}

std::string count_text(std::uint64_t count) { return with_prefix(static_cast<double>(count)); }
std::string bytes_text(std::uint64_t bytes) {
  return count_text(bytes) + (bytes < 1000 ? " B" : "B");
}

class StatusText {
 public:
  StatusText(const Json& now, const std::optional<Json>& before, const StatusView& view);
  [[nodiscard]] std::string take();

 private:
  void head();
  void warnings();
  void clients();
  void tls();
  void listeners();
  void upstreams();
  void zones();
  void places(std::string_view title, const char* name);
  void certificates();
  void workers();
  void counters();

  [[nodiscard]] std::uint64_t counter(std::string_view name) const {
    return number(now_, fmt::format("/counters/{}", name));
  }
  /// " (35/s)", when there is an answer before.
  [[nodiscard]] std::string rate(std::string_view path, std::string_view unit = "") const;
  [[nodiscard]] std::string times() const;
  void row(std::string_view name, std::string_view text);

  const Json& now_;
  const std::optional<Json>& before_;
  const StatusView& view_;
  double seconds_ = 0;  // since the answer before
  std::string out_;
};

StatusText::StatusText(const Json& now, const std::optional<Json>& before, const StatusView& view)
    : now_(now), before_(before), view_(view) {
  if (!before) return;
  const std::uint64_t from = number(*before, "/time_ms");
  const std::uint64_t to = number(now, "/time_ms");
  // Another server process counts from zero.
  const bool same = number(*before, "/pid/server") == number(now, "/pid/server");
  if (same && from != 0 && to > from) seconds_ = static_cast<double>(to - from) / 1000;
}

std::string StatusText::rate(std::string_view path, std::string_view unit) const {
  if (seconds_ == 0) return {};
  const std::uint64_t to = number(now_, path);
  const std::uint64_t from = number(*before_, path);
  const double rise = static_cast<double>(to > from ? to - from : 0);
  return fmt::format(" ({}{}/s)", with_prefix(std::round(rise / seconds_)), unit);
}

void StatusText::row(std::string_view name, std::string_view text) {
  out_ += wrapped(fmt::format("{:<{}}{}", name, kIndent, text), 0, kIndent);
}

void StatusText::head() {
  out_ += wrapped(fmt::format("Sallyport {}, {}, generation {}", text(now_, "/version", "?"),
                              text(now_, "/state", "?"), number(now_, "/generation")),
                  0, 2);
  out_ += wrapped(fmt::format("supervisor {}, server {}, up {}, server restarts {}",
                              number(now_, "/pid/supervisor"), number(now_, "/pid/server"),
                              duration(number(now_, "/server_uptime_seconds")),
                              number(now_, "/server_restarts")),
                  2, 2);
  for (const Json& process : list(now_, "/draining")) {
    const Json* left = find(process, "/connections");
    const bool known = left != nullptr && left->is_number_unsigned();
    out_ += wrapped(
        fmt::format("server {} ends since {}{}", number(process, "/pid"),
                    text(process, "/since", "?"),
                    known ? fmt::format(", connections left {}", left->get<std::uint64_t>()) : ""),
        2, 4);
  }
  if (find(now_, "/old_program/pid") != nullptr) {
    const Json* left = find(now_, "/old_program/connections");
    const bool known = left != nullptr && left->is_number_unsigned();
    out_ += wrapped(
        fmt::format("old program, pid {}, {}{}", number(now_, "/old_program/pid"),
                    text(now_, "/old_program/state", "?"),
                    known ? fmt::format(", connections left {}", left->get<std::uint64_t>()) : ""),
        2, 4);
  }
  if (find(now_, "/last_reload/time") == nullptr) return;
  const bool applied = text(now_, "/last_reload/outcome", "") == "applied";
  const std::string line =
      wrapped(fmt::format("last reload {}, {}: {}", text(now_, "/last_reload/time", "?"),
                          applied ? "applied" : "refused", text(now_, "/last_reload/text", "?")),
              2, 4);
  out_ += view_.colored && !applied ? fmt::format("{}{}{}", kAlarm, line, kPlain) : line;
}

void StatusText::warnings() {
  const Json& all = list(now_, "/warnings");
  if (all.empty()) return;
  out_ += '\n';
  for (const Json& warning : all) {
    const std::string lines = wrapped("! " + text(warning, "/text", "?"), 0, 2);
    out_ += view_.colored ? fmt::format("{}{}{}", kAlarm, lines, kPlain) : lines;
  }
}

RequestTimes buckets_of(const Json& json) {
  RequestTimes buckets;
  for (const Json& pair : list(json, "/request_times_us/buckets")) {
    if (pair.is_array() && pair.size() == 2) buckets[number(pair, "/0")] += number(pair, "/1");
  }
  return buckets;
}

std::string StatusText::times() const {
  RequestTimes buckets = buckets_of(now_);
  if (seconds_ != 0) buckets = difference(buckets, buckets_of(*before_));
  if (buckets.empty()) return {};
  return fmt::format("p50 {}, p90 {}, p99 {}", short_time(percentile(buckets, 0.5)),
                     short_time(percentile(buckets, 0.9)), short_time(percentile(buckets, 0.99)));
}

void StatusText::clients() {
  out_ += '\n';
  row("Connections", fmt::format("{} open, {} of them idle, {} accepted{}",
                                 count_text(counter("connections_active")),
                                 count_text(counter("connections_idle")),
                                 count_text(counter("connections_accepted")),
                                 rate("/counters/connections_accepted")));
  std::string requests =
      fmt::format("{}{}, {} under way", count_text(counter("requests")), rate("/counters/requests"),
                  count_text(counter("requests_active")));
  for (const char status : {'1', '2', '3', '4', '5'}) {
    const std::string name = fmt::format("responses_{}xx", status);
    if (counter(name) == 0) continue;
    requests += fmt::format(", {}xx {}{}", status, count_text(counter(name)),
                            status >= '4' ? rate("/counters/" + name) : "");
  }
  row("Requests", requests);
  if (const std::string text = times(); !text.empty()) row("  times", text);
  row("Bytes", fmt::format("{} in{}, {} out{}", bytes_text(counter("bytes_in")),
                           rate("/counters/bytes_in", "B"), bytes_text(counter("bytes_out")),
                           rate("/counters/bytes_out", "B")));
}

/// "TLSv1.3 90 %, TLSv1.2 10 %": the larger first.
std::string shares(const Json* counts) {
  std::vector<std::pair<std::uint64_t, std::string>> all;
  std::uint64_t sum = 0;
  if (counts == nullptr || !counts->is_object()) return {};
  for (const auto& [name, count] : counts->items()) {
    if (!count.is_number_unsigned() || count.get<std::uint64_t>() == 0) continue;
    all.emplace_back(count.get<std::uint64_t>(), name);
    sum += all.back().first;
  }
  std::ranges::sort(all, std::greater());
  std::vector<std::string> texts;
  texts.reserve(all.size());
  for (const auto& [count, name] : all) {
    texts.push_back(fmt::format("{} {:.0f} %", name,
                                100.0 * static_cast<double>(count) / static_cast<double>(sum)));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

void StatusText::tls() {
  const std::uint64_t resumed = counter("handshakes_resumed");
  const std::uint64_t all = resumed + counter("handshakes_full");
  const std::uint64_t failed = counter("handshakes_failed");
  if (all + failed == 0) return;
  std::string line = fmt::format("{} handshakes", count_text(all));
  if (all != 0) {
    line += fmt::format(", {:.0f} % resumed",
                        100.0 * static_cast<double>(resumed) / static_cast<double>(all));
  }
  if (failed != 0) line += fmt::format(", {} failed", count_text(failed));
  row("TLS", line);
  if (all == 0) return;
  row("", shares(find(now_, "/counters/handshakes_by_version")));
  row("", shares(find(now_, "/counters/handshakes_by_cipher")));
}

void StatusText::listeners() {
  std::vector<std::string> all;
  for (const Json& listener : list(now_, "/listeners")) {
    all.push_back(text(listener, "/address", "?") + (flag(listener, "/tls") ? " tls" : "") +
                  (flag(listener, "/proxy_protocol") ? " proxy_protocol" : ""));
  }
  row("Listeners", fmt::format("{}", fmt::join(all, ", ")));
}

void StatusText::upstreams() {
  std::size_t shown = 0;
  std::size_t all = 0;
  for (const Json& cluster : list(now_, "/upstreams")) {
    const Json& peers = list(cluster, "/peers");
    all += peers.size();
    if (shown >= kMostPeers) continue;
    if (shown == 0) {
      out_ += fmt::format("\n{:<38}{:<10}{:>6}{:>6}{:>10}{:>10}\n", "Upstreams", "state", "active",
                          "idle", "attempts", "failures");
    }
    if (flag(cluster, "/group")) out_ += shortened(text(cluster, "/name", "?"), kColumns) + '\n';
    for (const Json& peer : peers) {
      if (shown++ >= kMostPeers) break;
      const std::string server = text(peer, "/server", "?");
      const std::string address = text(peer, "/address", "");
      std::string name = server;
      if (!address.empty() && !address.starts_with(server)) name += " " + address;
      const std::string state =
          text(peer, "/state", "?") + (flag(peer, "/backup") ? ", backup" : "");
      const std::string line = fmt::format(
          "  {:<36}{:<10}{:>6}{:>6}{:>10}{:>10}\n", shortened(name, 35), shortened(state, 14),
          count_text(number(peer, "/active")), count_text(number(peer, "/idle")),
          count_text(number(peer, "/attempts")), count_text(number(peer, "/failures")));
      const bool alarming = view_.colored && state.starts_with("failed");
      out_ += alarming ? fmt::format("{}{}{}", kAlarm, line, kPlain) : line;
    }
  }
  if (all > shown) out_ += fmt::format("  and {} more, see --format json\n", all - kMostPeers);
}

void StatusText::zones() {
  const Json& all = list(now_, "/zones");
  if (all.empty()) return;
  out_ += fmt::format("\n{:<38}{:<12}{:>12}{:>12}\n", "Zones", "of", "states", "room for");
  for (const Json& zone : all) {
    out_ += fmt::format("  {:<36}{:<12}{:>12}{:>12}\n", shortened(text(zone, "/name", "?"), 35),
                        text(zone, "/of", "?"), count_text(number(zone, "/states")),
                        count_text(number(zone, "/capacity")));
  }
}

/// "10.0.0.1:80, 10.0.0.1:443 example.com: /x" without the addresses, if there is a name.
std::string name_of_place(const std::string& key) {
  const std::size_t last = key.rfind(", ");
  const std::size_t space = key.find(' ', last == std::string::npos ? 0 : last + 2);
  return space == std::string::npos || key[space - 1] == ':' ? key : key.substr(space + 1);
}

void StatusText::places(std::string_view title, const char* name) {
  std::vector<const Json*> all;
  std::map<std::string, std::size_t> names;  // how often
  for (const Json& place : list(now_, name)) {
    all.push_back(&place);
    ++names[name_of_place(text(place, "/name", "?"))];
  }
  if (all.empty()) return;
  const std::size_t shown = std::min(all.size(), kMostPlaces);
  std::ranges::sort(all, std::greater(),
                    [](const Json* place) { return number(*place, "/requests"); });
  out_ += fmt::format("\n{:<34}{:>8}{:>7}{:>7}{:>7}{:>7}{:>10}\n", title, "requests", "2xx", "3xx",
                      "4xx", "5xx", "bytes out");
  for (std::size_t i = 0; i < shown; ++i) {
    const Json& place = *all[i];
    const std::string key = text(place, "/name", "?");
    const std::string short_name = name_of_place(key);
    const std::string& label = names[short_name] == 1 ? short_name : key;
    const auto column = [&](const char* path) { return count_text(number(place, path)); };
    out_ += fmt::format("  {:<32}{:>8}{:>7}{:>7}{:>7}{:>7}{:>10}\n", shortened(label, 31),
                        column("/requests"), column("/2xx"), column("/3xx"), column("/4xx"),
                        column("/5xx"), bytes_text(number(place, "/bytes_out")));
  }
  if (shown < all.size()) {
    out_ += fmt::format("  and {} with fewer requests\n", all.size() - shown);
  }
}

void StatusText::certificates() {
  const Json& all = list(now_, "/certificates");
  if (all.empty()) return;
  out_ += fmt::format("\n{:<38}{:<26}{:>10}{:>6}\n", "Certificates", "for", "until", "days");
  for (std::size_t i = 0; i < std::min(all.size(), kMostCertificates); ++i) {
    const Json& each = all[i];
    const Json& names = list(each, "/names");
    std::string name = names.empty() ? text(each, "/subject", "?") : text(names, "/0", "?");
    if (names.size() > 1) name += fmt::format(" +{}", names.size() - 1);
    out_ += fmt::format("  {:<36}{:<26}{:>10}{:>6}\n", shortened(text(each, "/file", "?"), 35),
                        shortened(name, 25), text(each, "/not_after", "?").substr(0, 10),
                        signed_number(each, "/days_left"));
  }
  if (all.size() > kMostCertificates) {
    out_ += fmt::format("  and {} that are valid longer\n", all.size() - kMostCertificates);
  }
}

void StatusText::workers() {
  out_ += fmt::format("\n{:<10}{:>14}{:>16}{:>16}{:>10}\n", "Workers", "connections", "requests",
                      "loop turns", "stalls");
  for (const Json& worker : list(now_, "/workers")) {
    const auto column = [&](const char* path) { return count_text(number(worker, path)); };
    out_ += fmt::format("  {:<8}{:>14}{:>16}{:>16}{:>10}\n", number(worker, "/index"),
                        column("/connections"), column("/requests"), column("/loop_turns"),
                        column("/loop_stalls"));
  }
}

void collect(const Json& counters, const std::string& prefix, std::string& out) {
  for (const auto& [name, entry] : counters.items()) {
    if (entry.is_object()) {
      collect(entry, fmt::format("{}{} ", prefix, name), out);
    } else if (entry.is_number_unsigned() && entry.get<std::uint64_t>() != 0) {
      out +=
          fmt::format("  {:<56}{:>20}\n", shortened(prefix + name, 55), entry.get<std::uint64_t>());
    }
  }
}

void StatusText::counters() {
  out_ += "\nCounters that are not 0\n";
  if (const Json* all = find(now_, "/counters")) collect(*all, "", out_);
}

std::string StatusText::take() {
  head();
  warnings();
  clients();
  tls();
  listeners();
  upstreams();
  zones();
  places("Servers", "/servers");
  places("Locations", "/locations");
  certificates();
  if (view_.brief) return std::move(out_);
  workers();
  counters();
  return std::move(out_);
}

}  // namespace

std::expected<std::string, std::string> render_status(std::string_view json,
                                                      const StatusView& view) {
  const auto now = parse(json);
  if (!now) return std::unexpected(now.error());
  std::optional<Json> before;
  if (!view.previous.empty()) {
    if (auto parsed = parse(view.previous)) before = *std::move(parsed);
  }
  return StatusText(*now, before, view).take();
}

std::expected<std::string, std::string> indent_status(std::string_view json) {
  auto parsed = parse(json);
  if (!parsed) return std::unexpected(parsed.error());
  return parsed->dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cli
