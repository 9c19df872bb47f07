// needs: http_h1
// Response heads from a malicious backend: the same answer whole and byte by byte for each kind of
// request, and whatever is accepted can be written anew and read back.
#include <array>
#include <string>

#include "base/check.h"
#include "http/characters.h"
#include "http/h1/head_writer.h"
#include "http/h1/response_parser.h"

namespace {

using http::ResponseHead;
using http::h1::HeadLimits;
using http::h1::HeadProgress;
using http::h1::ResponseHeadParser;

constexpr HeadLimits kLimits{.max_line = 512, .max_total = 2048, .max_fields = 20};

void check_equal(const ResponseHead& a, const ResponseHead& b) {
  CHECK(a.status == b.status && a.version == b.version && a.reason == b.reason);
  CHECK(a.body == b.body && a.keep_alive == b.keep_alive && a.upgrade == b.upgrade);
  CHECK(a.fields.count() == b.fields.count() && a.fields.bytes() == b.fields.bytes());
  for (std::size_t i = 0; i < a.fields.count(); ++i) {
    const http::Field& left = a.fields.all()[i];
    const http::Field& right = b.fields.all()[i];
    CHECK(left.id == right.id && left.name == right.name && left.value == right.value);
    CHECK(http::is_token(left.name) && http::is_field_value(left.value));
  }
}

void check_round_trip(const ResponseHead& head, http::Method method) {
  std::array<char, 4096> memory{};
  http::h1::HeadWriter writer(memory);
  writer.status_line(head.version, head.status, head.reason);
  writer.fields(head.fields);
  writer.end();
  CHECK(writer.verdict() == http::h1::HeadWriter::Verdict::ok);
  base::Arena arena;
  ResponseHead again(arena);
  ResponseHeadParser parser(method, {.max_line = 1024, .max_total = 4096, .max_fields = 20});
  CHECK(parser.feed(writer.written(), again).done());
  check_equal(head, again);
}

void run(const std::string& whole, http::Method method) {
  base::Arena arena;
  ResponseHead head(arena);
  ResponseHeadParser parser(method, kLimits);
  const HeadProgress progress = parser.feed(whole, head);

  base::Arena sliced_arena;
  ResponseHead sliced_head(sliced_arena);
  ResponseHeadParser sliced_parser(method, kLimits);
  HeadProgress sliced;
  std::string buffer;
  for (std::size_t i = 1; i <= whole.size() && sliced.state == HeadProgress::State::need_more;
       ++i) {
    buffer = whole.substr(0, i);
    buffer.shrink_to_fit();
    sliced = sliced_parser.feed(buffer, sliced_head);
  }
  CHECK(sliced.state == progress.state && sliced.refusal == progress.refusal);
  CHECK(sliced.size == progress.size);
  if (!progress.done()) return;
  CHECK(head.status >= 100 && head.status <= 599);
  CHECK(!head.keep_alive || head.body.kind != http::BodyFraming::Kind::until_close);
  check_equal(head, sliced_head);
  check_round_trip(head, method);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string whole(reinterpret_cast<const char*>(data), size);
  run(whole, http::Method::get);
  run(whole, http::Method::head);
  return 0;
}
