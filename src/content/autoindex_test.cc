#include "content/autoindex.h"

#include <gtest/gtest.h>

namespace content {
namespace {

using Format = AutoindexOptions::Format;
using Kind = FileStatus::Kind;

DirectoryEntry entry(std::string name, Kind kind, std::uint64_t size = 0) {
  DirectoryEntry made;
  made.name = std::move(name);
  made.kind = kind;
  made.size = size;
  made.modified = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT
  return made;
}

std::string page(Format format, std::vector<DirectoryEntry> entries, std::string_view callback = {},
                 bool exact = true) {
  AutoindexOptions options;
  options.format = format;
  options.exact_size = exact;
  Directory directory;
  directory.entries = std::move(entries);
  return make_directory_page(options, "/a<b/", callback, directory, Names::bytes, {}).text;
}

TEST(DirectoryPage, IsNginxsHtml) {
  EXPECT_EQ(page(Format::html, {entry("b&c.txt", Kind::regular, 5), entry("dir", Kind::directory)}),
            "<html>\r\n<head><title>Index of /a&lt;b/</title></head>\r\n<body>\r\n"
            "<h1>Index of /a&lt;b/</h1><hr><pre><a href=\"../\">../</a>\r\n"
            "<a href=\"dir/\">dir/</a>" +
                std::string(46, ' ') +
                " 06-Nov-1994 08:49                   -\r\n"
                "<a href=\"b%26c.txt\">b&amp;c.txt</a>" +
                std::string(43, ' ') +
                " 06-Nov-1994 08:49                   5\r\n"
                "</pre><hr></body>\r\n</html>\r\n");
}

TEST(DirectoryPage, CutsLongNames) {
  const std::string text = page(Format::html, {entry(std::string(51, 'x'), Kind::regular)});
  EXPECT_NE(text.find(">" + std::string(47, 'x') + "..&gt;</a> "), std::string::npos) << text;
}

TEST(DirectoryPage, RoundsSizes) {
  const auto shown = [](std::uint64_t size) {
    const std::string text = page(Format::html, {entry("a", Kind::regular, size)}, {}, false);
    const std::string_view before = "08:49 ";
    const std::size_t at = text.find(before) + before.size();
    return text.substr(at, text.find("\r\n", at) - at);
  };
  EXPECT_EQ(shown(0), "      0");
  EXPECT_EQ(shown(9999), "   9999");
  EXPECT_EQ(shown(10'000), "    10K");
  EXPECT_EQ(shown((1U << 20U) - 1), "  1024K");
  EXPECT_EQ(shown(3ULL << 19U), "     2M");
  EXPECT_EQ(shown(5'000'000'000), "     5G");
}

TEST(DirectoryPage, IsJsonAndXml) {
  EXPECT_EQ(page(Format::json, {entry("a\"\n\x01", Kind::special), entry("b", Kind::regular, 7)}),
            "[\r\n{ \"name\":\"a\\\"\\n\\u0001\", \"type\":\"other\", "
            "\"mtime\":\"Sun, 06 Nov 1994 08:49:37 GMT\" },"
            "\r\n{ \"name\":\"b\", \"type\":\"file\", "
            "\"mtime\":\"Sun, 06 Nov 1994 08:49:37 GMT\", \"size\":7 }\r\n]");
  EXPECT_EQ(page(Format::json, {}), "[\r\n]");
  EXPECT_EQ(page(Format::jsonp, {}), "[\r\n]");
  EXPECT_EQ(page(Format::jsonp, {}, "f"), "/* callback */\r\nf([\r\n]);");
  EXPECT_EQ(page(Format::xml, {entry("<", Kind::directory), entry("b", Kind::regular, 7)}),
            "<?xml version=\"1.0\"?>\r\n<list>\r\n"
            "<directory mtime=\"1994-11-06T08:49:37Z\">&lt;</directory>\r\n"
            "<file mtime=\"1994-11-06T08:49:37Z\" size=\"7\">b</file>\r\n</list>\r\n");
}

TEST(DirectoryPage, TakesNoMoreThanANameFromAClient) {
  EXPECT_TRUE(is_callback_name("a.B_9"));
  EXPECT_TRUE(is_callback_name(std::string(128, 'a')));
  for (const std::string& name : {std::string("a("), std::string("a%"), std::string("a-b"),
                                  std::string(129, 'a'), std::string("\xe9")}) {
    EXPECT_FALSE(is_callback_name(name)) << name;
  }
}

}  // namespace
}  // namespace content
