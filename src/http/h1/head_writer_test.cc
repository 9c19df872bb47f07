#include "http/h1/head_writer.h"

#include <gtest/gtest.h>

#include <string>

namespace http::h1 {
namespace {

using Verdict = HeadWriter::Verdict;
using std::string_view_literals::operator""sv;

void write_all(HeadWriter& writer) {
  writer.request_line("GET", "/a?b", Version::http_1_1);
  writer.field("Host", "example.com");
  writer.field(FieldName::content_length, std::uint64_t{18446744073709551615U});
  writer.field("X-Empty", "");
  writer.end();
}

constexpr std::string_view kAll =
    "GET /a?b HTTP/1.1\r\nHost: example.com\r\nContent-Length: 18446744073709551615\r\n"
    "X-Empty: \r\n\r\n";

TEST(HeadWriter, WritesARequestHead) {
  std::string memory(200, '#');
  HeadWriter writer(memory);
  write_all(writer);
  EXPECT_EQ(writer.verdict(), Verdict::ok);
  EXPECT_EQ(writer.written(), kAll);
}

TEST(HeadWriter, NeverWritesBeyondItsMemoryAndTellsWhatItNeeded) {
  for (std::size_t size = 0; size < kAll.size() + 2; ++size) {
    std::string memory(kAll.size() + 2, '#');
    HeadWriter writer(std::span(memory).first(size));
    write_all(writer);
    EXPECT_EQ(writer.verdict(), size < kAll.size() ? Verdict::overflow : Verdict::ok);
    EXPECT_EQ(writer.needed(), kAll.size());
    EXPECT_EQ(memory.find_first_not_of('#', size), std::string::npos);
  }
}

TEST(HeadWriter, WritesAStatusLineWithAndWithoutReason) {
  std::string memory(200, '#');
  HeadWriter writer(memory);
  writer.status_line(Version::http_2, 200, "OK");
  writer.status_line(Version::http_1_0, 599, "");
  EXPECT_EQ(writer.written(), "HTTP/1.1 200 OK\r\nHTTP/1.0 599 \r\n");
}

TEST(HeadWriter, LooksAtNamesThatAreSaidToBeKnown) {
  for (const std::string_view name : {"Content-Type\r"sv, "Content\nType"sv, ""sv, "X"sv}) {
    base::Arena arena;
    Fields fields(arena);
    ASSERT_TRUE(fields.add(Field{FieldName::content_type, name, "x"}));
    std::string memory(200, '#');
    HeadWriter writer(memory);
    writer.fields(fields);
    EXPECT_EQ(writer.verdict(), Verdict::unsafe) << name;
  }
}

TEST(HeadWriter, LetsNothingOutThatBreaksFraming) {
  const auto verdict = [](auto write) {
    std::string memory(200, '#');
    HeadWriter writer(memory);
    write(writer);
    return writer.verdict();
  };
  for (const std::string_view bad : {"a\r\nX: y"sv, "a\n"sv, "\r"sv, "\0"sv, "a\x7f"sv, "\x1b"sv}) {
    EXPECT_EQ(verdict([&](HeadWriter& w) { w.field("X", bad); }), Verdict::unsafe);
    EXPECT_EQ(verdict([&](HeadWriter& w) { w.field(FieldName::location, bad); }), Verdict::unsafe);
    EXPECT_EQ(verdict([&](HeadWriter& w) { w.field(bad, "x"); }), Verdict::unsafe);
    EXPECT_EQ(verdict([&](HeadWriter& w) { w.status_line(Version::http_1_1, 200, bad); }),
              Verdict::unsafe);
    EXPECT_EQ(verdict([&](HeadWriter& w) { w.request_line("GET", bad, Version::http_1_1); }),
              Verdict::unsafe);
    EXPECT_EQ(verdict([&](HeadWriter& w) { w.request_line(bad, "/", Version::http_1_1); }),
              Verdict::unsafe);
  }
  for (const std::string_view bad : {""sv, "a b"sv, "a:"sv, ":a"sv, "\xc3\xa4"sv}) {
    EXPECT_EQ(verdict([&](HeadWriter& w) { w.field(bad, "x"); }), Verdict::unsafe) << bad;
  }
  for (const std::string_view bad : {""sv, "/a b"sv, "/\t"sv}) {
    EXPECT_EQ(verdict([&](HeadWriter& w) { w.request_line("GET", bad, Version::http_1_1); }),
              Verdict::unsafe);
  }
  for (const unsigned bad : {0U, 99U, 1000U}) {
    EXPECT_EQ(verdict([&](HeadWriter& w) { w.status_line(Version::http_1_1, bad, ""); }),
              Verdict::unsafe);
  }
}

TEST(ChunkHeader, IsHexadecimalWithoutLeadingZeros) {
  std::array<char, 18> memory{};
  EXPECT_EQ(chunk_header(1, memory), "1\r\n");
  EXPECT_EQ(chunk_header(65536, memory), "10000\r\n");
  EXPECT_EQ(chunk_header(0xffffffffffffffff, memory), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace http::h1
