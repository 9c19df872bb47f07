// needs: snapshot_testing
// Whatever a backend says, whole or in pieces, the client gets one unambiguous answer or a
// connection that ends: never a second message, never bytes behind a message that the proxy counts
// as whole.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "http/h1/chunked_decoder.h"
#include "http/h1/response_parser.h"
#include "snapshot/testing/proxy_world.h"

namespace {

using http::BodyFraming;
using snapshot::testing::Peer;
using snapshot::testing::ProxyWorld;

constexpr std::string_view kConfiguration =
    "http { error_log e.log crit; server { listen 127.0.0.1:8000; location / {"
    " proxy_pass http://10.0.0.1:80; proxy_redirect http://a/ /; add_header X-Own 1 always; } } }";

/// Removes the message at the front of `answer`. False: what is there is not whole.
bool take_message(std::string& answer, http::Method method, bool& is_final, bool& keeps_alive) {
  base::Arena arena;
  http::ResponseHead head(arena);
  http::h1::ResponseHeadParser parser(
      method, {.max_line = 1 << 20, .max_total = 1 << 22, .max_fields = 1000});
  const auto progress = parser.feed(answer, head);
  CHECK(!progress.refused());
  if (!progress.done()) return false;
  is_final = !head.is_interim();
  keeps_alive = head.keep_alive;
  std::string_view rest = std::string_view(answer).substr(progress.size);
  switch (head.body.kind) {
    case BodyFraming::Kind::none: break;
    case BodyFraming::Kind::until_close: CHECK(false);  // the client speaks 1.1: always delimited
    case BodyFraming::Kind::length:
      if (rest.size() < head.body.length) return false;
      rest.remove_prefix(head.body.length);
      break;
    case BodyFraming::Kind::chunked: {
      http::h1::ChunkedDecoder decoder;
      http::Fields trailers(arena);
      while (true) {
        const auto step = decoder.decode(rest, trailers);
        CHECK(step.state != http::h1::ChunkedDecoder::State::refused);
        rest.remove_prefix(step.consumed);
        if (step.state == http::h1::ChunkedDecoder::State::need_more) return false;
        if (step.state == http::h1::ChunkedDecoder::State::done) break;
      }
      break;
    }
  }
  answer = std::string(rest);
  return true;
}

void run(std::string_view said, std::size_t slice, http::Method method) {
  ProxyWorld world(kConfiguration);
  world.connector.pipe = {.capacity = 4096, .slice = slice};
  Peer client = world.connect({.capacity = 1 << 20});
  client.send(std::string(text_of(method)) + " /x HTTP/1.1\r\nHost: a\r\n\r\n");
  world.backend().send(said);
  world.backend().close();
  std::string answer = client.received();
  bool is_final = false;
  bool keeps_alive = false;
  while (!is_final) {
    if (!take_message(answer, method, is_final, keeps_alive)) {
      CHECK(client.is_over());
      return;
    }
  }
  CHECK(answer.empty());
  CHECK(client.is_over() != keeps_alive);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view said(reinterpret_cast<const char*>(data), size);
  run(said, 64 * 1024, http::Method::get);
  run(said, 7, http::Method::get);
  run(said, 64 * 1024, http::Method::head);
  return 0;
}
