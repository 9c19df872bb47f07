#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/find_control.h"
#include "http/list.h"
#include "http/method.h"
#include "http/status.h"

namespace http {
namespace {

TEST(Method, HasOneTextEachAndIsCaseSensitive) {
  for (unsigned i = 1; i <= static_cast<unsigned>(Method::unlock); ++i) {
    const auto method = static_cast<Method>(i);
    EXPECT_EQ(parse_method(text_of(method)), method);
  }
  EXPECT_EQ(parse_method("get"), Method::other);
  EXPECT_EQ(parse_method(""), Method::other);
  EXPECT_EQ(text_of(Method::del), "DELETE");
}

TEST(Method, KnowsWhatMayBeSentAgain) {
  EXPECT_TRUE(is_idempotent(Method::get));
  EXPECT_TRUE(is_idempotent(Method::put));
  EXPECT_FALSE(is_safe(Method::put));
  EXPECT_FALSE(is_idempotent(Method::post));
  EXPECT_FALSE(is_idempotent(Method::patch));
  EXPECT_FALSE(is_idempotent(Method::lock));
  EXPECT_FALSE(is_idempotent(Method::other));
}

TEST(Status, HasNginxsWords) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(302), "Moved Temporarily");
  EXPECT_EQ(reason_phrase(405), "Not Allowed");
  EXPECT_EQ(reason_phrase(413), "Request Entity Too Large");
  EXPECT_EQ(reason_phrase(504), "Gateway Time-out");
  EXPECT_EQ(reason_phrase(299), "");
  EXPECT_EQ(error_title(404), "404 Not Found");
  EXPECT_EQ(error_title(302), "302 Found");
  EXPECT_EQ(error_title(401), "401 Authorization Required");
  EXPECT_EQ(error_title(494), "400 Request Header Or Cookie Too Large");
  EXPECT_EQ(error_title(200), "");
  EXPECT_EQ(wire_status(494), 400U);
  EXPECT_EQ(wire_status(497), 400U);
  EXPECT_EQ(wire_status(499), 499U);
}

TEST(ListReader, SkipsEmptyElementsAndWhiteSpace) {
  ListReader reader(" , a,b c\t,, d ,");
  EXPECT_EQ(reader.next(), "a");
  EXPECT_EQ(reader.next(), "b c");
  EXPECT_EQ(reader.next(), "d");
  EXPECT_EQ(reader.next(), std::nullopt);
  EXPECT_TRUE(list_has("keep-alive, Upgrade", "upgrade"));
  EXPECT_FALSE(list_has("upgraded", "upgrade"));
}

TEST(FindControl, FindsEveryControlByteAtEveryPlace) {
  for (std::size_t size = 1; size < 50; ++size) {
    for (unsigned c = 0; c < 256; ++c) {
      std::string text(size, 'x');
      text[size / 2] = static_cast<char>(c);
      const bool control = (c < 0x20 && c != '\t') || c == 0x7f;
      EXPECT_EQ(find_control(text, 0), control ? size / 2 : size);
      EXPECT_EQ(find_control(text, size / 2 + 1), size);
      EXPECT_EQ(count_controls(text), control ? 1 : 0);
    }
  }
}

TEST(FindControl, GoesOnFromAnyPlace) {
  for (std::size_t size = 0; size < 70; ++size) {
    for (std::size_t step = 1; step < 20; ++step) {
      std::string text(size, '\t');
      std::vector<std::size_t> expected;
      for (std::size_t at = step - 1; at < size; at += step) {
        text[at] = '\r';
        expected.push_back(at);
      }
      std::vector<std::size_t> found;
      for (std::size_t at = 0; (at = find_control(text, at)) < size; ++at) found.push_back(at);
      EXPECT_EQ(found, expected);
      EXPECT_EQ(find_control(text, size), size);
      EXPECT_EQ(count_controls(text), expected.size());
    }
  }
}

}  // namespace
}  // namespace http
