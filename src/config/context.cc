#include "config/context.h"

#include <array>
#include <vector>

namespace config {
namespace {

struct Name {
  Context context;
  std::string_view name;
};
constexpr std::array kNames = {
    Name{Context::main, "main"},
    Name{Context::events, "events"},
    Name{Context::http, "http"},
    Name{Context::server, "server"},
    Name{Context::location, "location"},
    Name{Context::upstream, "upstream"},
    Name{Context::if_in_server, "\"if\" in server"},
    Name{Context::if_in_location, "\"if\" in location"},
    Name{Context::limit_except, "limit_except"},
    Name{Context::stream, "stream"},
    Name{Context::stream_server, "\"server\" in stream"},
    Name{Context::stream_upstream, "\"upstream\" in stream"},
};

}  // namespace

std::string_view name_of(Context context) noexcept {
  for (const Name& each : kNames) {
    if (each.context == context) return each.name;
  }
  return "unknown";
}

std::string describe(ContextSet contexts) {
  std::vector<std::string_view> names;
  for (const Name& each : kNames) {
    if (contexts.contains(each.context)) names.push_back(each.name);
  }
  if (names.empty()) return "nowhere";
  std::string text(names.front());
  for (std::size_t i = 1; i < names.size(); ++i) {
    text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

}  // namespace config
