#include "server/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <thread>

namespace server {
namespace {

constexpr MessageLimits kRoomy{.payload = std::size_t{64} << 20, .descriptors = 2000};

base::Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(20); }
base::Deadline at_once() { return std::chrono::steady_clock::now(); }

std::pair<Channel, Channel> channels() { return *Channel::make_pair(); }

int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 4096; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

std::string frame_head(std::uint32_t type, std::uint32_t descriptors, std::uint64_t size) {
  std::string bytes(16, '\0');
  std::memcpy(bytes.data(), &type, 4);
  std::memcpy(bytes.data() + 4, &descriptors, 4);
  std::memcpy(bytes.data() + 8, &size, 8);
  return bytes;
}

void send_raw(Channel& channel, const std::string& bytes) {
  ASSERT_EQ(::send(channel.fd(), bytes.data(), bytes.size(), 0), std::ssize(bytes));
}

void send_raw_with_descriptor(Channel& channel, std::string bytes, int count) {
  alignas(cmsghdr) std::array<char, 512> control{};
  iovec piece{.iov_base = bytes.data(), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(sizeof(int) * static_cast<std::size_t>(count));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * static_cast<std::size_t>(count));
  std::memset(CMSG_DATA(header), 0, sizeof(int) * static_cast<std::size_t>(count));  // stdin
  ASSERT_EQ(::sendmsg(channel.fd(), &message, 0), std::ssize(bytes));
}

TEST(Channel, CarriesAMessageLargerThanTheSocketsBuffer) {
  auto [a, b] = channels();
  const std::string payload(std::size_t{5} << 20, 'x');
  std::jthread sender([&a, &payload] { EXPECT_TRUE(a.send(7, payload, {}, soon())); });
  const auto message = b.receive(kRoomy, soon());
  ASSERT_TRUE(message);
  EXPECT_EQ(message->type, 7U);
  EXPECT_EQ(message->payload, payload);
}

TEST(Channel, CarriesMoreDescriptorsThanOneControlMessageHolds) {
  auto [a, b] = channels();
  const std::vector<int> descriptors(600, a.fd());
  std::jthread sender([&a, &descriptors] { EXPECT_TRUE(a.send(1, "p", descriptors, soon())); });
  const auto message = b.receive(kRoomy, soon());
  ASSERT_TRUE(message);
  ASSERT_EQ(message->descriptors.size(), 600U);
  struct stat sent{};
  struct stat got{};
  ::fstat(a.fd(), &sent);
  ::fstat(message->descriptors.back().get(), &got);
  EXPECT_EQ(sent.st_ino, got.st_ino);
  EXPECT_NE(::fcntl(message->descriptors.back().get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Channel, KeepsMessagesApart) {
  auto [a, b] = channels();
  const int descriptor = a.fd();
  ASSERT_TRUE(a.send(1, "first", {&descriptor, 1}, soon()));
  ASSERT_TRUE(a.send(2, "", {}, soon()));
  EXPECT_EQ(b.receive(kRoomy, soon())->payload, "first");
  const auto second = b.receive(kRoomy, soon());
  EXPECT_EQ(second->type, 2U);
  EXPECT_TRUE(second->descriptors.empty());
}

TEST(Channel, TellsThatTheOtherEndIsGone) {
  auto [a, b] = channels();
  a.close();
  EXPECT_EQ(b.receive(kRoomy, soon()).error().code, base::ErrorCode::end_of_stream);
}

TEST(Channel, TellsThatTheOtherEndWentInTheMiddle) {
  auto [a, b] = channels();
  send_raw(a, frame_head(1, 0, 100) + "only this");
  a.close();
  EXPECT_EQ(b.receive(kRoomy, soon()).error().code, base::ErrorCode::end_of_stream);
}

TEST(Channel, GivesUpAtTheDeadline) {
  auto [a, b] = channels();
  send_raw(a, "half");
  EXPECT_EQ(b.receive(kRoomy, at_once()).error().code, base::ErrorCode::timed_out);
}

TEST(Channel, RefusesMoreThanTheReceiverTakes) {
  for (const auto& head : {frame_head(1, 0, 101), frame_head(1, 3, 0),
                           frame_head(1, 0, ~std::uint64_t{0}), frame_head(1, ~0U, 0)}) {
    auto [a, b] = channels();
    send_raw(a, head);
    EXPECT_EQ(b.receive({.payload = 100, .descriptors = 2}, soon()).error().code,
              base::ErrorCode::too_large);
  }
}

TEST(Channel, RefusesAndClosesDescriptorsThatWereNotAnnounced) {
  auto [a, b] = channels();
  const int before = open_descriptors();
  send_raw_with_descriptor(a, frame_head(1, 0, 0), 5);
  EXPECT_EQ(b.receive(kRoomy, soon()).error().code, base::ErrorCode::protocol);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Channel, RefusesABatchWithTooManyTooFewOrNoDescriptors) {
  for (const int count : {0, 1, 3}) {
    auto [a, b] = channels();
    const int before = open_descriptors();
    send_raw(a, frame_head(1, 2, 0));
    if (count == 0) {
      send_raw(a, "F");
    } else {
      send_raw_with_descriptor(a, "F", count);
    }
    EXPECT_EQ(b.receive(kRoomy, soon()).error().code, base::ErrorCode::protocol) << count;
    EXPECT_EQ(open_descriptors(), before) << count;
  }
}

}  // namespace
}  // namespace server
