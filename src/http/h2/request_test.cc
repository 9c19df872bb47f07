// What of a request is given to the handler, what is refused, and what is malformed.
#include <gtest/gtest.h>

#include "http/h2/server_test.h"

namespace http::h2 {
namespace {

using base::kNoDeadline;
using observe::Counter;

// Writes what it was given into the world's log, and answers.
async::Task<void> describe(ServerWorld& world, ServerStream& stream) {
  const RequestHead& head = stream.head();
  std::string& log = world.log;
  log = stream.refusal() == Refusal::none ? "" : std::string(name_of(stream.refusal())) + " ";
  log.append(head.method_text) += ' ';
  log.append(head.scheme) += ' ';
  log.append(head.host) += ':' + std::to_string(head.port) + ' ';
  log.append(head.raw_path);
  if (head.has_query) log.append("?").append(head.query);
  if (!head.protocol.empty()) log.append(" protocol=").append(head.protocol);
  for (const Field& field : head.fields) {
    log.append(" ").append(field.name).append("=").append(field.value);
  }
  ResponseHead answer(stream.arena());
  answer.status = static_cast<std::uint16_t>(
      stream.refusal() == Refusal::none ? 200 : status_of(stream.refusal()));
  static_cast<void>(co_await stream.responder().send_head(answer, {}, End::yes, base::kNoDeadline));
}

struct Told {
  std::string log;        // of the handler
  std::string heard;      // by the client
  std::string malformed;  // the rule
};

Told tell(const Pairs& fields, int flags = kEnd, const Limits& limits = {}) {
  ServerWorld world(describe);
  world.options.limits = limits;
  world.begin(headers(1, fields, flags));
  std::string heard = world.heard();
  return {.log = world.log,
          .heard = std::move(heard),
          .malformed = world.malformed.empty() ? "" : world.malformed.front()};
}

TEST(Request, IsGivenAsInHttp1) {
  EXPECT_EQ(tell(get("/a%20b?c", {{"user-agent", "x"}, {"x-own", "y"}})).log,
            "GET https example.com:0 /a%20b?c User-Agent=x x-own=y Host=example.com");
  EXPECT_EQ(tell({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "A.b:80"}}).log,
            "GET http a.b:80 / Host=A.b:80");
  EXPECT_EQ(
      tell({{":method", "OPTIONS"}, {":scheme", "http"}, {":authority", "a"}, {":path", "*"}}).log,
      "OPTIONS http a:0 * Host=a");
  EXPECT_EQ(
      tell({{":method", "BREW-IT"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}}).log,
      "BREW-IT http a:0 / Host=a");
}

TEST(Request, HasOneCookieWhateverNumberItCameIn) {
  EXPECT_EQ(
      tell(get("/", {{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", "c=3"}})).log,
      "GET https example.com:0 / Cookie=a=1; b=2; c=3 x=y Host=example.com");
}

TEST(Request, EmptyPiecesOfACookieLeaveNoBlankAtItsEnds) {
  EXPECT_EQ(tell(get("/", {{"cookie", ""}, {"cookie", "a=1"}, {"cookie", ""}})).log,
            "GET https example.com:0 / Cookie=a=1 Host=example.com");
  EXPECT_EQ(tell(get("/", {{"cookie", ""}, {"cookie", ""}})).log,
            "GET https example.com:0 / Cookie= Host=example.com");
}

TEST(Request, ConnectComesThrough) {
  const Told told = tell({{":method", "CONNECT"}, {":authority", "example.com:443"}}, 0);
  EXPECT_EQ(told.log, "CONNECT  example.com:443  Host=example.com:443");
  EXPECT_EQ(tell({{":method", "CONNECT"}, {":authority", "example.com"}}, 0).log.substr(0, 13),
            "invalid_host ");
}

TEST(Request, ExtendedConnectComesThrough) {
  Pairs fields = get("/chat");
  fields[0].second = "CONNECT";
  fields.insert(fields.begin() + 1, {":protocol", "websocket"});
  EXPECT_EQ(tell(fields, 0).log,
            "CONNECT https example.com:0 /chat protocol=websocket Host=example.com");
}

TEST(Request, MalformedOnesAreResetAndNotServed) {
  const auto without = [](std::string_view name) {
    Pairs fields = get();
    std::erase_if(fields, [&](const auto& field) { return field.first == name; });
    return fields;
  };
  const auto with = [](Pairs more) { return get("/", more); };
  const std::vector<std::pair<std::string, Pairs>> cases = {
      {"method_missing", without(":method")},
      {"scheme_missing", without(":scheme")},
      {"path_missing", without(":path")},
      {"path_missing", get("")},
      {"pseudo_header_late", with({{"a", "b"}, {":authority", "x"}})},
      {"pseudo_header_twice", with({{":path", "/"}})},
      {"pseudo_header_unknown", with({{":status", "200"}})},
      {"pseudo_header_value", get("/\r\n")},
      {"pseudo_header_value", get(" /")},
      {"field_name", with({{"X-Upper", "a"}})},
      {"field_name", with({{"", "a"}})},
      {"field_name", with({{"a b", "a"}})},
      {"field_name", with({{"a\nb", "a"}})},
      {"field_value", with({{"a", "b\r\nc: d"}})},
      {"field_value", with({{"a", std::string("b\0c", 3)}})},
      {"field_value", with({{"a", " b"}})},
      {"field_value", with({{"a", "b\t"}})},
      {"connection_field", with({{"connection", "close"}})},
      {"connection_field", with({{"keep-alive", "1"}})},
      {"connection_field", with({{"proxy-connection", "close"}})},
      {"connection_field", with({{"transfer-encoding", "chunked"}})},
      {"connection_field", with({{"upgrade", "h2c"}})},
      {"te", with({{"te", "gzip"}})},
      {"content_length", with({{"content-length", "1"}})},
      {"protocol_without_connect",
       {{":method", "GET"},
        {":protocol", "websocket"},
        {":scheme", "https"},
        {":authority", "a"},
        {":path", "/"}}},
      {"connect_with_path", {{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}}},
      {"authority_missing", {{":method", "CONNECT"}}},
  };
  for (const auto& [rule, fields] : cases) {
    const Told told = tell(fields);
    EXPECT_EQ(told.malformed, rule);
    EXPECT_EQ(told.heard, "RST_STREAM 1 1\n") << rule;
    EXPECT_EQ(told.log, "") << rule;
  }
}

TEST(Request, RefusedOnesAreAnswered) {
  const std::string long_text(9000, 'x');
  Pairs many;
  for (int i = 0; i < 101; ++i) many.emplace_back("a", "b");
  Pairs crumbs;
  for (int i = 0; i < 101; ++i) crumbs.emplace_back("cookie", "b");
  Pairs large;
  for (int i = 0; i < 5; ++i) large.emplace_back("a", std::string(7000, 'x'));
  Pairs no_host = get();
  no_host.erase(no_host.begin() + 2);
  Pairs bad_method = get();
  bad_method[0].second = "get";
  Pairs bad_scheme = get();
  bad_scheme[1].second = "ftp";
  const auto host = [](std::string_view authority) {
    Pairs fields = get();
    fields[2].second = authority;
    return fields;
  };
  const std::vector<std::tuple<std::string, int, Pairs>> cases = {
      {"uri_too_long", 414, get("/" + long_text)},
      {"line_too_long", 431, get("/", {{"a", long_text}})},
      {"too_many_fields", 431, get("/", many)},
      {"too_many_fields", 431, get("/", crumbs)},
      {"head_too_large", 431, get("/", large)},
      {"missing_host", 400, no_host},
      {"invalid_method", 400, bad_method},
      {"invalid_target", 400, bad_scheme},
      {"invalid_target", 400, get("x")},
      {"invalid_target", 400, get("*")},
      {"invalid_target", 400, get("/a b")},
      {"invalid_host", 400, host("")},
      {"invalid_host", 400, host("user@example.com")},
      {"invalid_host", 400, host("a..b")},
      {"host_mismatch", 400, get("/", {{"host", "other.com"}})},
      {"host_mismatch", 400, get("/", {{"host", "example.com:444"}})},
      {"duplicate_host", 400, get("/", {{"host", "example.com"}, {"host", "example.com"}})},
      {"framing_alias", 400, get("/", {{"content_length", "1"}})},
      {"invalid_content_length", 400, post({{"content-length", "1, 1"}})},
      {"duplicate_content_length", 400, post({{"content-length", "0"}, {"content-length", "0"}})},
  };
  for (const auto& [name, status, fields] : cases) {
    std::string all = block(fields);
    ServerWorld world(describe);
    world.begin();
    const std::size_t first = std::min<std::size_t>(all.size(), 16384);
    std::string frames = frame(FrameType::headers, all.size() > first ? kEnd : kEnd | kEndHeaders,
                               1, all.substr(0, first));
    for (std::size_t at = first; at < all.size(); at += 16384) {
      frames += frame(FrameType::continuation, at + 16384 >= all.size() ? kEndHeaders : 0, 1,
                      all.substr(at, 16384));
    }
    world.say(frames);
    EXPECT_TRUE(world.log.starts_with(name + " ")) << world.log.substr(0, 100);
    EXPECT_EQ(world.heard(),
              "HEADERS 1 END :status=" + std::to_string(status) + " content-length=0\n")
        << name;
    // The connection lives on.
    world.say(headers(3, get()));
    EXPECT_NE(world.heard().find("HEADERS 3 END :status=200"), std::string::npos) << name;
  }
}

TEST(Request, HostMayEqualTheAuthority) {
  EXPECT_EQ(tell(get("/", {{"host", "EXAMPLE.com:443"}})).log,
            "GET https example.com:0 / Host=EXAMPLE.com:443");
}

TEST(Request, AHeadThatIsHugeOnceItIsDecodedEndsTheConnection) {
  // HPACK: one entry of 4,000 bytes in the dynamic table, then named by one byte each.
  ServerWorld world(describe);
  world.begin();
  std::string bomb = block(get());
  bomb += std::string("\x40\x01", 2) + "a" + "\x7f" + std::string("\xa1\x1e", 2) +
          std::string(4000, 'x');
  bomb += std::string(100, '\xbe');
  world.say(frame(FrameType::headers, kEnd | kEndHeaders, 1, bomb));
  EXPECT_EQ(world.heard(), "GOAWAY 1 11\n");
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::flood);
  EXPECT_EQ(world.end->reason, "header_bomb");
  EXPECT_EQ(world.count(Counter::limit_h2_decoded), 1U);
  EXPECT_EQ(world.served, 0);
}

TEST(Request, ASmallerBombIsRefusedAndCostsItsLimit) {
  ServerWorld world(describe);
  world.begin();
  std::string bomb = block(get());
  bomb += std::string("\x40\x01", 2) + "a" + "\x7f" + std::string("\xa1\x1e", 2) +
          std::string(4000, 'x');
  bomb += std::string(30, '\xbe');
  world.say(frame(FrameType::headers, kEnd | kEndHeaders, 1, bomb));
  EXPECT_EQ(world.heard(), "HEADERS 1 END :status=431 content-length=0\n");
}

TEST(Request, MalformedOnesAddUp) {
  ServerWorld world;
  world.begin();
  for (int i = 0; i < 200 && !world.end; ++i) world.say(headers(1 + 2 * i, get("/", {{"A", "b"}})));
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->reason, "rapid_reset");
  EXPECT_EQ(world.served, 0);
}

}  // namespace
}  // namespace http::h2
