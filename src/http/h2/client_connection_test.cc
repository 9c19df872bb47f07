// The client's side, against a backend that speaks in frames.
#include "http/h2/client_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/h2/client_test.h"

namespace http::h2 {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::kNoDeadline;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ClientConnection, TranslatesARequestAndItsAnswer) {
  ClientWorld world;
  world.settle();
  OutgoingRequest request = world.request();
  ASSERT_TRUE(request.fields.add("X-One", " 1\t") &&
              request.fields.add(FieldName::connection, "close"));
  const auto exchange = world.ask(request);
  EXPECT_EQ(world.heard(),
            "HEADERS 1 END :method=GET :scheme=http :authority=b.test :path=/a x-one=1\n");
  EXPECT_FALSE(exchange->answered());
  world.say(headers(1, {{":status", "200"}, {"content-length", "2"}}, 0) + data(1, "ok", kEnd));
  ASSERT_TRUE(world.read_head(*exchange));
  EXPECT_EQ(world.head.status, 200);
  EXPECT_EQ(world.head.body.length, 2U);
  ReceivedBody& body = exchange->open_body(world.head);
  EXPECT_EQ(body.next_received().value().value(), "ok");
  body.notice_end();
  EXPECT_TRUE(body.ended());
  EXPECT_TRUE(exchange->clean());
}

TEST(ClientConnection, SendsABodyAsFarAsTheWindowGoes) {
  ClientWorld world;
  world.settle(number(4, 2) + number(5, 4));  // SETTINGS_INITIAL_WINDOW_SIZE
  OutgoingRequest request = world.request("POST");
  request.body = {BodyFraming::Kind::chunked};
  const auto exchange = world.ask(request, End::no, Method::post);
  std::optional<base::Result<void>> sent;
  world.start(exchange->send_body("0123456789", End::yes, kNoDeadline), sent);
  EXPECT_THAT(world.heard(), HasSubstr("DATA 1 01234\n"));
  EXPECT_FALSE(sent);
  world.say(window(1, 100));
  EXPECT_EQ(world.heard(), "DATA 1 END 56789\n");
  ASSERT_TRUE(sent && *sent);
}

TEST(ClientConnection, GivesTheWindowBackOfTheStreamAsTheBodyIsRead) {  // the connection's at once
  ClientOptions options;
  options.limits.stream_window = options.limits.connection_window = 70'000;
  ClientWorld world(options);
  world.settle();
  const auto exchange = world.ask(world.request());
  world.say(headers(1, kOk, 0));
  for (int i = 0; i < 4; ++i) world.say(data(1, std::string(16'000, 'x')));
  EXPECT_THAT(world.heard(),
              ::testing::AllOf(Not(HasSubstr("WINDOW_UPDATE 1")), HasSubstr("WINDOW_UPDATE 0")));
  ASSERT_TRUE(world.read_head(*exchange));
  ReceivedBody& body = exchange->open_body(world.head);
  EXPECT_EQ(world.now(body.read(kNoDeadline)).value().size(), 64'000U);
  std::optional<base::Result<std::string_view>> next;
  world.start(body.read(world.clock.now() + 1s), next);
  EXPECT_THAT(world.heard(), HasSubstr("WINDOW_UPDATE 1 64000"));
  world.pass(2s);
}

TEST(ClientConnection, WaitsForNoHeadBehindDataOrAnEndThatCameBeforeIt) {
  for (const std::string& early : {data(1, "x"), data(1, "x", kEnd), data(1, "", kEnd)}) {
    ClientWorld world;
    world.settle();
    const auto exchange = world.ask(world.request());
    world.say(headers(1, {{":status", "103"}}, 0) + early);
    base::Result<void> read = world.read_head(*exchange);
    if (read && world.head.is_interim()) read = world.read_head(*exchange);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::protocol);
  }
}

TEST(ClientConnection, GoesOnWhateverManyExchangesAreGivenUp) {
  ClientWorld world;
  world.settle();
  for (std::int32_t id = 1; id < 1000; id += 2) {
    const auto exchange = world.ask(world.request());
    world.say(headers(id, kOk, 0));
  }
  EXPECT_TRUE(world.connection->takes_requests());
}

TEST(ClientConnection, SendsNoTargetThatWouldBeTwoWordsOfARequestLine) {
  ClientWorld world;
  world.settle();
  for (const std::string_view target : {"/a HTTP/1.1 x", "/a\tb", ""}) {
    OutgoingRequest request = world.request();
    request.target = target;
    auto exchange = world.connection->open(Method::get, world.arena, {});
    const auto sent = world.now(exchange->send_head(request, {}, End::yes, kNoDeadline));
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, ErrorCode::invalid);
  }
  EXPECT_EQ(world.heard(), "");
}

TEST(ClientConnection, LetsARequestWaitForNothingOnOneThatIsOver) {
  ClientWorld world;
  world.settle();
  world.peer.reset();
  world.pass(1s);
  auto exchange = world.connection->open(Method::get, world.arena, {});
  EXPECT_FALSE(world.now(exchange->send_head(world.request(), {}, End::yes, kNoDeadline)));
  EXPECT_FALSE(world.now(exchange->read_head(world.head, kNoDeadline)));
  EXPECT_TRUE(exchange->unprocessed());
}

TEST(ClientConnection, TellsWhatAGoawayLeftUnprocessed) {
  ClientWorld world;
  world.settle();
  const auto first = world.ask(world.request());
  const auto second = world.ask(world.request());
  world.say(frame(FrameType::goaway, 0, 0, number(1, 4) + number(0, 4)));
  EXPECT_FALSE(world.connection->takes_requests());
  EXPECT_FALSE(world.read_head(*second));
  EXPECT_TRUE(second->unprocessed());
  world.say(headers(1, kOk));
  ASSERT_TRUE(world.read_head(*first));
  EXPECT_FALSE(first->unprocessed());
  EXPECT_TRUE(world.ended) << "nothing more is to come";
}

TEST(ClientConnection, EndsAfterItsLastRequestOnceItDrains) {
  ClientWorld world;
  world.settle();
  auto exchange = world.ask(world.request());
  world.connection->drain();
  world.say(headers(1, kOk));
  EXPECT_TRUE(world.read_head(*exchange));
  EXPECT_FALSE(world.ended);
  exchange.reset();
  EXPECT_THAT(world.heard(), HasSubstr("GOAWAY 0 0"));
  EXPECT_TRUE(world.ended);
}

TEST(ClientConnection, KeepsAnAnswerThatCameBeforeTheRequestWasWhole) {
  ClientWorld world;
  world.settle();
  OutgoingRequest request = world.request("POST");
  request.body = {BodyFraming::Kind::chunked};
  const auto exchange = world.ask(request, End::no, Method::post);
  world.say(headers(1, {{":status", "413"}}, 0) + data(1, "too much", kEnd) + reset(1, 0));
  EXPECT_FALSE(world.now(exchange->send_body("more", End::no, kNoDeadline)));
  ASSERT_TRUE(world.read_head(*exchange));
  EXPECT_EQ(world.head.status, 413);
  EXPECT_EQ(exchange->open_body(world.head).next_received().value().value(), "too much");
}

TEST(ClientConnection, ResetsARequestThatIsDropped) {
  ClientWorld world;
  world.settle();
  auto exchange = world.ask(world.request());
  static_cast<void>(world.heard());
  exchange.reset();
  EXPECT_EQ(world.heard(), "RST_STREAM 1 8\n");
  world.say(headers(1, kOk, 0) + data(1, "late", kEnd));  // nobody is told
  EXPECT_FALSE(world.ended);
  EXPECT_EQ(world.connection->open_requests(), 0U);
}

TEST(ClientConnection, DropsARequestThatHasNotLeftYet) {
  ClientWorld world;
  world.settle();
  {
    const auto exchange = world.connection->open(Method::get, world.arena, {});
    std::optional<base::Result<void>> sent;
    world.start(exchange->send_head(world.request(), {}, End::yes, kNoDeadline), sent);
  }
  world.connection->drain();
  static_cast<void>(world.heard());
  EXPECT_TRUE(world.ended);
}

TEST(ClientConnection, ReadsInterimHeadsAndTrailers) {
  ClientWorld world;
  world.settle();
  const auto exchange = world.ask(world.request());
  world.say(headers(1, {{":status", "103"}, {"link", "<a>"}}, 0) + headers(1, kOk, 0) +
            data(1, "x") + headers(1, {{"grpc-status", "0"}}));
  ASSERT_TRUE(world.read_head(*exchange));
  EXPECT_EQ(world.head.status, 103);
  ASSERT_TRUE(world.read_head(*exchange));
  EXPECT_EQ(world.head.status, 200);
  ReceivedBody& body = exchange->open_body(world.head);
  EXPECT_EQ(world.now(body.read(kNoDeadline)).value(), "x");
  EXPECT_EQ(world.now(body.read(kNoDeadline)).value(), "");
  EXPECT_EQ(body.trailers().all()[0].value, "0");
}

TEST(ClientConnection, InterimHeadsThatSayNothingAreBounded) {
  ClientWorld world;
  world.settle();
  const auto exchange = world.ask(world.request());
  std::string many;
  for (int i = 0; i < 1000; ++i) many += headers(1, {{":status", "103"}}, 0);
  world.say(many);
  int read = 0;
  while (world.read_head(*exchange)) ++read;
  EXPECT_LT(read, 300);
  EXPECT_EQ(exchange->refusal(), Refusal::head_too_large);
  EXPECT_THAT(world.heard(), HasSubstr("RST_STREAM 1 8"));
  EXPECT_FALSE(world.ended) << "the others go on";
}

TEST(ClientConnection, WhatABackendSendsIsChargedToTheSharedBudgetUntilItIsRead) {
  SharedBudget all;
  ClientOptions options;
  options.budget = &all;
  ClientWorld world(options);
  world.settle();
  auto exchange = world.ask(world.request());
  world.say(headers(1, kOk, 0) + data(1, std::string(5000, 'x')));
  EXPECT_EQ(all.used, 5000U);
  ASSERT_TRUE(world.read_head(*exchange));
  ReceivedBody& body = exchange->open_body(world.head);
  EXPECT_EQ(world.now(body.read(kNoDeadline)).value().size(), 5000U);
  world.say(data(1, std::string(3000, 'x'), kEnd));
  EXPECT_EQ(world.now(body.read(kNoDeadline)).value().size(), 3000U);
  EXPECT_EQ(world.now(body.read(kNoDeadline)).value(), "");
  EXPECT_EQ(all.used, 0U);
  exchange = world.ask(world.request());
  world.say(headers(3, kOk, 0) + data(3, std::string(5000, 'x')));
  exchange.reset();
  EXPECT_EQ(all.used, 0U) << "nobody will read it";
}

TEST(ClientConnection, AFewInterimHeadsAreNothing) {
  ClientWorld world;
  world.settle();
  const auto exchange = world.ask(world.request());
  for (int i = 0; i < 20; ++i) world.say(headers(1, {{":status", "103"}, {"link", "<a>"}}, 0));
  world.say(headers(1, kOk));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(world.read_head(*exchange));
  ASSERT_TRUE(world.read_head(*exchange));
  EXPECT_EQ(world.head.status, 200);
}

TEST(ClientConnection, ATunnelWhoseLastWriteIsCutShortHasNotEnded) {
  ClientWorld world;
  // SETTINGS_INITIAL_WINDOW_SIZE, SETTINGS_ENABLE_CONNECT_PROTOCOL
  world.settle(number(4, 2) + number(5, 4) + number(8, 2) + number(1, 4));
  OutgoingRequest request = world.request("CONNECT");
  request.protocol = "websocket";
  const auto exchange = world.ask(request, End::no, Method::connect);
  world.say(headers(1, kOk, 0));
  ASSERT_TRUE(world.read_head(*exchange));
  static_cast<void>(world.heard());
  io::Stream& tunnel = exchange->stream();
  tunnel.end_with_next_write();
  const iovec piece = io::piece_of("0123456789");
  EXPECT_EQ(tunnel.try_write({&piece, 1}).value_or(0), 5U);
  EXPECT_EQ(world.heard(), "DATA 1 01234\n");
  tunnel.abort();
  world.say(window(1, 100));
  EXPECT_EQ(world.heard(), "RST_STREAM 1 2\n") << "and no end that looks whole";
}

TEST(ClientConnection, AnUploadThatIsGivenUpHasNotEnded) {
  ClientWorld world;
  world.settle(number(4, 2) + number(5, 4));
  OutgoingRequest request = world.request("POST");
  request.body = {BodyFraming::Kind::chunked};
  const auto exchange = world.ask(request, End::no, Method::post);
  std::optional<base::Result<void>> sent;
  const auto patience = io::Patience(kNoDeadline, 5s);
  world.start(exchange->send_body("0123456789", End::yes, patience), sent);
  EXPECT_THAT(world.heard(), HasSubstr("DATA 1 01234\n"));
  world.pass(6s);
  ASSERT_TRUE(sent && !*sent);
  world.say(window(1, 100));
  EXPECT_EQ(world.heard(), "RST_STREAM 1 8\n");
}

TEST(ClientConnection, RefusesWhatBreaksTheRules) {
  const std::vector<std::pair<std::string, Refusal>> cases{
      {headers(1, {{"x", "1"}}), Refusal::pseudo_header},
      {headers(1, {{":status", "101"}}, 0), Refusal::invalid_status},
      {headers(1, {{":status", "200"}, {"te", "gzip"}}), Refusal::connection_field},
      {headers(1, {{":status", "200"}, {"X", "1"}}), Refusal::invalid_name},
      {headers(1, {{":status", "200"}, {"x", "a\nb"}}), Refusal::invalid_value},
      {headers(1, {{":status", "200"}, {"content-length", "3"}}), Refusal::body_length_mismatch},
      {headers(1, {{":status", "200"}, {"content_length", "3"}}), Refusal::framing_alias},
      {headers(1, {{":status", "103"}}), Refusal::pseudo_header},
  };
  for (const auto& [text, refusal] : cases) {
    ClientWorld world;
    world.settle();
    const auto exchange = world.ask(world.request());
    static_cast<void>(world.heard());
    world.say(text);
    EXPECT_FALSE(world.read_head(*exchange));
    EXPECT_EQ(exchange->refusal(), refusal) << name_of(exchange->refusal());
    EXPECT_FALSE(world.ended);
  }
}

TEST(ClientConnection, ABodyMustHaveTheLengthThatWasSaid) {
  for (const std::string_view body : {"four", "2"}) {
    ClientWorld world;
    world.settle();
    const auto exchange = world.ask(world.request());
    world.say(headers(1, {{":status", "200"}, {"content-length", "3"}}, 0));
    ASSERT_TRUE(world.read_head(*exchange));
    world.say(data(1, body, kEnd));
    const auto read = world.now(exchange->open_body(world.head).read(kNoDeadline));
    ASSERT_FALSE(read);
    EXPECT_EQ(exchange->refusal(), Refusal::body_length_mismatch);
    EXPECT_THAT(world.heard(), HasSubstr("RST_STREAM 1 1"));
  }
}

TEST(ClientConnection, FailsAllItsRequestsWhenItIsCut) {
  ClientWorld world;
  world.settle();
  const auto exchange = world.ask(world.request());
  std::optional<base::Result<void>> read;
  world.start(exchange->read_head(world.head, kNoDeadline), read);
  world.peer->shutdown_write();
  world.loop.run_until_idle();
  ASSERT_TRUE(read && !*read);
  EXPECT_EQ(read->error().code, ErrorCode::end_of_stream);
  EXPECT_FALSE(exchange->unprocessed()) << "it may have been";
  EXPECT_TRUE(world.ended);
}

TEST(ClientConnection, AsksASilentBackendAndGivesItUp) {
  ClientOptions options;
  options.ping_interval = 30s;
  options.ping_timeout = 10s;
  ClientWorld world(options);
  world.settle();
  const auto exchange = world.ask(world.request());
  static_cast<void>(world.heard());
  std::optional<base::Result<void>> read;
  world.start(exchange->read_head(world.head, kNoDeadline), read);
  world.pass(31s);
  EXPECT_EQ(world.heard(), "PING\n");
  EXPECT_FALSE(read);
  world.pass(11s);
  ASSERT_TRUE(read && !*read);
  EXPECT_EQ(read->error().code, ErrorCode::timed_out);
  EXPECT_TRUE(world.ended);
}

TEST(ClientConnection, TakesNoPush) {
  ClientWorld world;
  world.settle();
  const auto exchange = world.ask(world.request());
  const auto push = [](std::uint32_t promised) {
    return frame(static_cast<FrameType>(5), kEndHeaders, 1,
                 number(promised, 4) + block({{":status", "200"}}));
  };
  world.say(push(2));
  EXPECT_THAT(world.heard(), HasSubstr("RST_STREAM 2")) << "it may not know our SETTINGS yet";
  world.say(frame(FrameType::settings, 1, 0, "") + push(4));
  EXPECT_TRUE(world.ended);
  EXPECT_FALSE(world.read_head(*exchange));
}

TEST(ClientConnection, KnowsTheLimitOnceTheSettingsHaveCome) {
  ClientWorld world;
  EXPECT_EQ(world.connection->max_requests(), 1U);
  world.settle(number(3, 2) + number(7, 4));  // SETTINGS_MAX_CONCURRENT_STREAMS
  EXPECT_EQ(world.connection->max_requests(), 7U);
  EXPECT_GT(world.changes, 0);
}

}  // namespace
}  // namespace http::h2
