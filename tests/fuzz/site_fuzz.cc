// needs: snapshot_testing
// A small configuration made from the bytes, loaded as every other, and requests of any bytes sent
// to it, with backends that answer any bytes. What it says must load or be refused with a reason;
// an answer is HTTP, and everything ends when the clients have gone and time has passed.
#include <fmt/format.h>
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "config/memory_files.h"
#include "snapshot/snapshot.h"
#include "snapshot/testing/proxy_world.h"

namespace {

using Bytes = FuzzedDataProvider;
using snapshot::testing::Peer;
using snapshot::testing::ProxyWorld;

// "%" takes an argument: a value of the kinds that directives like, or any text.
constexpr std::array kAnywhere = {
    "add_header X-A % always;",
    "add_header % %;",
    "add_trailer X-T %;",
    "set $a %;",
    "set $args %;",
    "rewrite % % last;",
    "rewrite % % break;",
    "rewrite % %;",
    "rewrite % % permanent;",
    "return 200 %;",
    "return 301 %;",
    "return 404;",
    "return 444;",
    "return %;",
    "error_page 404 500 502 /e%;",
    "error_page 403 404 413 = @named;",
    "error_page 502 =200 %;",
    "break;",
    "root /prefix/%;",
    "index % /index.html;",
    "client_max_body_size %;",
    "client_body_buffer_size %;",
    "limit_rate %;",
    "expires %;",
    "etag off;",
    "default_type %;",
    "allow %;",
    "deny %;",
    "deny all;",
    "satisfy any;",
    "limit_req zone=r burst=%;",
    "limit_conn c 1;",
    "set_real_ip_from %;",
    "real_ip_header %;",
    "proxy_set_header X-B %;",
    "proxy_set_header % %;",
    "proxy_hide_header %;",
    "proxy_redirect % %;",
    "proxy_cookie_path % %;",
    "proxy_cookie_flags % secure;",
    "proxy_intercept_errors on;",
    "recursive_error_pages on;",
    "proxy_request_buffering off;",
    "proxy_buffer_size %;",
    "proxy_next_upstream http_% http_500;",
    "proxy_next_upstream_tries 2;",
    "proxy_pass_request_headers off;",
    "proxy_set_body %;",
    "keepalive_timeout %;",
    "large_client_header_buffers 2 %;",
    "underscores_in_headers on;",
    "merge_slashes off;",
    "encoded_slash decode;",
    "encoded_slash refuse;",
    "server_tokens on;",
    "valid_referers none blocked %;",
    "if_modified_since before;",
    "max_ranges %;",
    "proxy_http_version 1.0;",
    "proxy_ignore_headers X-Accel-Redirect;",
    "proxy_read_timeout %;",
    "absolute_redirect off;",
    "chunked_transfer_encoding off;",
    "internal;",
    "%;",
};
constexpr std::array kOfLocation = {
    "proxy_pass http://10.0.0.1;",
    "proxy_pass http://10.0.0.1/%;",
    "proxy_pass http://group;",
    "proxy_pass http://$a$uri;",
    "proxy_pass http://10.0.0.%;",
    "try_files $uri % @named;",
    "try_files % =404;",
    "alias /prefix/%;",
    "status_page json;",
    "limit_except GET { deny all; }",
    "proxy_method %;",
};
constexpr std::array kValues = {
    "$1",
    "$uri",
    "$args",
    "$a",
    "$m",
    "$http_x",
    "$request_uri",
    "/",
    "a",
    "/a/b",
    "^/(.*)$",
    "(a|b)+",
    "~^/a",
    "0",
    "1",
    "10",
    "1k",
    "1m",
    "200",
    "127.0.0.1",
    "10.0.0.0/8",
    "off",
    "on",
    "?x=1",
    "http://b",
    "$host",
    "$arg_x",
    "\\",
    "..",
    "%20",
    "$remote_addr",
    "text/html",
    "$upstream_http_x",
    "$sent_http_x",
    "(?<n>.)",
    "$n",
    "$request_body",
    "30s",
    "-1",
};
constexpr std::array kTests = {
    "$a",
    "$uri ~ %",
    "$args = %",
    "$http_x !~* %",
    "-f %",
    "$invalid_referer",
    "$request_method = POST",
    "$m != %",
    "!-e $request_filename",
    "%",
};
constexpr std::array kPlaces = {"/", "/a", "= /b", "^~ /c", "~ %", "~* %", "@named", "/e", "%"};

std::string quoted(std::string_view text) {
  std::string made = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') made += '\\';
    made += c;
  }
  return made + "\"";
}

std::string filled(Bytes& bytes, std::string_view form) {
  std::string made;
  for (const char c : form) {
    if (c != '%') {
      made += c;
      continue;
    }
    std::string value;
    for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(1, 3); i > 0; --i) {
      value += bytes.PickValueInArray(kValues);
    }
    if (bytes.ConsumeIntegralInRange<unsigned>(0, 15) == 0) {
      value += bytes.ConsumeRandomLengthString(20);
      std::ranges::replace(value, '\n', ' ');  // each directive stays on its line
    }
    // A part of a word can't be quoted.
    const bool alone = made.empty() || made.back() == ' ';
    made += alone ? quoted(value) : value;
  }
  return made;
}

std::string statements(Bytes& bytes, bool in_location, unsigned depth);

std::string statement(Bytes& bytes, bool in_location, unsigned depth) {
  const unsigned kind = bytes.ConsumeIntegralInRange<unsigned>(0, 15);
  if (kind == 0 && depth < 2) {
    return "if (" + filled(bytes, bytes.PickValueInArray(kTests)) + ") {\n" +
           statements(bytes, in_location, 2) + "}\n";
  }
  if (kind < 4 && in_location) return filled(bytes, bytes.PickValueInArray(kOfLocation)) + "\n";
  return filled(bytes, bytes.PickValueInArray(kAnywhere)) + "\n";
}

std::string statements(Bytes& bytes, bool in_location, unsigned depth) {
  std::string text;
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(0, 4); i > 0; --i) {
    text += statement(bytes, in_location, depth);
  }
  return text;
}

std::string configuration(Bytes& bytes) {
  std::string text =
      "http {\nproxy_ssl_verify off;\nlimit_req_zone $uri zone=r:1m rate=1r/s;\nlimit_conn_zone "
      "$uri zone=c:1m;\n"
      "map $http_x $m {\n";
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(0, 3); i > 0; --i) {
    text += filled(bytes, "% %;\n");
  }
  text +=
      "}\nlog_format f '$uri|$args|$a|$m|$status|$upstream_status|$upstream_http_x';\n"
      "access_log /prefix/a.log f;\n"
      "upstream group { server 10.0.0.1; server 10.0.0.2 backup; }\n";
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(1, 2); i > 0; --i) {
    text += "server {\nlisten 127.0.0.1:8000;\n" + (i == 1 ? std::string("server_name a;\n") : "") +
            "set $a a;\n" + statements(bytes, false, 0);
    for (unsigned j = bytes.ConsumeIntegralInRange<unsigned>(0, 4); j > 0; --j) {
      text += "location " + filled(bytes, bytes.PickValueInArray(kPlaces)) + " {\n" +
              statements(bytes, true, 0) + "}\n";
    }
    text += "}\n";
  }
  return text + "}\n";
}

// The text without the lines that are refused: most have a wrong argument. Nothing: it is hopeless.
std::optional<std::string> sound(std::string text) {
  for (unsigned round = 0; round < 5; ++round) {
    config::MemoryFiles files;
    files.add("/etc/sallyport.conf", text);
    config::Diagnostics diagnostics;
    const auto built = snapshot::load({.file = "/etc/sallyport.conf",
                                       .prefix = "/prefix",
                                       .global_directives = {},
                                       .error_log = "/prefix/error.log",
                                       .temporary_directory = "/tmp"},
                                      files, diagnostics);
    CHECK((built == nullptr) == diagnostics.has_errors());
    static_cast<void>(diagnostics.render());
    if (built != nullptr) return text;
    std::vector<std::string> lines;
    for (std::string_view rest = text; !rest.empty();) {
      lines.emplace_back(base::split_first(rest, '\n'));
    }
    for (const config::Diagnostic& found : diagnostics.list()) {
      if (found.line == 0 || found.line > lines.size()) continue;
      std::string& line = lines[found.line - 1];
      if (!line.ends_with('{')) {
        line.clear();
      } else if (line.starts_with("location")) {
        line = fmt::format("location /{} {{", found.line);
      } else if (line.starts_with("if")) {
        line = "if ($a) {";
      }
    }
    text.clear();
    for (const std::string& line : lines) text.append(line).append("\n");
  }
  return std::nullopt;
}

std::string request(Bytes& bytes) {
  constexpr std::array kMethods = {"GET", "POST", "HEAD", "OPTIONS", "PUT"};
  constexpr std::array kPaths = {"/",  "/a",       "/b",       "/c", "/a/b?x=1",
                                 "/e", "/%2e%2e/", "/%41+%2F", "*",  "//a"};
  constexpr std::array kFields = {
      "X: a\r\n",
      "X: /a/b\r\n",
      "Referer: http://a/\r\n",
      "Range: bytes=0-1\r\n",
      "Expect: 100-continue\r\n",
      "Upgrade: websocket\r\nConnection: upgrade\r\n",
      "X-Forwarded-For: 1.2.3.4\r\n",
      "Content-Length: 3\r\n",
      "Transfer-Encoding: chunked\r\n",
      "If-None-Match: *\r\n",
      "Cookie: a=b\r\n",
  };
  std::string made = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\n",
                                 bytes.PickValueInArray(kMethods), bytes.PickValueInArray(kPaths),
                                 bytes.ConsumeBool() ? bytes.ConsumeRandomLengthString(20) : "",
                                 bytes.ConsumeBool() ? "a" : "b");
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(0, 3); i > 0; --i) {
    made += bytes.PickValueInArray(kFields);
  }
  made += "\r\n";
  if (bytes.ConsumeBool()) made += "abc";
  if (bytes.ConsumeBool()) made += "3\r\nabc\r\n0\r\n\r\n";
  return made;
}

std::string response(Bytes& bytes) {
  constexpr std::array kStatus = {"200", "404", "302", "500", "502",
                                  "304", "101", "100", "204", "103"};
  constexpr std::array kFields = {
      "X: b\r\n",
      "Location: http://10.0.0.1/x\r\n",
      "Set-Cookie: a=b; Path=/\r\n",
      "X-Accel-Redirect: /a\r\n",
      "X-Accel-Redirect: @named\r\n",
      "X-Accel-Limit-Rate: 100\r\n",
      "Connection: close\r\n",
      "Transfer-Encoding: chunked\r\n",
      "Content-Type: text/html\r\n",
      "ETag: \"a\"\r\n",
      "Upgrade: websocket\r\n",
  };
  std::string made = fmt::format("HTTP/1.1 {} X\r\n", bytes.PickValueInArray(kStatus));
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(0, 3); i > 0; --i) {
    made += bytes.PickValueInArray(kFields);
  }
  if (bytes.ConsumeBool()) made += "Content-Length: 5\r\n";
  made += "\r\n" + std::string(bytes.ConsumeBool() ? "hello" : "5\r\nhello\r\n0\r\n\r\n");
  if (bytes.ConsumeIntegralInRange<unsigned>(0, 7) == 0)
    made += bytes.ConsumeRandomLengthString(40);
  return made;
}

void converse(Bytes& bytes, ProxyWorld& world) {
  using namespace std::chrono_literals;
  world.connector.connections.clear();
  world.connector.refusing.clear();
  if (bytes.ConsumeBool()) world.connector.refusing.emplace_back("10.0.0.1:80");
  Peer client = world.connect();
  std::size_t closed = 0;  // the newest connection to a backend, when it was closed
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(1, 3); i > 0; --i) {
    client.send(request(bytes));
    for (unsigned attempts = 0; attempts < 3; ++attempts) {
      const std::size_t made = world.connector.connections.size();
      if (made == closed) break;
      Peer& backend = world.backend();
      if (const std::string seen = backend.received(); seen.empty()) break;
      backend.send(response(bytes));
      if (bytes.ConsumeBool()) {
        backend.close();
        closed = made;
      }
    }
    const std::string answer = client.received();
    CHECK(answer.empty() || answer.starts_with("HTTP/1.1 ") || i < 3);
  }
  client.close();
  world.connector.connections.clear();
  for (int hours = 0; hours < 3 && world.connections.running() != 0; ++hours) world.pass(1h);
  CHECK(world.connections.running() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  const auto text = sound(configuration(bytes));
  if (!text) return 0;
  static std::unique_ptr<ProxyWorld> world;
  if (world == nullptr) {
    world = std::make_unique<ProxyWorld>(*text);
  } else {
    world->reload(*text);
  }
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(1, 3); i > 0; --i)
    converse(bytes, *world);
  return 0;
}
