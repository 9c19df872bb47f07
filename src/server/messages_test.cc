#include "server/messages.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace server {
namespace {

base::Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(20); }

Configure example(const Channel& some) {
  Configure message;
  message.generation = 3;
  message.load = {.file = "/etc/x.conf",
                  .prefix = "/etc",
                  .global_directives = "daemon off;",
                  .error_log = "stderr",
                  .temporary_directory = "/tmp/t"};
  message.prefixes = {.prefix = "/etc", .config = "/etc"};
  using Request = config::FileRecord::Request;
  message.files.resize(4);
  message.files[0].name = "/etc/x.conf";
  message.files[0].text = "events {}";
  message.files[1].request = Request::open;
  message.files[1].purpose = config::Purpose::key;
  message.files[1].fd = base::Fd(::dup(some.fd()));
  message.files[2].request = Request::glob;
  message.files[2].matches = {"/etc/a.conf", "/etc/b.conf"};
  message.files[3].failed = true;
  message.files[3].error = base::ErrorCode::not_found;
  message.files[3].os_error = 2;
  ListenerSockets listener{.address = *base::Address::from_ip("::1", 443), .tls = true};
  listener.sockets.emplace_back(::dup(some.fd()));
  listener.sockets.emplace_back(::dup(some.fd()));
  message.listeners.push_back(std::move(listener));
  message.ticket_secret = base::Fd(::dup(some.fd()));
  message.workers = 2;
  message.restarts = 1;
  return message;
}

Message sent(const Configure& configure) {
  auto [a, b] = *Channel::make_pair();
  EXPECT_TRUE(send_configure(a, configure, soon()));
  return *b.receive(kConfigureLimits, soon());
}

TEST(Messages, ConfigureArrivesAsItWasSent) {
  auto [a, b] = *Channel::make_pair();
  const auto got = decode_configure(sent(example(a)));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->generation, 3U);
  EXPECT_EQ(got->load.file, "/etc/x.conf");
  EXPECT_EQ(got->load.global_directives, "daemon off;");
  EXPECT_EQ(got->load.temporary_directory, "/tmp/t");
  EXPECT_EQ(got->prefixes.config, "/etc");
  ASSERT_EQ(got->files.size(), 4U);
  EXPECT_EQ(got->files[0].text, "events {}");
  EXPECT_TRUE(got->files[1].fd);
  EXPECT_EQ(got->files[1].purpose, config::Purpose::key);
  EXPECT_EQ(got->files[2].matches.back(), "/etc/b.conf");
  EXPECT_EQ(got->files[3].error, base::ErrorCode::not_found);
  EXPECT_EQ(got->files[3].os_error, 2);
  ASSERT_EQ(got->listeners.size(), 1U);
  EXPECT_EQ(got->listeners[0].address.text(), "[::1]:443");
  EXPECT_TRUE(got->listeners[0].tls);
  EXPECT_EQ(got->listeners[0].sockets.size(), 2U);
  EXPECT_FALSE(got->admin_socket);
  EXPECT_TRUE(got->ticket_secret);
}

const Identity kNobody{
    .change = true, .name = "nobody", .user = 65534, .group = 7, .groups = {7, 8}};

Message sent_beginning(const Succession& succession) {
  auto [a, b] = *Channel::make_pair();
  EXPECT_TRUE(send_beginning(a, kNobody, succession, soon()));
  return *b.receive(kConfigureLimits, soon());
}

TEST(Messages, ABeginningArrivesAsItWasSent) {
  const Succession succession = *Succession::make();
  const auto got = decode_beginning(sent_beginning(succession));
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->identity.change);
  EXPECT_EQ(got->identity.user, 65534U);
  EXPECT_EQ(got->identity.groups, (std::vector<gid_t>{7, 8}));
  EXPECT_TRUE(got->succession.giver);
  EXPECT_TRUE(got->succession.taker);
  const auto without = decode_beginning(sent_beginning({}));
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->succession.giver);
}

TEST(Messages, ABeginningCutAnywhereIsRefused) {
  const Succession succession = *Succession::make();
  const std::size_t size = sent_beginning(succession).payload.size();
  for (std::size_t length = 0; length < size; ++length) {
    Message message = sent_beginning(succession);
    message.payload.resize(length);
    EXPECT_FALSE(decode_beginning(std::move(message))) << length;
  }
}

TEST(Messages, ConfigureCutAnywhereIsRefused) {
  auto [a, b] = *Channel::make_pair();
  const Configure configure = example(a);
  const std::size_t size = sent(configure).payload.size();
  for (std::size_t length = 0; length < size; ++length) {
    Message message = sent(configure);
    message.payload.resize(length);
    EXPECT_FALSE(decode_configure(std::move(message))) << length;
  }
}

TEST(Messages, ConfigureWithOneByteChangedNeverReadsBeyondItsEnd) {
  auto [a, b] = *Channel::make_pair();
  const Configure configure = example(a);
  const std::size_t size = sent(configure).payload.size();
  for (std::size_t at = 0; at < size; ++at) {
    Message message = sent(configure);
    message.payload[at] = static_cast<char>(0xff);
    static_cast<void>(decode_configure(std::move(message)));
  }
}

TEST(Messages, ConfigureWithBytesOrDescriptorsLeftOverIsRefused) {
  auto [a, b] = *Channel::make_pair();
  Message longer = sent(example(a));
  longer.payload += 'x';
  EXPECT_FALSE(decode_configure(std::move(longer)));
  Message more = sent(example(a));
  more.descriptors.emplace_back(::dup(a.fd()));
  EXPECT_FALSE(decode_configure(std::move(more)));
  Message fewer = sent(example(a));
  fewer.descriptors.pop_back();
  EXPECT_FALSE(decode_configure(std::move(fewer)));
}

TEST(Messages, ConfigureWithoutWorkersOrSocketsIsRefused) {
  auto [a, b] = *Channel::make_pair();
  Configure configure = example(a);
  configure.workers = 0;
  EXPECT_FALSE(decode_configure(sent(configure)));
  configure = example(a);
  configure.listeners[0].sockets.clear();
  EXPECT_FALSE(decode_configure(sent(configure)));
}

TEST(Messages, FactsArriveAsTheyWereSent) {
  auto [a, b] = *Channel::make_pair();
  const base::WallTime time{std::chrono::milliseconds(1'700'000'000'123)};
  InstanceFacts facts;
  facts.draining = {{.pid = 7, .since = time, .connections = 3}, {.pid = 8, .since = time}};
  facts.last_reload = {.kind = ReloadOutcome::Kind::refused,
                       .time = time,
                       .generation = 4,
                       .text = std::string(5000, 'x')};
  facts.old_program = {.pid = 9, .state = OldProgram::State::draining, .connections = 5};
  ASSERT_TRUE(send_facts(a, facts, soon()));
  const Message message = *b.receive(kConfigureLimits, soon());
  EXPECT_EQ(message.type, static_cast<std::uint32_t>(MessageType::inform));
  const auto got = decode_facts(message);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->draining.size(), 2U);
  EXPECT_EQ(got->draining[0].pid, 7);
  EXPECT_EQ(got->draining[0].since, time);
  EXPECT_EQ(got->draining[0].connections, 3U);
  EXPECT_EQ(got->draining[1].connections, std::nullopt);
  ASSERT_TRUE(got->last_reload);
  EXPECT_EQ(got->last_reload->kind, ReloadOutcome::Kind::refused);
  EXPECT_EQ(got->last_reload->generation, 4U);
  EXPECT_EQ(got->last_reload->text, std::string(2048, 'x'));
  EXPECT_EQ(got->old_program, facts.old_program);
  for (std::size_t length = 0; length < message.payload.size(); ++length) {
    EXPECT_FALSE(decode_facts({.type = message.type, .payload = message.payload.substr(0, length)}))
        << length;
  }
  ASSERT_TRUE(send_facts(a, {}, soon()));
  const auto none = decode_facts(*b.receive(kConfigureLimits, soon()));
  EXPECT_FALSE(none->last_reload);
  EXPECT_FALSE(none->old_program);
}

TEST(Messages, ReopenedLogsArriveWithTheirFiles) {
  auto [a, b] = *Channel::make_pair();
  std::vector<snapshot::ReopenedLog> logs;
  logs.push_back({.name = "/var/log/a", .file = base::Fd(::dup(a.fd()))});
  logs.push_back({.name = "/var/log/b", .file = base::Fd(::dup(a.fd()))});
  ASSERT_TRUE(send_logs(a, logs, soon()));
  Message message = *b.receive(kConfigureLimits, soon());
  Message cut{.type = message.type,
              .payload = message.payload.substr(0, message.payload.size() - 1)};
  for (const base::Fd& fd : message.descriptors) cut.descriptors.push_back(fd.duplicate());
  Message bare{.type = message.type, .payload = message.payload};
  const auto got = decode_logs(std::move(message));
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 2U);
  EXPECT_EQ((*got)[1].name, "/var/log/b");
  EXPECT_TRUE((*got)[1].file);
  EXPECT_FALSE(decode_logs(std::move(cut)));
  EXPECT_FALSE(decode_logs(std::move(bare))) << "without descriptors";
}

TEST(Messages, AnswersArriveAsTheyWereSent) {
  auto [a, b] = *Channel::make_pair();
  ASSERT_TRUE(
      send_answer(a, {.type = MessageType::rejected, .generation = 2, .text = "no"}, soon()));
  const auto got = decode_answer(*b.receive(kAnswerLimits, soon()));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->type, MessageType::rejected);
  EXPECT_EQ(got->generation, 2U);
  EXPECT_EQ(got->text, "no");
}

TEST(Messages, AnUnknownAnswerIsRefused) {
  EXPECT_FALSE(decode_answer(Message{.type = 1}));
  EXPECT_FALSE(decode_answer(Message{.type = 16, .payload = "short"}));
}

}  // namespace
}  // namespace server
