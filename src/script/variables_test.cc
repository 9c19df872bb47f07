#include "script/variables.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <set>

#include "script/value.h"

namespace script {
namespace {

using namespace std::chrono_literals;
using http::FieldName;

class HttpVariables : public testing::Test {
 protected:
  HttpVariables() {
    setenv("TZ", "UTC", 1);
    tzset();
    client.number = 7;
    client.requests = 3;
    client.peer = *base::Address::from_ip("192.0.2.10", 40000);
    client.local = *base::Address::from_ip("198.51.100.1", 443);
    client.tls = true;
  }

  exchange::Exchange& ex() {
    if (!exchange_) {
      exchange_.emplace(client, arena);
      auto& made = *exchange_;
      made.request.method = http::Method::get;
      made.request.method_text = "GET";
      made.request.target = "/a%20b?x=1&y=";
      made.request.raw_path = "/a%20b";
      made.request.query = "x=1&y=";
      made.request.has_query = true;
      made.request.host = "a.test";
      made.uri = "/a b";
      made.args = "x=1&y=";
      made.server_name = "first.test";
      made.now = base::TimePoint(100s);
      made.now_wall = base::WallTime(1795426468s + 42ms);
      made.started = made.now - 1042ms;
    }
    return *exchange_;
  }
  void request_field(std::string_view name, std::string_view value) {
    ASSERT_TRUE(ex().request.fields.add(name, value));
  }
  void response_field(std::string_view name, std::string_view value) {
    ASSERT_TRUE(ex().response.fields.add(name, value));
  }
  void upstream_field(std::string_view name, std::string_view value) {
    ASSERT_TRUE(ex().upstream_response.fields.add(name, value));
  }

  /// "(none)" where the variable has no value.
  std::string get(std::string name) {
    ex();
    Variables variables;
    config::Diagnostics diagnostics;
    const config::Word word{"$" + name, {}, false};
    const Value value = Value::compile(word, variables, diagnostics);
    variables.finish(diagnostics);
    EXPECT_FALSE(diagnostics.has_errors()) << name;
    if (diagnostics.has_errors()) return "(error)";
    Subject subject(ex());
    const auto text = value.pieces().front().evaluate(subject);
    return text ? std::string(*text) : "(none)";
  }

  base::Arena arena;
  exchange::Connection client;
  std::optional<exchange::Exchange> exchange_;
};

TEST_F(HttpVariables, OfTheConnection) {
  EXPECT_EQ(get("remote_addr"), "192.0.2.10");
  EXPECT_EQ(get("remote_port"), "40000");
  EXPECT_EQ(get("binary_remote_addr"), "\xc0" + std::string("\0\x02\x0a", 3));
  EXPECT_EQ(get("server_addr"), "198.51.100.1");
  EXPECT_EQ(get("server_port"), "443");
  EXPECT_EQ(get("connection"), "7");
  EXPECT_EQ(get("connection_requests"), "3");
  EXPECT_EQ(get("connection_time"), "100.000");
  EXPECT_EQ(get("scheme"), "https");
  EXPECT_EQ(get("https"), "on");
  EXPECT_EQ(get("pipe"), ".");
}

TEST_F(HttpVariables, OfAConnectionThatRealipMoved) {
  ex().remote = *base::Address::from_ip("2001:db8::1", 0);
  EXPECT_EQ(get("remote_addr"), "2001:db8::1");
  EXPECT_EQ(get("binary_remote_addr").size(), 16U);
  EXPECT_EQ(get("realip_remote_addr"), "192.0.2.10");
  EXPECT_EQ(get("realip_remote_port"), "40000");
}

TEST_F(HttpVariables, OfAUnixConnectionInTheClear) {
  client.peer = *base::Address::from_path("/tmp/client");
  client.local = *base::Address::from_path("/run/x.sock");
  client.tls = false;
  EXPECT_EQ(get("remote_addr"), "unix:");
  EXPECT_EQ(get("remote_port"), "");
  EXPECT_EQ(get("server_addr"), "unix:/run/x.sock");
  EXPECT_EQ(get("server_port"), "");
  EXPECT_EQ(get("scheme"), "http");
  EXPECT_EQ(get("https"), "");
}

TEST_F(HttpVariables, OfTheRequestLine) {
  EXPECT_EQ(get("request"), "GET /a%20b?x=1&y= HTTP/1.1");
  EXPECT_EQ(get("request_method"), "GET");
  EXPECT_EQ(get("request_uri"), "/a%20b?x=1&y=");
  EXPECT_EQ(get("uri"), "/a b");
  EXPECT_EQ(get("document_uri"), "/a b");
  EXPECT_EQ(get("args"), "x=1&y=");
  EXPECT_EQ(get("query_string"), "x=1&y=");
  EXPECT_EQ(get("is_args"), "?");
  EXPECT_EQ(get("server_protocol"), "HTTP/1.1");
  EXPECT_EQ(get("host"), "a.test");
  EXPECT_EQ(get("server_name"), "first.test");
  ex().request.host = {};
  EXPECT_EQ(get("host"), "first.test");
}

TEST_F(HttpVariables, LeaveTheAuthorityOfAnAbsoluteFormOut) {
  ex().request.form = http::TargetForm::absolute;
  ex().request.target = "http://a.test/p?q";
  ex().request.raw_path = "/p";
  ex().request.query = "q";
  EXPECT_EQ(get("request_uri"), "/p?q");
  EXPECT_EQ(get("request"), "GET http://a.test/p?q HTTP/1.1");
  ex().request.has_query = false;
  EXPECT_EQ(get("request_uri"), "/p");
}

TEST_F(HttpVariables, HaveNoValueWithoutARequestLine) {
  ex().request.method_text = {};
  for (const auto* name : {"request", "request_method", "request_uri", "server_protocol"}) {
    EXPECT_EQ(get(name), "(none)") << name;
  }
}

TEST_F(HttpVariables, OfTheQuery) {
  ex().args = "a=1&Ab=2&b&ab=3&=4&c==";
  EXPECT_EQ(get("arg_a"), "1");
  EXPECT_EQ(get("arg_ab"), "2");
  EXPECT_EQ(get("arg_AB"), "2");
  EXPECT_EQ(get("arg_b"), "(none)");
  EXPECT_EQ(get("arg_c"), "=");
  EXPECT_EQ(get("arg_d"), "(none)");
  ex().args = {};
  EXPECT_EQ(get("is_args"), "");
  EXPECT_EQ(get("args"), "(none)");
  ex().request.has_query = false;
  EXPECT_EQ(get("args"), "(none)");
}

TEST_F(HttpVariables, OfHeadersJoinRepeatedOnes) {
  request_field("User-Agent", "curl");
  request_field("X-My-Header", "1");
  request_field("x-my-header", "2");
  request_field("X_MY_HEADER", "3");
  request_field("Cookie", "a=1");
  request_field("Cookie", "b=2");
  request_field("X-Forwarded-For", "203.0.113.5");
  EXPECT_EQ(get("http_user_agent"), "curl");
  EXPECT_EQ(get("http_x_my_header"), "1, 2, 3");
  EXPECT_EQ(get("http_cookie"), "a=1; b=2");
  EXPECT_EQ(get("http_x_forwarded_for"), "203.0.113.5");
  EXPECT_EQ(get("http_x_other"), "(none)");
  EXPECT_EQ(get("http_referer"), "(none)");
}

TEST_F(HttpVariables, NeverTakeAnAliasForAKnownHeader) {
  request_field("X_Forwarded_For", "203.0.113.5");
  EXPECT_EQ(get("http_x_forwarded_for"), "(none)");
}

TEST_F(HttpVariables, OfCookies) {
  request_field("Cookie", "a=1; ab=2;  B = 3 ; c; d=x,y; =5");
  request_field("Cookie", "e=6, f=7");
  EXPECT_EQ(get("cookie_a"), "1");
  EXPECT_EQ(get("cookie_ab"), "2");
  EXPECT_EQ(get("cookie_b"), "3 ");
  EXPECT_EQ(get("cookie_c"), "(none)");
  EXPECT_EQ(get("cookie_d"), "x,y");
  EXPECT_EQ(get("cookie_e"), "6, f=7");
  EXPECT_EQ(get("cookie_f"), "7");
  EXPECT_EQ(get("cookie_y"), "(none)");
}

TEST_F(HttpVariables, OfBasicAuthentication) {
  EXPECT_EQ(get("remote_user"), "(none)");
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"Basic YW5uOnBhc3M6d29yZA==", "ann"}, {"basic  YW5uOg", "ann"},     {"Basic YW5u", "(none)"},
      {"Basic OnBhc3M=", "(none)"},          {"Basic YW5u!zo=", "(none)"}, {"Basic ", "(none)"},
      {"Bearer YW5uOnBhc3M=", "(none)"},
  };
  for (const auto& [credentials, user] : cases) {
    ASSERT_TRUE(ex().request.fields.set("Authorization", credentials));
    EXPECT_EQ(get("remote_user"), user) << credentials;
  }
}

TEST_F(HttpVariables, OfBasicAuthenticationToAProxy) {
  ex().request.form = http::TargetForm::authority;
  ASSERT_TRUE(ex().request.fields.set("Authorization", "Basic YW5uOnBhc3M6d29yZA=="));
  EXPECT_EQ(get("remote_user"), "(none)") << "of another, whom the target knows";
  ASSERT_TRUE(ex().request.fields.set("Proxy-Authorization", "Basic YW5uOnBhc3M6d29yZA=="));
  EXPECT_EQ(get("remote_user"), "ann");
}

TEST_F(HttpVariables, OfTheBody) {
  EXPECT_EQ(get("content_length"), "(none)");
  EXPECT_EQ(get("content_type"), "(none)");
  ex().request.body = {http::BodyFraming::Kind::length, 12};
  EXPECT_EQ(get("content_length"), "12");
  request_field("Content-Length", "012");
  request_field("Content-Type", "text/plain");
  EXPECT_EQ(get("content_length"), "012");
  EXPECT_EQ(get("content_type"), "text/plain");
}

TEST_F(HttpVariables, OfTime) {
  EXPECT_EQ(get("request_time"), "1.042");
  EXPECT_EQ(get("msec"), "1795426468.042");
  EXPECT_EQ(get("time_local"), "23/Nov/2026:09:34:28 +0000");
  EXPECT_EQ(get("time_iso8601"), "2026-11-23T09:34:28+00:00");
  ex().started = ex().now + 1s;
  EXPECT_EQ(get("request_time"), "0.000");
}

TEST_F(HttpVariables, OfTheProgram) {
  EXPECT_EQ(get("nginx_version"), "1.31.5");
  EXPECT_EQ(get("pid"), std::to_string(getpid()));
  EXPECT_NE(get("hostname"), "");
}

TEST_F(HttpVariables, KeepARequestId) {
  const std::string id = get("request_id");
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(get("request_id"), id);
}

TEST_F(HttpVariables, OfTheResponse) {
  EXPECT_EQ(get("status"), "000");
  EXPECT_EQ(get("sent_http_connection"), "(none)");
  EXPECT_EQ(get("request_completion"), "");
  ex().response.status = 404;
  ex().response.keep_alive = true;
  ex().response.body = {http::BodyFraming::Kind::length, 5};
  ex().bytes_sent = 150;
  ex().body_bytes_sent = 5;
  ex().request_length = 88;
  ex().completed = true;
  response_field("Link", "<a>");
  response_field("link", "<b>");
  EXPECT_EQ(get("status"), "404");
  EXPECT_EQ(get("bytes_sent"), "150");
  EXPECT_EQ(get("body_bytes_sent"), "5");
  EXPECT_EQ(get("request_length"), "88");
  EXPECT_EQ(get("request_completion"), "OK");
  EXPECT_EQ(get("sent_http_link"), "<a>, <b>");
  EXPECT_EQ(get("sent_http_content_length"), "5");
  EXPECT_EQ(get("sent_http_transfer_encoding"), "(none)");
  EXPECT_EQ(get("sent_http_connection"), "keep-alive");
  ex().response.body = {http::BodyFraming::Kind::chunked, 0};
  EXPECT_EQ(get("sent_http_transfer_encoding"), "chunked");
  ASSERT_TRUE(ex().response_trailers.add("X-Sum", "1"));
  EXPECT_EQ(get("sent_trailer_x_sum"), "1");
}

TEST_F(HttpVariables, OfAttemptsAreLists) {
  EXPECT_EQ(get("upstream_addr"), "(none)");
  EXPECT_EQ(get("upstream_status"), "(none)");
  ex().add_attempt() = {.endpoint = "10.0.0.1:80", .status = 502, .response_time = 7ms};
  ex().add_attempt() = {.endpoint = "unix:/b",
                        .connect_time = 1ms,
                        .bytes_received = 100,
                        .bytes_sent = 50,
                        .response_length = 20};
  ex().add_attempt() = {};
  ex().add_attempt() = {.endpoint = "10.0.0.3:80",
                        .status = 200,
                        .connect_time = 2ms,
                        .header_time = 3ms,
                        .response_time = 1234ms};
  ex().attempt_count = 1;
  EXPECT_EQ(get("upstream_addr"), "10.0.0.1:80");
  ex().attempt_count = 4;
  EXPECT_EQ(get("upstream_addr"), "10.0.0.1:80, unix:/b : 10.0.0.3:80");
  EXPECT_EQ(get("upstream_status"), "502, - : 200");
  EXPECT_EQ(get("upstream_connect_time"), "-, 0.001 : 0.002");
  EXPECT_EQ(get("upstream_header_time"), "-, - : 0.003");
  EXPECT_EQ(get("upstream_response_time"), "0.007, - : 1.234");
  EXPECT_EQ(get("upstream_bytes_received"), "0, 100 : 0");
  EXPECT_EQ(get("upstream_bytes_sent"), "0, 50 : 0");
  EXPECT_EQ(get("upstream_response_length"), "0, 20 : 0");
}

TEST_F(HttpVariables, OfAttemptsHoldAsManyAsThereCanBe) {
  while (ex().attempt_count < exchange::Exchange::kMaxAttempts) {
    ex().add_attempt() = {.endpoint = "a"};
  }
  EXPECT_EQ(get("upstream_addr").size(), exchange::Exchange::kMaxAttempts * 3 - 2);
}

TEST_F(HttpVariables, OfTheBackendsResponse) {
  upstream_field("Set-Cookie", "id = abc; Path=/");
  upstream_field("Set-Cookie", "b=2");
  upstream_field("Server", "x");
  ASSERT_TRUE(ex().upstream_trailers.add("X-Sum", "2"));
  EXPECT_EQ(get("upstream_http_server"), "x");
  EXPECT_EQ(get("upstream_http_set_cookie"), "id = abc; Path=/, b=2");
  EXPECT_EQ(get("upstream_cookie_ID"), "abc");
  EXPECT_EQ(get("upstream_cookie_b"), "2");
  EXPECT_EQ(get("upstream_cookie_path"), "(none)");
  EXPECT_EQ(get("upstream_trailer_x_sum"), "2");
}

TEST_F(HttpVariables, OfForwarding) {
  EXPECT_EQ(get("proxy_host"), "(none)");
  EXPECT_EQ(get("proxy_port"), "(none)");
  ex().proxy_host = "backend:8080";
  ex().proxy_port = 8080;
  EXPECT_EQ(get("proxy_host"), "backend:8080");
  EXPECT_EQ(get("proxy_port"), "8080");
  EXPECT_EQ(get("proxy_add_via"), "1.1 sallyport");
  request_field("Via", "1.0 fred");
  EXPECT_EQ(get("proxy_add_via"), "1.0 fred, 1.1 sallyport");
}

TEST_F(HttpVariables, BelieveXForwardedForOfTrustedPeersOnly) {
  EXPECT_EQ(get("proxy_add_x_forwarded_for"), "192.0.2.10");
  request_field("X-Forwarded-For", "203.0.113.5");
  request_field("X-Forwarded-For", "203.0.113.6");
  EXPECT_EQ(get("proxy_add_x_forwarded_for"), "192.0.2.10");
  ex().trusted_peer = true;
  EXPECT_EQ(get("proxy_add_x_forwarded_for"), "203.0.113.5, 203.0.113.6, 192.0.2.10");
}

TEST_F(HttpVariables, OfTheProxyProtocol) {
  EXPECT_EQ(get("proxy_protocol_addr"), "(none)");
  EXPECT_EQ(get("proxy_protocol_tlv_alpn"), "(none)");
  client.proxy_protocol = std::make_unique<exchange::Connection::ProxyProtocol>();
  auto& header = *client.proxy_protocol;
  header.source = *base::Address::from_ip("203.0.113.9", 1234);
  header.destination = *base::Address::from_ip("203.0.113.1", 443);
  using namespace std::string_literals;
  header.tlvs = "\x01\x00\x02h2"s + "\xea\x00\x03xyz"s +
                "\x20\x00\x0c\x07\x00\x00\x01\x02\x22\x00\x04name"s + "\x02\x00\x09"s + "cut";
  EXPECT_EQ(get("proxy_protocol_addr"), "203.0.113.9");
  EXPECT_EQ(get("proxy_protocol_port"), "1234");
  EXPECT_EQ(get("proxy_protocol_server_addr"), "203.0.113.1");
  EXPECT_EQ(get("proxy_protocol_server_port"), "443");
  EXPECT_EQ(get("proxy_protocol_tlv_alpn"), "h2");
  EXPECT_EQ(get("proxy_protocol_tlv_0x01"), "h2");
  EXPECT_EQ(get("proxy_protocol_tlv_0xEA"), "xyz");
  EXPECT_EQ(get("proxy_protocol_tlv_ssl_verify"), "258");
  EXPECT_EQ(get("proxy_protocol_tlv_ssl_cn"), "name");
  EXPECT_EQ(get("proxy_protocol_tlv_ssl_version"), "(none)");
  EXPECT_EQ(get("proxy_protocol_tlv_authority"), "(none)");
  EXPECT_EQ(get("proxy_protocol_tlv_0x100"), "(none)");
  EXPECT_EQ(get("proxy_protocol_tlv_nonsense"), "(none)");
}

TEST_F(HttpVariables, KnowWhichCarryCredentials) {
  Variables variables;
  config::Diagnostics diagnostics;
  for (const auto* name :
       {"http_cookie", "http_authorization", "http_proxy_authorization", "cookie_a", "remote_user",
        "sent_http_set_cookie", "upstream_http_set_cookie", "upstream_cookie_a",
        "sent_trailer_set_cookie", "upstream_trailer_set_cookie", "HTTP_Authorization"}) {
    EXPECT_TRUE(variables.use(name, {}, diagnostics)->secret) << name;
  }
  for (const auto* name : {"http_host", "request", "arg_cookie", "sent_http_location"}) {
    EXPECT_FALSE(variables.use(name, {}, diagnostics)->secret) << name;
  }
}

TEST_F(HttpVariables, HaveNoValueWithoutAnExchange) {
  base::Captures captures;
  Subject subject(arena, captures, {}, {}, {});
  for (const VariableTable table : builtin_variables()) {
    for (const VariableSpec& spec : table) {
      const auto value = spec.get(subject, Suffix{"x", 0});
      const bool general = table.data() == builtin_variables().front().data();
      EXPECT_EQ(value.has_value(), general) << spec.name;
    }
  }
}

TEST(BuiltinVariables, AreDocumentedAndListedOnce) {
  std::set<std::string_view> names;
  for (const VariableTable table : builtin_variables()) {
    for (const VariableSpec& spec : table) {
      EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
      EXPECT_FALSE(spec.documentation.empty()) << spec.name;
    }
  }
  for (const UnsupportedVariable& later : unsupported_variables()) {
    EXPECT_FALSE(names.contains(later.name)) << later.name;
  }
}

TEST_F(HttpVariables, OfTimeInWords) {
  EXPECT_EQ(get("date_gmt"), "Monday, 23-Nov-2026 09:34:28 GMT");
  EXPECT_EQ(get("date_local"), "Monday, 23-Nov-2026 09:34:28 UTC");
}

TEST_F(HttpVariables, OfThePortInTheRequestsHost) {
  EXPECT_EQ(get("is_request_port"), "");
  EXPECT_EQ(get("request_port"), "");
  ex().request.port = 8443;
  EXPECT_EQ(get("is_request_port"), ":");
  EXPECT_EQ(get("request_port"), "8443");
}

TEST(BuiltinVariables, RefuseThoseOfLaterPartsByName) {
  Variables variables;
  config::Diagnostics diagnostics;
  EXPECT_FALSE(variables.use("ssl_client_s_dn", {}, diagnostics));
  ASSERT_EQ(diagnostics.list().size(), 1U);
  EXPECT_EQ(diagnostics.list()[0].message, "the \"ssl_client_s_dn\" variable is not supported yet");
  EXPECT_EQ(diagnostics.list()[0].hint, "it comes with the part \"certificates\"");
}

}  // namespace
}  // namespace script
