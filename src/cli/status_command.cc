#include "cli/status_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/json_values.h"
#include "cli/status_text.h"
#include "server/admin.h"

namespace cli {
namespace {

// Home, and whatever stands behind it away.
constexpr std::string_view kClear = "\x1b[H\x1b[J";

int complain(std::string_view problem) {
  fmt::print(stderr, "sallyport: [error] no status: {}\n", problem);
  return 1;
}

// https://no-color.org
bool wants_color(bool terminal) {
  const char* refused = std::getenv("NO_COLOR");
  return terminal && (refused == nullptr || *refused == '\0');
}

int show(const StatusRequest& request, std::string& previous, const StatusView& view) {
  const auto answer = server::ask(request.socket, R"({"command":"status"})");
  if (!answer) return complain(answer.error());
  const bool lines = request.json && request.every.has_value();
  const auto text = lines          ? std::expected<std::string, std::string>(*answer + "\n")
                    : request.json ? indent_status(*answer)
                                   : render_status(*answer, view);
  if (!text) return complain(text.error());
  fmt::print("{}", *text);
  std::fflush(stdout);
  previous = *answer;
  return 0;
}

}  // namespace

int run_status(const StatusRequest& request) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  std::string previous;
  StatusView view{.colored = wants_color(terminal), .brief = request.every.has_value()};
  if (!request.every) return show(request, previous, view);
  // An instance that is started anew is waited for; who watches wants to see that.
  while (true) {
    if (terminal && !request.json) fmt::print("{}", kClear);
    const std::string before = previous;
    view.previous = before;
    static_cast<void>(show(request, previous, view));
    if (std::ferror(stdout) != 0) return 1;
    if (!terminal && !request.json) fmt::print("\n");
    std::this_thread::sleep_for(*request.every);
  }
}

int run_health(const std::string& socket, const std::string& question) {
  const auto answer = server::ask(socket, nlohmann::json{{"command", question}}.dump());
  if (!answer) return complain(answer.error());
  const auto json = nlohmann::json::parse(*answer, nullptr, false);
  if (!json.is_object()) return complain("the answer is not JSON");
  if (json.contains("error")) return complain(text(json, "/error", "?"));
  const bool yes = flag(json, "/" + question);
  fmt::print("{}{}\n", yes ? "" : "not ", question);
  for (const auto& reason : list(json, "/reasons")) {
    if (reason.is_string()) fmt::print("  {}\n", reason.get<std::string>());
  }
  return yes ? 0 : 1;
}

}  // namespace cli
