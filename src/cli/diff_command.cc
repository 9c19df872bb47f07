#include "cli/diff_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/difference_text.h"
#include "config/diagnostics.h"
#include "server/admin.h"
#include "snapshot/difference.h"
#include "snapshot/outline.h"

namespace cli {
namespace {

constexpr int kTrouble = 2;

int trouble(std::string_view message) {
  fmt::print(stderr, "sallyport: [error] no comparison: {}\n", message);
  return kTrouble;
}

// What the instance was started with, where the command line does not say otherwise.
void take_origin(std::string_view origin, snapshot::LoadOptions& load) {
  const auto answer = nlohmann::json::parse(origin, nullptr, false);
  const auto text = [&](const char* name) {
    return answer.is_object() && answer.contains(name) && answer[name].is_string()
               ? answer[name].get<std::string>()
               : std::string();
  };
  if (load.global_directives.empty()) load.global_directives = text("global");
  if (const std::string prefix = text("prefix"); !prefix.empty()) load.prefix = prefix;
}

}  // namespace

int run_diff(server::StartOptions options, const std::string& socket, bool json) {
  const std::string& path = socket.empty() ? options.paths.admin_socket : socket;
  const auto origin = server::ask(path, R"({"command":"origin"})");
  if (!origin) return trouble(origin.error());
  take_origin(*origin, options.load);
  const auto answer = server::ask(path, R"({"command":"outline"})");
  if (!answer) return trouble(answer.error());
  const auto running = snapshot::parse_outline(*answer);
  if (!running) return trouble(running.error());

  config::Diagnostics diagnostics;
  const auto opening = server::read_configuration(options, diagnostics);
  if (!opening) {
    fmt::print(stderr, "{}", diagnostics.render());
    return trouble(fmt::format("{} has errors", options.load.file));
  }
  const auto found = snapshot::difference(*running, snapshot::outline(*opening->snapshot));
  fmt::print("{}", json ? difference_json(found) : render_difference(found));
  return found.empty() ? 0 : 1;
}

}  // namespace cli
