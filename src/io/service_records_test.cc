#include "io/service_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>

namespace io {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

std::string number(std::uint32_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = bytes; i-- > 0;) text += static_cast<char>(value >> (8 * i) & 0xffU);
  return text;
}
std::string name(std::initializer_list<std::string_view> labels) {
  std::string text;
  for (const std::string_view label : labels) {
    text += static_cast<char>(label.size());
    text += label;
  }
  return text + '\0';
}
const std::string kName = name({"_http", "_tcp", "App", "test"});
const std::string kBack{"\xc0\x0c", 2};  // to the question's name

std::string record(const std::string& owner, std::uint32_t type, std::uint32_t ttl,
                   const std::string& data) {
  return owner + number(type, 2) + number(1, 2) + number(ttl, 4) +
         number(static_cast<std::uint32_t>(data.size()), 2) + data;
}
std::string service(std::uint32_t priority, std::uint32_t weight, std::uint32_t port,
                    const std::string& target) {
  return number(priority, 2) + number(weight, 2) + number(port, 2) + target;
}
std::string message(std::initializer_list<std::string> records) {
  std::string text = number(0x12348180, 4) + number(1, 2) +
                     number(static_cast<std::uint32_t>(records.size()), 2) + number(0, 4) + kName +
                     number(33, 2) + number(1, 2);
  for (const std::string& each : records) text += each;
  return text;
}

TEST(ServiceRecords, AreReadWithTheLeastTtl) {
  const auto read = parse_service_records(
      message({record(kBack, 33, 60, service(10, 5, 8080, name({"A", "test"}))),
               record(kName, 33, 30, service(20, 0, 81, name({"b"}))), record(kBack, 16, 1, "text"),
               record(name({"other", "test"}), 33, 1, service(0, 0, 1, name({"c"})))}));
  ASSERT_TRUE(read);
  EXPECT_THAT(read->records,
              ElementsAre(ServiceRecord{"a.test", 8080, 10, 5}, ServiceRecord{"b", 81, 20, 0}));
  EXPECT_EQ(read->ttl, 30s);
}

TEST(ServiceRecords, FollowAliases) {
  const std::string other = name({"_x", "_tcp", "other", "test"});
  const auto read = parse_service_records(
      message({record(kBack, 5, 10, other), record(other, 33, 60, service(1, 1, 80, name({"a"}))),
               record(kBack, 33, 60, service(1, 1, 80, name({"stray"})))}));
  ASSERT_TRUE(read);
  EXPECT_THAT(read->records, ElementsAre(ServiceRecord{"a", 80, 1, 1}));
  EXPECT_EQ(read->ttl, 10s);
}

TEST(ServiceRecords, LeaveOutWhatIsNoService) {
  const auto read = parse_service_records(
      message({record(kBack, 33, 60, service(0, 0, 80, std::string(1, '\0'))),
               record(kBack, 33, 0x80000001, service(0, 0, 0, name({"a"})))}));
  ASSERT_TRUE(read);
  EXPECT_THAT(read->records, IsEmpty());
  EXPECT_EQ(read->ttl, 0s);
}

TEST(ServiceRecords, RefuseWhatIsCutAnywhere) {
  const std::string whole =
      message({record(kBack, 33, 60, service(10, 5, 8080, name({"a", "test"})))});
  ASSERT_TRUE(parse_service_records(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_service_records(std::string_view(whole).substr(0, size))) << size;
  }
}

TEST(ServiceRecords, RefuseNamesThatAreNone) {
  const auto with_target = [](const std::string& target) {
    return parse_service_records(message({record(kBack, 33, 60, service(0, 0, 80, target))}));
  };
  EXPECT_TRUE(with_target(name({std::string(63, 'a'), std::string(63, 'b'), std::string(63, 'c'),
                                std::string(61, 'd')})));  // 255 bytes
  EXPECT_FALSE(with_target(name(
      {std::string(63, 'a'), std::string(63, 'b'), std::string(63, 'c'), std::string(62, 'd')})));
  EXPECT_FALSE(with_target(name({"a b"})));
  EXPECT_FALSE(with_target(name({"a.b"})));
  EXPECT_FALSE(with_target(name({std::string_view("a\0b", 3)})));
  EXPECT_FALSE(with_target("\x40" + std::string(64, 'a') + '\0'));  // a type of label of old
  EXPECT_FALSE(with_target(name({"a"}) + "more"));
}

TEST(ServiceRecords, RefusePointersThatDoNotLeadBackwards) {
  // The record's target begins behind the question, the owner, ten bytes and three numbers.
  const std::size_t target = 12 + kName.size() + 4 + 2 + 10 + 6;
  const auto pointing = [](std::size_t to) {
    return parse_service_records(message({record(
        kBack, 33, 60, service(0, 0, 80, number(0xc000U | static_cast<std::uint32_t>(to), 2)))}));
  };
  EXPECT_TRUE(pointing(12));
  EXPECT_FALSE(pointing(target));
  EXPECT_FALSE(pointing(target + 2));
  EXPECT_FALSE(pointing(0x3fff));
}

}  // namespace
}  // namespace io
