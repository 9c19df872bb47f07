// needs: http_h1
// Request heads: never a crash, the same answer whole and byte by byte, and whatever is accepted
// can be written anew and read back as the same request.
#include <array>
#include <string>

#include "base/check.h"
#include "http/characters.h"
#include "http/h1/head_writer.h"
#include "http/h1/request_parser.h"

namespace {

using http::RequestHead;
using http::h1::HeadLimits;
using http::h1::HeadProgress;
using http::h1::RequestHeadParser;

constexpr HeadLimits kLimits{.max_line = 512, .max_total = 2048, .max_fields = 20};

void check_equal(const RequestHead& a, const RequestHead& b) {
  CHECK(a.method_text == b.method_text && a.target == b.target && a.version == b.version);
  CHECK(a.host == b.host && a.port == b.port && a.raw_path == b.raw_path && a.query == b.query);
  CHECK(a.body == b.body && a.keep_alive == b.keep_alive && a.upgrade == b.upgrade);
  CHECK(a.expect_continue == b.expect_continue && a.form == b.form);
  CHECK(a.fields.count() == b.fields.count() && a.fields.bytes() == b.fields.bytes());
  for (std::size_t i = 0; i < a.fields.count(); ++i) {
    const http::Field& left = a.fields.all()[i];
    const http::Field& right = b.fields.all()[i];
    CHECK(left.id == right.id && left.name == right.name && left.value == right.value);
  }
}

void check_invariants(const RequestHead& head) {
  CHECK(head.target.empty() == false && http::is_target(head.target));
  CHECK(head.raw_path.starts_with('/') || head.raw_path == "*");
  CHECK(!head.host.empty() || head.version == http::Version::http_1_0);
  CHECK(!(head.fields.has(http::FieldName::content_length) &&
          head.fields.has(http::FieldName::transfer_encoding)));
  CHECK(head.fields.count(http::FieldName::host) <= 1);
  for (const http::Field& field : head.fields) {
    CHECK(http::is_token(field.name) && http::is_field_value(field.value));
    CHECK(field.id == http::intern(field.name));
  }
}

void check_round_trip(const RequestHead& head) {
  std::array<char, 4096> memory{};
  http::h1::HeadWriter writer(memory);
  writer.request_line(head.method_text, head.target, head.version);
  writer.fields(head.fields);
  writer.end();
  CHECK(writer.verdict() == http::h1::HeadWriter::Verdict::ok);
  base::Arena arena;
  RequestHead again(arena);
  // Written with a space after each colon, a head may outgrow the limits that it was read under.
  RequestHeadParser parser({.max_line = 1024, .max_total = 4096, .max_fields = 20});
  const HeadProgress progress = parser.feed(writer.written(), again);
  CHECK(progress.done() && progress.size == writer.written().size());
  check_equal(head, again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string whole(reinterpret_cast<const char*>(data), size);
  base::Arena arena;
  RequestHead head(arena);
  RequestHeadParser parser(kLimits);
  const HeadProgress progress = parser.feed(whole, head);

  base::Arena sliced_arena;
  RequestHead sliced_head(sliced_arena);
  RequestHeadParser sliced_parser(kLimits);
  HeadProgress sliced;
  std::string buffer;
  for (std::size_t i = 1; i <= size && sliced.state == HeadProgress::State::need_more; ++i) {
    buffer = whole.substr(0, i);
    buffer.shrink_to_fit();
    sliced = sliced_parser.feed(buffer, sliced_head);
  }
  CHECK(sliced.state == progress.state && sliced.refusal == progress.refusal);
  CHECK(sliced.size == progress.size);
  if (!progress.done()) return 0;
  CHECK(progress.size <= size);
  check_invariants(head);
  check_equal(head, sliced_head);
  check_round_trip(head);
  return 0;
}
