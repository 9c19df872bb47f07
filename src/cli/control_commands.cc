#include "cli/control_commands.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <expected>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>

#include "base/result.h"
#include "cli/trial_watch.h"
#include "config/values.h"
#include "observe/journal.h"
#include "server/admin.h"
#include "server/local_socket.h"

namespace cli {
namespace {

using std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::chrono::seconds kReloadPatience{300};
constexpr std::chrono::seconds kTakeBackPatience{30};
constexpr std::chrono::seconds kReopenPatience{10};
constexpr std::chrono::milliseconds kLookEvery{500};
constexpr std::string_view kStatus = R"({"command":"status"})";

struct Outcome {
  bool ok = false;
  std::uint64_t generation = 0;
  std::string text;
};

int complain(std::string_view what, std::string_view message) {
  fmt::print(stderr, "{}",
             observe::for_stderr(fmt::format("sallyport: [error] {}: {}\n", what, message)));
  return 1;
}

std::expected<Outcome, std::string> tell(server::LocalClient& client,
                                         const nlohmann::json& request) {
  if (const auto sent = client.send(request.dump()); !sent) return std::unexpected(sent.error());
  const auto line = client.receive(kReloadPatience);
  if (!line) return std::unexpected(line.error());
  const auto answer = nlohmann::json::parse(*line, nullptr, false);
  if (!answer.is_object()) return std::unexpected("an answer that makes no sense");
  return Outcome{.ok = answer.value("ok", false),
                 .generation = answer.value("generation", std::uint64_t{0}),
                 .text = answer.value("text", "")};
}

/// A number of the status; nothing if there is no answer.
std::optional<std::uint64_t> ask_number(const Instance& instance, const char* pointer) {
  const auto status = server::ask(instance.admin_socket, kStatus);
  const auto json = nlohmann::json::parse(status.value_or(""), nullptr, false);
  const nlohmann::json::json_pointer at(pointer);
  if (!json.is_object() || !json.contains(at) || !json[at].is_number()) return std::nullopt;
  return json[at].get<std::uint64_t>();
}

/// Over the control socket, or, with `master_process off`, where there is none, by the signal.
std::expected<void, std::string> ask_to_reopen(const Instance& instance) {
  auto client = server::LocalClient::connect(instance.control_socket);
  if (client) {
    const auto told = tell(*client, {{"command", "reopen"}});
    return told ? std::expected<void, std::string>() : std::unexpected(told.error());
  }
  const auto pid = ask_number(instance, "/pid/supervisor");
  if (!pid) return std::unexpected(client.error());
  if (::kill(static_cast<pid_t>(*pid), SIGUSR1) == 0) return {};
  return std::unexpected(fmt::format("kill({}, USR1) {}", *pid,
                                     base::describe(base::error_from_errno(errno, "failed"))));
}

void show_progress(std::string_view text) {
  if (::isatty(STDERR_FILENO) == 1) fmt::print(stderr, "\r\033[K{}", text);
}

/// The reason why the configuration is to be taken back; empty if it may stay.
std::string watch(const Instance& instance, const TrialWatch& judge, Seconds time) {
  const auto end = steady_clock::now() + time;
  unsigned silent = 0;
  while (steady_clock::now() < end) {
    std::this_thread::sleep_for(std::min<Seconds>(kLookEvery, end - steady_clock::now()));
    const auto status = server::ask(instance.admin_socket, kStatus);
    if (!status) {
      // A process that is being replaced may miss one question, not several.
      if (++silent >= 4) return fmt::format("it does not answer any more: {}", status.error());
      continue;
    }
    silent = 0;
    const Sample now = read_sample(*status);
    if (std::string reason = judge.judge(now); !reason.empty()) return reason;
    const Seconds left = end - steady_clock::now();
    show_progress(
        fmt::format("{:.0f} s left: {}", std::max(left.count(), 0.0), judge.describe(now)));
  }
  show_progress("");
  return {};
}

/// Whether what was before serves again, soon.
bool is_taken_back(const Instance& instance, std::uint64_t generation) {
  for (const auto end = steady_clock::now() + kTakeBackPatience; steady_clock::now() < end;) {
    const auto status = server::ask(instance.admin_socket, kStatus);
    const auto json = nlohmann::json::parse(status.value_or(""), nullptr, false);
    if (json.is_object() && json.value("generation", std::uint64_t{0}) > generation) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0)) return std::nullopt;
  return value;
}

}  // namespace

int run_reload(const Instance& instance, bool json) {
  auto client = server::LocalClient::connect(instance.control_socket);
  if (!client) return complain("not reloaded", client.error());
  const auto outcome = tell(*client, {{"command", "reload"}});
  if (!outcome) return complain("not reloaded", outcome.error());
  if (json) {
    const nlohmann::ordered_json answer{
        {"ok", outcome->ok}, {"generation", outcome->generation}, {"text", outcome->text}};
    fmt::print("{}\n", answer.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else if (outcome->ok) {
    fmt::print("reloaded, generation {}: {}\n", outcome->generation, outcome->text);
  } else {
    fmt::print(stderr, "{}",
               observe::for_stderr(
                   fmt::format("{}{}sallyport: not reloaded, the old configuration goes on\n",
                               outcome->text, outcome->text.ends_with('\n') ? "" : "\n")));
  }
  return outcome->ok ? 0 : 1;
}

int run_reopen(const Instance& instance) {
  constexpr const char* kDone = "/counters/log_reopenings";
  const auto before = ask_number(instance, kDone);
  if (const auto told = ask_to_reopen(instance); !told)
    return complain("not reopened", told.error());
  // A server process that is being started again begins with the new ones.
  if (!before) return 0;
  for (const auto end = steady_clock::now() + kReopenPatience;
       ask_number(instance, kDone).value_or(*before + 1) == *before;) {
    if (steady_clock::now() > end) {
      return complain("the logs are not reopened yet", "the error log may say why");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return 0;
}

int run_apply(const Instance& instance, const Trial& trial) {
  const auto before = server::ask(instance.admin_socket, kStatus);
  if (!before) return complain("not applied", before.error());
  auto client = server::LocalClient::connect(instance.control_socket);
  if (!client) return complain("not applied", client.error());
  const auto applied = tell(*client, {{"command", "apply"}, {"file", trial.file}});
  if (!applied) return complain("not applied", applied.error());
  if (!applied->ok) {
    fmt::print(stderr, "{}{}", applied->text, applied->text.ends_with('\n') ? "" : "\n");
    return complain("not applied", "the old configuration goes on");
  }
  fmt::print("applied, generation {}: {}\n", applied->generation, applied->text);
  std::fflush(stdout);
  const TrialWatch judge(read_sample(*before), trial.max_server_errors, trial.max_p99_factor);
  if (const auto reason = watch(instance, judge, trial.watch); !reason.empty()) {
    show_progress("");
    client->close();  // which takes it back
    return complain(
        is_taken_back(instance, applied->generation) ? "taken back" : "to be taken back", reason);
  }
  const auto kept = tell(*client, {{"command", "keep"}});
  if (!kept) return complain("taken back", kept.error());
  if (!kept->ok) return complain("taken back", kept->text);
  fmt::print("kept. The next reload reads the instance's own file again: put {} in its place\n",
             trial.file);
  return 0;
}

std::optional<double> parse_share(const std::string& text) {
  std::string_view digits = text;
  const bool percent = digits.ends_with('%');
  if (percent) digits.remove_suffix(1);
  const auto value = parse_number(digits);
  if (!value) return std::nullopt;
  const double share = percent ? *value / 100 : *value;
  return share <= 1 ? std::optional(share) : std::nullopt;
}

std::optional<double> parse_factor(const std::string& text) {
  std::string_view digits = text;
  if (digits.ends_with('x')) digits.remove_suffix(1);
  return parse_number(digits);
}

std::optional<Seconds> parse_watch(const std::string& text) {
  const auto time = config::parse_duration(text);
  if (!time || time->count() == 0) return std::nullopt;
  return Seconds(*time);
}

}  // namespace cli
