#include "http/h2/frame_watch.h"

#include <gtest/gtest.h>

#include "http/h2/server_test.h"

namespace http::h2 {
namespace {

using observe::Counter;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// How many of `one` a watch lets pass at once.
int passed(const std::string& one, const Limits& limits, int most = 100'000) {
  const base::TimePoint now{};
  FrameWatch watch(limits, 0, now);
  for (int i = 0; i < most; ++i) {
    if (watch.scan(one, now) != Offence::none) return i;
  }
  return most;
}

TEST(FrameWatch, CountsEachKindOfFrame) {
  Limits limits;
  limits.resets = {.burst = 1};
  limits.settings = {.burst = 2};
  limits.pings = {.burst = 3};
  limits.priorities = {.burst = 4};
  limits.window_updates = {.burst = 5};
  limits.empty_frames = {.burst = 6};
  limits.tiny_data = {.burst = 7};
  limits.unknown_frames = {.burst = 8};
  EXPECT_EQ(passed(reset(1), limits), 1);
  EXPECT_EQ(passed(frame(FrameType::settings, 0, 0, ""), limits), 2);
  EXPECT_EQ(passed(frame(FrameType::settings, 1, 0, ""), limits), 2);
  EXPECT_EQ(passed(frame(FrameType::ping, 0, 0, "12345678"), limits), 3);
  EXPECT_EQ(passed(frame(FrameType::priority, 0, 1, "12345"), limits), 4);
  EXPECT_EQ(passed(frame(FrameType::priority_update, 0, 0, "1234u=1"), limits), 4);
  EXPECT_EQ(passed(window(0, 1), limits), 5);
  EXPECT_EQ(passed(data(1, ""), limits), 6);
  EXPECT_EQ(passed(frame(FrameType::headers, kEndHeaders, 1, ""), limits), 6);
  EXPECT_EQ(passed(data(1, "x"), limits), 7);
  EXPECT_EQ(passed(frame(static_cast<FrameType>(0x42), 0, 0, "x"), limits), 8);
  EXPECT_EQ(passed(data(1, "", kEnd), limits, 100), 100);
  EXPECT_EQ(passed(data(1, std::string(limits.tiny, 'x')), limits, 100), 100);
  EXPECT_EQ(passed(headers(1, get()), limits, 100), 100);
}

TEST(FrameWatch, KnowsWhatTheClientHasEnded) {
  const auto breaks = [](const std::string& said) {
    const Limits limits;
    FrameWatch watch(limits, kPreface.size(), {});
    EXPECT_EQ(watch.scan(std::string(kPreface) + said, {}), Offence::none);
    return watch.broke_stream();
  };
  EXPECT_TRUE(breaks(headers(1, get()) + data(1, "x")));
  EXPECT_TRUE(breaks(headers(1, post(), 0) + data(1, "x", kEnd) + data(1, "y")));
  EXPECT_TRUE(breaks(headers(1, post(), 0) + reset(1) + data(1, "x")));
  EXPECT_TRUE(breaks(headers(1, post(), 0) + headers(1, {{"x", "y"}}) + data(1, "x")));
  EXPECT_TRUE(breaks(headers(5, post(), 0) + data(3, "x"))) << "passed over";
  EXPECT_FALSE(breaks(headers(1, post(), 0) + headers(3, get()) + data(1, "x", kEnd)));
  EXPECT_FALSE(breaks(headers(1, get()) + data(3, "x"))) << "idle: another error";
  EXPECT_FALSE(breaks(headers(1, get()) + window(1, 1) + reset(1)));
  std::string many;
  for (int i = 0; i < 1001; ++i) many += headers(1 + 2 * i, post(), 0);
  EXPECT_FALSE(breaks(many + data(1, "x"))) << "so many are not remembered";
  EXPECT_TRUE(breaks(many + headers(3001, get()) + data(3001, "x")));
}

TEST(FrameWatch, SaysTheSameHoweverTheBytesAreSliced) {
  Limits limits;
  limits.pings = {.burst = 3};
  std::string all(kPreface);
  all += headers(1, post(), 0) + data(1, std::string(300, '\6')) + window(1, 4);
  for (int i = 0; i < 4; ++i) all += frame(FrameType::ping, 0, 0, "12345678");
  const base::TimePoint now{};
  for (std::size_t slice = 1; slice < 40; ++slice) {
    FrameWatch watch(limits, kPreface.size(), now);
    std::size_t at = 0;
    Offence offence = Offence::none;
    for (; at < all.size() && offence == Offence::none; at += slice) {
      offence = watch.scan(std::string_view(all).substr(at, slice), now);
    }
    EXPECT_EQ(offence, Offence::ping_flood) << slice;
    EXPECT_GE(at + slice, all.size() - 8) << slice;  // not before the last
  }
}

TEST(FrameWatch, BoundsAHeaderBlock) {
  const base::TimePoint now{};
  Limits limits;
  limits.max_continuations = 3;
  limits.max_block = 1000;
  const std::string begin = frame(FrameType::headers, 0, 1, std::string(10, 'x'));
  const auto more = [](std::size_t size, int flags = 0) {
    return frame(FrameType::continuation, flags, 1, std::string(size, 'x'));
  };
  FrameWatch many(limits, 0, now);
  EXPECT_EQ(many.scan(begin + more(1) + more(1) + more(1), now), Offence::none);
  EXPECT_TRUE(many.in_block());
  EXPECT_EQ(many.scan(more(1), now), Offence::continuation_flood);
  FrameWatch large(limits, 0, now);
  EXPECT_EQ(large.scan(begin + more(980), now), Offence::none);
  EXPECT_EQ(large.scan(more(11), now), Offence::continuation_flood);
  FrameWatch fine(limits, 0, now);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(fine.scan(begin + more(1) + more(1, kEndHeaders), now), Offence::none);
    EXPECT_FALSE(fine.in_block());
  }
}

TEST(FrameWatch, RefillsOverTime) {
  Limits limits;
  limits.pings = {.burst = 2, .per_second = 1};
  base::TimePoint now{};
  FrameWatch watch(limits, 0, now);
  const std::string ping = frame(FrameType::ping, 0, 0, "12345678");
  EXPECT_EQ(watch.scan(ping + ping, now), Offence::none);
  for (int i = 0; i < 5; ++i) {
    now += milliseconds(1000);
    EXPECT_EQ(watch.scan(ping, now), Offence::none);
  }
  now += milliseconds(900);
  EXPECT_EQ(watch.scan(ping, now), Offence::ping_flood);
}

TEST(FrameWatch, DataThatWasSentEarnsItsAnswers) {
  Limits limits;
  limits.window_updates = {.burst = 10};
  const base::TimePoint now{};
  FrameWatch watch(limits, 0, now);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(watch.scan(window(0, 100) + window(1, 100), now), Offence::none);
    watch.earn_by_data(100, false);
  }
  // A client that gives a window of a few bytes each time earns nothing.
  int passed = 0;
  while (watch.scan(window(1, 1), now) == Offence::none) {
    watch.earn_by_data(1, true);
    ++passed;
  }
  EXPECT_LE(passed, 10);
}

// --- the same on a connection ---

struct Flooded {
  std::string reason;
  int sent = 0;  // until the connection was closed
  std::string heard;
  int served = 0;
};

Flooded flood(const std::function<std::string(int)>& what, Counter counter,
              ServerWorld::Serve handler = ServerWorld::answer_ok, const Limits& limits = {}) {
  ServerWorld world(std::move(handler));
  world.options.limits = limits;
  world.begin();
  Flooded result;
  while (!world.end && result.sent < 50'000) world.say(what(result.sent++));
  EXPECT_TRUE(world.end);
  if (!world.end) return result;
  EXPECT_EQ(world.end->how, ConnectionEnd::How::flood);
  EXPECT_TRUE(world.end->linger);
  EXPECT_EQ(world.count(counter), 1U);
  EXPECT_EQ(world.count(Counter::h2_connections_calmed), 1U);
  result.reason = world.end->reason;
  result.served = world.served;
  std::string heard = world.heard();
  result.heard = heard.substr(heard.rfind("GOAWAY"));
  EXPECT_TRUE(result.heard.ends_with(" 11\n")) << result.heard;  // ENHANCE_YOUR_CALM
  return result;
}

async::Task<void> never_answer(ServerWorld& /*world*/, ServerStream& stream) {
  static_cast<void>(co_await io::ready(stream.client(), io::Direction::read, base::kNoDeadline,
                                       io::Waiting::busy));
}

TEST(Flood, RapidResetEndsWithin200) {
  const Flooded served =
      flood([](int i) { return headers(1 + 2 * i, post(), 0) + reset(1 + 2 * i); },
            Counter::limit_h2_resets, never_answer);
  EXPECT_EQ(served.reason, "rapid_reset");
  EXPECT_LE(served.sent, 200);
  EXPECT_EQ(served.served, 0);  // reset in the same breath: nobody works for them
  const Flooded later =
      flood([](int i) { return i % 2 == 0 ? headers(1 + i, post(), 0) : reset(i); },
            Counter::limit_h2_resets, never_answer);
  EXPECT_LE(later.sent, 400);
}

TEST(Flood, ResetsThatWeAreMadeToSendCountLikeTheirs) {
  // MadeYouReset: a window that overflows, DATA that is too long, trailers that end nothing.
  const std::vector<std::string> provocations = {window(1, 0x7fffffff), data(1, "too long"),
                                                 headers(1, {{"a", "b"}}, 0)};
  for (const std::string& provocation : provocations) {
    const Flooded result = flood(
        [&](int i) {
          const std::int32_t id = 1 + 2 * i;
          std::string frames = headers(id, post({{"content-length", "1"}}), 0) + provocation;
          // The stream of the second frame, too.
          const std::size_t at = frames.size() - provocation.size() + 5;
          return frames.replace(at, 4, number(static_cast<std::uint32_t>(id), 4));
        },
        Counter::limit_h2_resets, never_answer);
    EXPECT_EQ(result.reason, "rapid_reset");
    EXPECT_LE(result.sent, 200);
  }
}

TEST(Flood, ContinuationsEnd) {
  const Flooded result = flood(
      [](int i) {
        return i == 0 ? frame(FrameType::headers, kEnd, 1, block(get()))
                      : frame(FrameType::continuation, 0, 1, block({{"a", "b"}}));
      },
      Counter::limit_h2_continuations);
  EXPECT_EQ(result.reason, "continuation_flood");
  EXPECT_LE(result.sent, 20);
  EXPECT_EQ(result.served, 0);
}

TEST(Flood, SmallFramesEnd) {
  const auto reason = [](const std::string& one, Counter counter) {
    Limits limits;
    limits.window_updates.burst = 100;
    return flood([&](int i) { return i == 0 ? headers(1, post(), 0) + one : one; }, counter,
                 never_answer, limits)
        .reason;
  };
  EXPECT_EQ(reason(frame(FrameType::settings, 0, 0, ""), Counter::limit_h2_settings),
            "settings_flood");
  EXPECT_EQ(reason(frame(FrameType::ping, 0, 0, "12345678"), Counter::limit_h2_pings),
            "ping_flood");
  EXPECT_EQ(reason(frame(FrameType::priority, 0, 7, std::string("\0\0\0\0\1", 5)),
                   Counter::limit_h2_priorities),
            "priority_flood");
  EXPECT_EQ(reason(frame(FrameType::priority_update, 0, 0, std::string("\0\0\0\1u=1", 7)),
                   Counter::limit_h2_priorities),
            "priority_flood");
  EXPECT_EQ(reason(window(0, 1), Counter::limit_h2_window_updates), "window_update_flood");
  EXPECT_EQ(reason(data(1, ""), Counter::limit_h2_empty_frames), "empty_frame_flood");
  EXPECT_EQ(reason(frame(static_cast<FrameType>(0x42), 0, 0, ""), Counter::limit_h2_unknown_frames),
            "unknown_frame_flood");
}

async::Task<void> read_all(ServerWorld& /*world*/, ServerStream& stream) {
  while (true) {
    const auto piece = co_await stream.body().read(base::kNoDeadline);
    if (!piece || piece->empty()) co_return;
  }
}

TEST(Flood, TinyDataEnds) {
  Limits limits;
  limits.tiny_data.burst = 100;
  const auto drip = [](int i) { return i == 0 ? headers(1, post(), 0) : data(1, "x"); };
  const Flooded result = flood(drip, Counter::limit_h2_tiny_data, read_all, limits);
  EXPECT_EQ(result.reason, "tiny_data_flood");
}

TEST(Flood, PingsThatNobodyHearsTheAnswersOfEnd) {
  ServerWorld world(ServerWorld::answer_ok, {.capacity = 100});
  world.options.limits.pings = {.burst = 1'000'000};
  world.begin();
  std::string pings;
  for (int i = 0; i < 100; ++i) pings += frame(FrameType::ping, 0, 0, "12345678");
  for (int i = 0; i < 200 && !world.end; ++i) world.say(pings);
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::flood);
}

TEST(Flood, OrdinaryClientsAreFarFromIt) {
  ServerWorld world;
  world.begin();
  std::int32_t id = 1;
  for (int minute = 0; minute < 5; ++minute) {
    // A page of a hundred resources, of which the visitor leaves thirty.
    for (int i = 0; i < 100; ++i, id += 2) world.say(headers(id, get()) + window(0, 2));
    for (int i = 0; i < 30; ++i) world.say(reset(id - 2 - 2 * i));
    for (int i = 0; i < 5; ++i) world.say(frame(FrameType::ping, 0, 0, "12345678"));
    static_cast<void>(world.heard_frames());
    world.pass(seconds(60));
  }
  EXPECT_FALSE(world.end);
  EXPECT_EQ(world.served, 500);
}

}  // namespace
}  // namespace http::h2
