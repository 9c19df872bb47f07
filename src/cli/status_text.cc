#include "cli/status_text.h"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

std::expected<Json, std::string> parse(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::unexpected("the answer is not JSON");
  if (json.contains("error")) {
    return std::unexpected(json["error"].is_string() ? json["error"].get<std::string>()
                                                     : "the answer has an error");
  }
  return json;
}

/// A value that another version may have left out.
template <class T>
T value(const Json& json, std::string_view path, T otherwise) {
  const Json::json_pointer pointer{std::string(path)};
  if (!json.contains(pointer)) return otherwise;
  const Json& found = json[pointer];
  if constexpr (std::is_same_v<T, std::string>) {
    return found.is_string() ? found.get<T>() : otherwise;
  } else {
    return found.is_number() ? found.get<T>() : otherwise;
  }
}

const Json& list(const Json& json, const char* name) {
  static const Json none = Json::array();
  return json.contains(name) && json[name].is_array() ? json[name] : none;
}

std::string duration(std::uint64_t seconds) {
  const std::uint64_t days = seconds / 86400;
  const std::string clock =
      fmt::format("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
  return days == 0 ? clock : fmt::format("{} d {}", days, clock);
}

struct Line {
  std::string name;
  std::uint64_t value;
};

void collect(const Json& counters, const std::string& prefix, std::vector<Line>& into) {
  for (const auto& [name, entry] : counters.items()) {
    if (entry.is_object()) {
      collect(entry, fmt::format("{}{} ", prefix, name), into);
    } else if (entry.is_number_unsigned() && entry.get<std::uint64_t>() != 0) {
      into.push_back({prefix + name, entry.get<std::uint64_t>()});
    }
  }
}

}  // namespace

std::expected<std::string, std::string> render_status(std::string_view text) {
  auto parsed = parse(text);
  if (!parsed) return std::unexpected(parsed.error());
  const Json& json = *parsed;
  std::string out = fmt::format(
      "Sallyport {}, {}, generation {}\n"
      "  supervisor {}, server {}, up {}, server restarts {}\n",
      value<std::string>(json, "/version", "?"), value<std::string>(json, "/state", "?"),
      value<std::uint64_t>(json, "/generation", 0),
      value<std::uint64_t>(json, "/pid/supervisor", 0),
      value<std::uint64_t>(json, "/pid/server", 0),
      duration(value<std::uint64_t>(json, "/server_uptime_seconds", 0)),
      value<std::uint64_t>(json, "/server_restarts", 0));
  out += "\nListeners\n";
  for (const Json& listener : list(json, "listeners")) {
    const bool tls = listener.contains("tls") && listener["tls"].is_boolean() && listener["tls"];
    out +=
        fmt::format("  {}{}\n", value<std::string>(listener, "/address", "?"), tls ? "  tls" : "");
  }
  out += fmt::format("\n{:>8}{:>14}{:>16}{:>16}{:>10}\n", "Worker", "connections", "requests",
                     "loop turns", "stalls");
  for (const Json& worker : list(json, "workers")) {
    out += fmt::format("{:>8}{:>14}{:>16}{:>16}{:>10}\n", value<std::uint64_t>(worker, "/index", 0),
                       value<std::uint64_t>(worker, "/connections", 0),
                       value<std::uint64_t>(worker, "/requests", 0),
                       value<std::uint64_t>(worker, "/loop_turns", 0),
                       value<std::uint64_t>(worker, "/loop_stalls", 0));
  }
  std::vector<Line> lines;
  if (json.contains("counters")) collect(json["counters"], "", lines);
  out += "\nCounters that are not 0\n";
  for (const Line& line : lines) out += fmt::format("  {:<50.50}{:>20}\n", line.name, line.value);
  return out;
}

std::expected<std::string, std::string> indent_status(std::string_view text) {
  auto parsed = parse(text);
  if (!parsed) return std::unexpected(parsed.error());
  return parsed->dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cli
