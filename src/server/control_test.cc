#include "server/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "server/local_socket.h"

namespace server {
namespace {

using Kind = Control::Request::Kind;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class ControlSocket : public ::testing::Test {
 protected:
  ControlSocket() {
    std::string name = "/tmp/sallyport-control-XXXXXX";
    directory = ::mkdtemp(name.data());
    path = directory + "/control";
    control = Control(open_local_socket(path).value(), ::getuid());
  }
  ~ControlSocket() override { std::filesystem::remove_all(directory); }

  std::string directory;
  std::string path;
  Control control;
};

TEST_F(ControlSocket, UnderstandsEachCommandAndTellsWhoSaidIt) {
  auto one = LocalClient::connect(path).value();
  auto two = LocalClient::connect(path).value();
  ASSERT_TRUE(one.send(R"({"command":"reload"})"));
  ASSERT_TRUE(two.send(R"({"command":"apply","file":"/x.conf"})"));
  ASSERT_TRUE(two.send(R"({"command":"keep"})"));
  const auto requests = control.take();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].kind, Kind::reload);
  EXPECT_EQ(requests[1].kind, Kind::apply);
  EXPECT_EQ(requests[1].file, "/x.conf");
  EXPECT_EQ(requests[2].kind, Kind::keep);
  EXPECT_EQ(requests[1].client, requests[2].client);
  EXPECT_NE(requests[0].client, requests[1].client);
  control.answer(requests[0].client, true, 7, "done");
  const auto answer = nlohmann::json::parse(one.receive(1s).value());
  EXPECT_EQ(answer["ok"], true);
  EXPECT_EQ(answer["generation"], 7);
  EXPECT_EQ(answer["text"], "done");
}

TEST_F(ControlSocket, TellsWhenAClientIsGone) {
  std::uint64_t number = 0;
  {
    auto client = LocalClient::connect(path).value();
    ASSERT_TRUE(client.send(R"({"command":"reload"})"));
    number = control.take().at(0).client;
  }
  const auto requests = control.take();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].kind, Kind::gone);
  EXPECT_EQ(requests[0].client, number);
  control.answer(number, true, 1, "nobody hears it");
}

TEST_F(ControlSocket, AnswersWhatMakesNoSenseItself) {
  auto client = LocalClient::connect(path).value();
  for (const std::string_view line :
       {"", "reload", "[1]", R"({"command":7})", R"({"command":"stop"})", R"({"command":"apply"})",
        R"({"command":"apply","file":"relative"})", "\xff{"}) {
    ASSERT_TRUE(client.send(line));
    EXPECT_TRUE(control.take().empty()) << line;
    EXPECT_THAT(client.receive(1s).value(), HasSubstr("\"ok\":false")) << line;
  }
}

TEST_F(ControlSocket, ClosesAClientThatSendsTooLongALine) {
  auto client = LocalClient::connect(path).value();
  ASSERT_TRUE(client.send(std::string(8000, 'x')));
  // The line's end came with it: it is judged as a line. One without an end is not waited for.
  static_cast<void>(control.take());
  ASSERT_TRUE(client.receive(1s));
}

TEST_F(ControlSocket, TakesSixteenClientsAndNoMore) {
  std::vector<LocalClient> clients;
  for (int i = 0; i < 16; ++i) clients.push_back(LocalClient::connect(path).value());
  EXPECT_TRUE(control.take().empty());
  auto one_too_many = LocalClient::connect(path).value();
  EXPECT_TRUE(control.take().empty());
  EXPECT_FALSE(one_too_many.receive(1s));
}

}  // namespace
}  // namespace server
