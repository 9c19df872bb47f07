#include "cli/errors_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <expected>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "observe/journal.h"
#include "server/admin.h"
#include "server/local_socket.h"

namespace cli {
namespace {

constexpr std::string_view kCommand = R"({"command":"errors"})";
constexpr std::chrono::seconds kPatience{5};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

/// Year to second, of either format: the first 14 digits.
std::string time_of(std::string_view line) {
  std::string digits;
  for (const char c : line) {
    if (c >= '0' && c <= '9') digits += c;
    if (digits.size() == 14) break;
  }
  return digits;
}

using Text = std::expected<std::string, std::string>;

Text understand(const Text& answer) {
  if (!answer) return answer;
  const auto json = nlohmann::json::parse(*answer, nullptr, false);
  if (!json.is_object()) return std::unexpected("an answer that makes no sense");
  if (json.contains("error")) return std::unexpected(json.value("error", ""));
  std::string text = json.value("text", "");
  if (!json.value("ok", true)) return std::unexpected(text);
  return text;
}

Text ask_supervisor(const std::string& path) {
  auto client = server::LocalClient::connect(path);
  if (!client) return std::unexpected(client.error());
  if (const auto sent = client->send(kCommand); !sent) return std::unexpected(sent.error());
  return understand(client->receive(kPatience));
}

}  // namespace

std::string merge_lines(std::string_view one, std::string_view other) {
  std::vector<std::string_view> merged;
  std::ranges::merge(lines_of(one), lines_of(other), std::back_inserter(merged), {}, time_of,
                     time_of);
  std::string text;
  for (const std::string_view line : merged) text += line;
  return text;
}

int run_errors(const Instance& instance) {
  const Text server = understand(server::ask(instance.admin_socket, kCommand));
  const Text supervisor = ask_supervisor(instance.control_socket);  // none with master_process off
  if (!server && !supervisor) {
    fmt::print(
        stderr, "{}",
        observe::for_stderr(fmt::format("sallyport: [error] no lines: {}\n", server.error())));
    return 1;
  }
  fmt::print("{}", merge_lines(supervisor.value_or(""), server.value_or("")));
  return 0;
}

}  // namespace cli
