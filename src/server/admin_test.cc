#include "server/admin.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "server/local_socket.h"
#include "server/server.h"

namespace server {
namespace {

using Json = nlohmann::json;

// A server with one worker and without a configuration; the test's thread is the control thread.
class AdminSocket : public ::testing::Test {
 protected:
  AdminSocket() {
    std::string name = "/tmp/sallyport-admin-XXXXXX";
    directory = ::mkdtemp(name.data());
    path = directory + "/admin";
    admin = Admin::start(control, open_local_socket(path).value(), server, facts).value();
  }
  ~AdminSocket() override {
    admin.reset();
    bool ended = false;
    server.terminate([&] { ended = true; });
    while (!ended) control.turn(std::chrono::milliseconds(10));
    std::filesystem::remove_all(directory);
  }

  // Whatever `question` gives, asked from another thread while this one answers.
  template <class Question>
  auto while_serving(Question question) {
    decltype(question()) answer;
    std::atomic<bool> answered = false;
    std::jthread client([&] {
      answer = question();
      answered = true;
    });
    while (!answered) control.turn(std::chrono::milliseconds(5));
    client.join();
    return answer;
  }
  Json answer_to(const std::string& request) {
    const auto line = while_serving([&] { return ask(path, request).value_or("no answer"); });
    return Json::parse(line, nullptr, false);
  }

  std::string directory;
  std::string path;
  base::SystemClock clock;
  io::EventLoop control{clock};
  async::Executor::Use use{control.executor()};
  Server server{clock, control, 1, tls::TicketSecret::make(clock.now())};
  ProcessFacts facts{
      .supervisor = 17, .server = 18, .restarts = 2, .started = clock.wall(), .owner = ::getuid()};
  std::unique_ptr<Admin> admin;
};

TEST_F(AdminSocket, TellsTheStatus) {
  const Json status = answer_to(R"({"command":"status"})");
  EXPECT_EQ(status["pid"]["supervisor"], 17);
  EXPECT_EQ(status["pid"]["server"], 18);
  EXPECT_EQ(status["server_restarts"], 2);
  EXPECT_EQ(status["workers"].size(), 1U);
}

TEST_F(AdminSocket, TellsWhetherWorkersAnswer) {
  EXPECT_EQ(answer_to(R"({"command":"alive"})"), Json::parse(R"({"alive":true,"reasons":[]})"));
}

TEST_F(AdminSocket, IsNotReadyBeforeItListens) {
  EXPECT_EQ(answer_to(R"({"command":"ready"})"),
            Json::parse(R"({"ready":false,"reasons":["not listening"]})"));
}

TEST_F(AdminSocket, SaysThatThereIsNoConfigurationYet) {
  for (const std::string command : {"outline", "origin"}) {
    EXPECT_EQ(answer_to(R"({"command":")" + command + R"("})")["error"],
              "there is no configuration yet");
  }
}

TEST_F(AdminSocket, RefusesWhatItDoesNotUnderstand) {
  EXPECT_EQ(answer_to(R"({"command":"reload"})")["error"], "unknown command");
  for (const std::string request : {"status", "{}", "[]", R"({"command":1})", "\xff{"}) {
    EXPECT_EQ(answer_to(request)["error"], R"(expected {"command": ...})") << request;
  }
}

TEST_F(AdminSocket, ARequestThatIsTooLongIsCutOff) {
  const auto answer = while_serving([&] { return ask(path, std::string(5000, 'x')); });
  EXPECT_FALSE(answer);
}

TEST_F(AdminSocket, IsForItsOwnerAlone) {
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(AdminSocket, WhatWasAskedBeforeTheEndIsAnswered) {
  auto client = LocalClient::connect(path).value();
  ASSERT_TRUE(client.send(R"({"command":"ready"})"));
  control.run_until_idle();
  admin->stop();
  bool done = false;
  admin->when_done([&] { done = true; });
  control.run_until_idle();
  EXPECT_TRUE(done);
  EXPECT_TRUE(client.receive(std::chrono::seconds(1)));
  EXPECT_FALSE(LocalClient::connect(path)) << "nobody listens any more";
}

}  // namespace
}  // namespace server
