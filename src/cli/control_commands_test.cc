#include "cli/control_commands.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "server/local_socket.h"

namespace cli {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// An instance of which only the two sockets are there: it answers as it is told to, and remembers
/// what it was asked. One thread; a connection that ends is remembered as "gone".
class FakeInstance {
 public:
  using Answer = std::function<std::string(const json& request)>;  // "": closes without one

  explicit FakeInstance(Answer answer) : answer_(std::move(answer)) {
    std::string name = "/tmp/sallyport-commands-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    instance = {.admin_socket = directory_ + "/admin", .control_socket = directory_ + "/control"};
    listeners_.push_back(server::open_local_socket(instance.admin_socket).value());
    listeners_.push_back(server::open_local_socket(instance.control_socket).value());
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested() || !clients_.empty()) turn();
    });
  }
  ~FakeInstance() {
    end();
    std::filesystem::remove_all(directory_);
  }
  FakeInstance(const FakeInstance&) = delete;
  FakeInstance& operator=(const FakeInstance&) = delete;

  /// What came over the control socket so far; after the commands have ended.
  std::vector<std::string> told() {
    end();
    return told_;
  }

  Instance instance;

 private:
  /// Once every client is gone.
  void end() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }

  struct Client {
    base::Fd socket;
    bool control = false;
  };

  void turn() {
    std::vector<pollfd> entries;
    for (const auto& listener : listeners_) entries.push_back({listener.get(), POLLIN, 0});
    for (const auto& client : clients_) entries.push_back({client.socket.get(), POLLIN, 0});
    if (::poll(entries.data(), entries.size(), 1) <= 0) return;
    std::erase_if(clients_, [this](const Client& client) { return is_over(client); });
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      base::Fd socket(
          ::accept4(listeners_[i].get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (socket) clients_.push_back({.socket = std::move(socket), .control = i == 1});
    }
  }

  bool is_over(const Client& client) {
    std::array<char, 4096> buffer{};
    const ssize_t got = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return errno != EAGAIN;
    if (got == 0) {
      if (client.control) told_.emplace_back("gone");
      return true;
    }
    const auto request = json::parse(std::string(buffer.data(), static_cast<std::size_t>(got)));
    if (client.control) told_.push_back(request.value("command", "?"));
    const std::string answer = answer_(request);
    if (answer.empty()) return true;
    const std::string line = answer + '\n';
    EXPECT_EQ(::send(client.socket.get(), line.data(), line.size(), MSG_NOSIGNAL),
              std::ssize(line));
    return !client.control;
  }

  Answer answer_;
  std::string directory_;
  std::vector<base::Fd> listeners_;
  std::vector<Client> clients_;
  std::vector<std::string> told_;
  std::jthread thread_;
};

/// What a command says, and how it ends.
struct Said {
  int status = 0;
  std::string out;
  std::string errors;
};
Said say(const std::function<int()>& command) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Said said;
  said.status = command();
  said.out = ::testing::internal::GetCapturedStdout();
  said.errors = ::testing::internal::GetCapturedStderr();
  return said;
}

std::string status_of(std::uint64_t generation, std::uint64_t responses, std::uint64_t errors) {
  return fmt::format(
      R"({{"generation":{},"pid":{{"server":7}},"counters":{{"responses_2xx":{},"responses_5xx":{}}}}})",
      generation, responses - errors, errors);
}

TEST(ReloadCommand, TellsWhatChanged) {
  FakeInstance fake(
      [](const json&) { return R"({"ok":true,"generation":7,"text":"servers: 1 added"})"; });
  const Said said = say([&] { return run_reload(fake.instance, false); });
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.out, "reloaded, generation 7: servers: 1 added\n");
  EXPECT_THAT(said.errors, IsEmpty());
  EXPECT_THAT(fake.told(), ElementsAre("reload", "gone"));
}

TEST(ReloadCommand, TellsWhyNotAndFails) {
  FakeInstance fake([](const json&) { return R"({"ok":false,"text":"[emerg] no such thing"})"; });
  const Said said = say([&] { return run_reload(fake.instance, false); });
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, IsEmpty());
  EXPECT_EQ(said.errors,
            "[emerg] no such thing\nsallyport: not reloaded, the old configuration goes on\n");
}

TEST(ReloadCommand, TellsTheOutcomeAsJson) {
  FakeInstance fake([](const json&) { return R"({"ok":false,"generation":3,"text":"why"})"; });
  const Said said = say([&] { return run_reload(fake.instance, true); });
  EXPECT_EQ(said.status, 1);
  EXPECT_EQ(json::parse(said.out), (json{{"ok", false}, {"generation", 3}, {"text", "why"}}));
}

TEST(ReloadCommand, FailsWhereNobodyAnswers) {
  const Said nobody = say([] { return run_reload({"/nowhere/a", "/nowhere/c"}, false); });
  EXPECT_EQ(nobody.status, 1);
  EXPECT_THAT(nobody.errors, HasSubstr("[error] not reloaded: \"/nowhere/c\""));
  FakeInstance silent([](const json&) { return ""; });
  const Said closed = say([&] { return run_reload(silent.instance, false); });
  EXPECT_EQ(closed.status, 1);
  EXPECT_THAT(closed.errors, HasSubstr("closed without an answer"));
  FakeInstance babbling([](const json&) { return "[1, 2"; });
  const Said nonsense = say([&] { return run_reload(babbling.instance, false); });
  EXPECT_EQ(nonsense.status, 1);
  EXPECT_THAT(nonsense.errors, HasSubstr("an answer that makes no sense"));
}

TEST(ReopenCommand, WaitsUntilTheServerProcessHasTheNewFiles) {
  std::atomic<int> questions = 0;
  FakeInstance fake([&](const json& request) {
    if (request["command"] == "reopen") return std::string(R"({"ok":true})");
    // As it was before the command, once more, and then done.
    return fmt::format(R"({{"counters":{{"log_reopenings":{}}}}})", ++questions > 2 ? 5 : 4);
  });
  EXPECT_EQ(say([&] { return run_reopen(fake.instance); }).status, 0);
  EXPECT_EQ(questions, 3);
  EXPECT_THAT(fake.told(), ElementsAre("reopen", "gone"));
}

TEST(ReopenCommand, DoesNotWaitForAProcessThatIsBeingStarted) {
  FakeInstance fake(
      [&](const json& request) { return request["command"] == "reopen" ? R"({"ok":true})" : ""; });
  EXPECT_EQ(say([&] { return run_reopen(fake.instance); }).status, 0);
}

class ApplyCommand : public ::testing::Test {
 protected:
  /// An instance that serves `responses` more, `errors` of them 5xx, at each look.
  std::string answer(const json& request) {
    const std::string command = request["command"];
    if (command == "apply") {
      ++generation;
      return json{
          {"ok", !refuses.load()}, {"generation", generation.load()}, {"text", "what and why"}}
          .dump();
    }
    if (command == "keep") return R"({"ok":true})";
    looks += 1;
    if (looks > 3) generation = 9;  // taken back
    return status_of(generation, looks * 100, looks * errors);
  }
  Said apply(FakeInstance& fake) {
    return say([&] { return run_apply(fake.instance, {.file = "/new.conf", .watch = watch}); });
  }

  std::atomic<bool> refuses = false;
  std::atomic<unsigned> generation = 1;
  std::atomic<unsigned> looks = 0;
  std::atomic<unsigned> errors = 0;
  std::chrono::duration<double> watch{0.05};
};

TEST_F(ApplyCommand, KeepsWhatMakesNothingWorse) {
  FakeInstance fake([this](const json& request) { return answer(request); });
  const Said said = apply(fake);
  EXPECT_EQ(said.status, 0);
  EXPECT_THAT(said.out, HasSubstr("applied, generation 2: what and why\nkept."));
  EXPECT_THAT(fake.told(), ElementsAre("apply", "keep", "gone"));
}

TEST_F(ApplyCommand, GoesBackWhenErrorsBegin) {
  errors = 5;
  FakeInstance fake([this](const json& request) { return answer(request); });
  const Said said = apply(fake);
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.errors, HasSubstr("taken back: 5.0 % of 100 responses were 5xx"));
  // By letting go of the connection, as it would if it died.
  EXPECT_THAT(fake.told(), ElementsAre("apply", "gone"));
}

TEST_F(ApplyCommand, TellsWhyNothingWasApplied) {
  refuses = true;
  FakeInstance fake([this](const json& request) { return answer(request); });
  const Said said = apply(fake);
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.errors, HasSubstr("what and why\nsallyport: [error] not applied"));
  EXPECT_THAT(fake.told(), ElementsAre("apply", "gone"));
}

TEST(CommandValues, AreParsedStrictly) {
  EXPECT_EQ(parse_share("1%"), 0.01);
  EXPECT_EQ(parse_share("0.25"), 0.25);
  EXPECT_EQ(parse_share("100%"), 1);
  for (const char* wrong : {"", "%", "0", "-1%", "101%", "1.5", "1%%", "x"}) {
    EXPECT_FALSE(parse_share(wrong)) << wrong;
  }
  EXPECT_EQ(parse_factor("2x"), 2);
  EXPECT_EQ(parse_factor("1.5"), 1.5);
  for (const char* wrong : {"", "x", "0", "-2x", "2xx", "2 x"}) {
    EXPECT_FALSE(parse_factor(wrong)) << wrong;
  }
  EXPECT_EQ(parse_watch("60s"), std::chrono::seconds(60));
  EXPECT_EQ(parse_watch("1h30m"), std::chrono::minutes(90));
  EXPECT_EQ(parse_watch("90"), std::chrono::seconds(90));
  for (const char* wrong : {"", "0", "0s", "soon", "-5s"})
    EXPECT_FALSE(parse_watch(wrong)) << wrong;
}

}  // namespace
}  // namespace cli
