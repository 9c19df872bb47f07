#include "server/messages.h"

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstring>

namespace server {
namespace {

using base::ErrorCode;

class Writer {
 public:
  template <std::unsigned_integral T>
  void number(T value) {
    const std::size_t old = payload.size();
    payload.resize(old + sizeof value);
    std::memcpy(std::span(payload).subspan(old).data(), &value, sizeof value);
  }
  void text(std::string_view value) {
    number<std::uint64_t>(value.size());
    payload += value;
  }
  void descriptor(const base::Fd& fd) {
    number<std::uint8_t>(fd ? 1 : 0);
    if (fd) descriptors.push_back(fd.get());
  }

  std::string payload;
  std::vector<int> descriptors;
};

/// After a failure everything it gives is empty; `finish` tells.
class Reader {
 public:
  Reader(std::string_view payload, std::vector<base::Fd> descriptors)
      : payload_(payload), descriptors_(std::move(descriptors)) {}

  template <std::unsigned_integral T>
  T number() {
    T value{};
    if (payload_.size() < sizeof value) {
      fail();
      return value;
    }
    std::memcpy(&value, payload_.data(), sizeof value);
    payload_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const auto size = number<std::uint64_t>();
    if (size > payload_.size()) {
      fail();
      return {};
    }
    std::string value(payload_.substr(0, size));
    payload_.remove_prefix(size);
    return value;
  }
  /// How many elements follow. Each takes at least `least` bytes, so a claim can't make us
  /// allocate.
  std::size_t count(std::size_t least) {
    const auto value = number<std::uint64_t>();
    if (value > payload_.size() / least) {
      fail();
      return 0;
    }
    return value;
  }
  /// A number below `end`.
  template <class Enum>
  Enum choice(std::uint8_t end) {
    const auto value = number<std::uint8_t>();
    if (value >= end) fail();
    return static_cast<Enum>(value >= end ? 0 : value);
  }
  bool flag() { return choice<std::uint8_t>(2) != 0; }
  base::Fd descriptor() {
    if (!flag()) return {};
    if (next_ >= descriptors_.size()) {
      fail();
      return {};
    }
    return std::move(descriptors_[next_++]);
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] base::Result<void> finish() const {
    if (failed_ || !payload_.empty() || next_ != descriptors_.size()) {
      return base::fail(ErrorCode::protocol, "a message between processes");
    }
    return {};
  }

 private:
  void fail() {
    failed_ = true;
    payload_ = {};
  }
  std::string_view payload_;
  std::vector<base::Fd> descriptors_;
  std::size_t next_ = 0;
  bool failed_ = false;
};

void write_load(Writer& writer, const Configure& message) {
  writer.number(message.generation);
  writer.text(message.load.file);
  writer.text(message.load.prefix);
  writer.text(message.load.global_directives);
  writer.text(message.load.error_log);
  writer.text(message.load.temporary_directory);
  writer.text(message.prefixes.prefix);
  writer.text(message.prefixes.config);
}

void read_load(Reader& reader, Configure& message) {
  message.generation = reader.number<std::uint64_t>();
  message.load.file = reader.text();
  message.load.prefix = reader.text();
  message.load.global_directives = reader.text();
  message.load.error_log = reader.text();
  message.load.temporary_directory = reader.text();
  message.prefixes.prefix = reader.text();
  message.prefixes.config = reader.text();
}

void write_file(Writer& writer, const config::FileRecord& file) {
  writer.number(static_cast<std::uint8_t>(file.request));
  writer.number(static_cast<std::uint8_t>(file.purpose));
  writer.text(file.name);
  writer.text(file.text);
  writer.descriptor(file.fd);
  writer.number<std::uint64_t>(file.matches.size());
  for (const std::string& match : file.matches) writer.text(match);
  writer.number<std::uint8_t>(file.failed ? 1 : 0);
  writer.number(static_cast<std::uint8_t>(file.error));
  writer.number(static_cast<std::uint32_t>(file.os_error));
}

config::FileRecord read_file(Reader& reader) {
  using Request = config::FileRecord::Request;
  config::FileRecord file;
  file.request = reader.choice<Request>(static_cast<std::uint8_t>(Request::resolve) + 1);
  file.purpose =
      reader.choice<config::Purpose>(static_cast<std::uint8_t>(config::Purpose::place) + 1);
  file.name = reader.text();
  file.text = reader.text();
  file.fd = reader.descriptor();
  file.matches.resize(reader.count(sizeof(std::uint64_t)));
  for (std::string& match : file.matches) match = reader.text();
  file.failed = reader.flag();
  file.error = reader.choice<ErrorCode>(static_cast<std::uint8_t>(ErrorCode::invalid) + 1);
  file.os_error = static_cast<int>(reader.number<std::uint32_t>());
  return file;
}

void write_listener(Writer& writer, const ListenerSockets& listener) {
  writer.text(
      {reinterpret_cast<const char*>(listener.address.native()), listener.address.native_size()});
  writer.number<std::uint8_t>(listener.tls ? 1 : 0);
  writer.number<std::uint64_t>(listener.sockets.size());
  for (const base::Fd& socket : listener.sockets) writer.descriptor(socket);
}

ListenerSockets read_listener(Reader& reader) {
  ListenerSockets listener;
  const std::string bytes = reader.text();
  sockaddr_storage native{};
  if (bytes.size() <= sizeof native) {
    std::memcpy(&native, bytes.data(), bytes.size());
    listener.address = base::Address::from_native(reinterpret_cast<const sockaddr*>(&native),
                                                  static_cast<socklen_t>(bytes.size()));
  }
  listener.tls = reader.flag();
  listener.sockets.resize(reader.count(1));
  for (base::Fd& socket : listener.sockets) socket = reader.descriptor();
  return listener;
}

bool is_usable(const ListenerSockets& listener) {
  if (!listener.address.is_ip() && !listener.address.is_unix()) return false;
  for (const base::Fd& socket : listener.sockets) {
    if (!socket) return false;
  }
  return !listener.sockets.empty();
}

void write_identity(Writer& writer, const Identity& identity) {
  writer.number<std::uint8_t>(identity.change ? 1 : 0);
  writer.text(identity.name);
  writer.number<std::uint32_t>(identity.user);
  writer.number<std::uint32_t>(identity.group);
  writer.number<std::uint64_t>(identity.groups.size());
  for (const gid_t group : identity.groups) writer.number<std::uint32_t>(group);
}

Identity read_identity(Reader& reader) {
  Identity identity;
  identity.change = reader.flag();
  identity.name = reader.text();
  identity.user = reader.number<std::uint32_t>();
  identity.group = reader.number<std::uint32_t>();
  identity.groups.resize(reader.count(sizeof(std::uint32_t)));
  for (gid_t& group : identity.groups) group = reader.number<std::uint32_t>();
  return identity;
}

constexpr std::size_t kMaxFactText = 2048;

void write_time(Writer& writer, base::WallTime time) {
  const auto since = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  writer.number(static_cast<std::uint64_t>(since.count()));
}

base::WallTime read_time(Reader& reader) {
  // 32 bits of seconds are enough, and no number overflows a time.
  constexpr std::uint64_t kLatest = std::uint64_t{1000} << 32;
  const std::uint64_t since = std::min(reader.number<std::uint64_t>(), kLatest);
  return base::WallTime(std::chrono::milliseconds(since));
}

}  // namespace

base::Result<void> send_beginning(Channel& channel, const Identity& identity,
                                  const Succession& succession, base::Deadline deadline) {
  Writer writer;
  write_identity(writer, identity);
  writer.descriptor(succession.giver);
  writer.descriptor(succession.taker);
  return channel.send(static_cast<std::uint32_t>(MessageType::begin), writer.payload,
                      writer.descriptors, deadline);
}

base::Result<Beginning> decode_beginning(Message message) {
  Reader reader(message.payload, std::move(message.descriptors));
  Beginning beginning;
  beginning.identity = read_identity(reader);
  beginning.succession.giver = reader.descriptor();
  beginning.succession.taker = reader.descriptor();
  TRY_VOID(reader.finish());
  return beginning;
}

base::Result<void> send_configure(Channel& channel, const Configure& message,
                                  base::Deadline deadline) {
  Writer writer;
  write_load(writer, message);
  writer.number<std::uint64_t>(message.files.size());
  for (const auto& file : message.files) write_file(writer, file);
  writer.number<std::uint64_t>(message.listeners.size());
  for (const auto& listener : message.listeners) write_listener(writer, listener);
  writer.descriptor(message.admin_socket);
  writer.descriptor(message.ticket_secret);
  writer.number(message.workers);
  writer.number(message.restarts);
  return channel.send(static_cast<std::uint32_t>(MessageType::configure), writer.payload,
                      writer.descriptors, deadline);
}

base::Result<Configure> decode_configure(Message message) {
  Reader reader(message.payload, std::move(message.descriptors));
  Configure configure;
  read_load(reader, configure);
  for (std::size_t left = reader.count(1); left > 0 && !reader.failed(); --left) {
    configure.files.push_back(read_file(reader));
  }
  for (std::size_t left = reader.count(1); left > 0 && !reader.failed(); --left) {
    configure.listeners.push_back(read_listener(reader));
  }
  configure.admin_socket = reader.descriptor();
  configure.ticket_secret = reader.descriptor();
  configure.workers = reader.number<std::uint32_t>();
  configure.restarts = reader.number<std::uint32_t>();
  TRY_VOID(reader.finish());
  bool usable = configure.workers > 0 && configure.workers <= kMaxWorkers;
  for (const ListenerSockets& listener : configure.listeners) {
    usable = usable && is_usable(listener);
  }
  if (!usable) return base::fail(ErrorCode::protocol, "a message between processes");
  return configure;
}

base::Result<void> send_logs(Channel& channel, std::span<const snapshot::ReopenedLog> logs,
                             base::Deadline deadline) {
  Writer writer;
  writer.number<std::uint64_t>(logs.size());
  for (const snapshot::ReopenedLog& log : logs) {
    writer.text(log.name);
    writer.descriptor(log.file);
  }
  return channel.send(static_cast<std::uint32_t>(MessageType::use_logs), writer.payload,
                      writer.descriptors, deadline);
}

base::Result<std::vector<snapshot::ReopenedLog>> decode_logs(Message message) {
  Reader reader(message.payload, std::move(message.descriptors));
  std::vector<snapshot::ReopenedLog> logs;
  for (std::size_t left = reader.count(1); left > 0 && !reader.failed(); --left) {
    auto& log = logs.emplace_back();
    log.name = reader.text();
    log.file = reader.descriptor();
  }
  TRY_VOID(reader.finish());
  for (const snapshot::ReopenedLog& log : logs) {
    if (!log.file) return base::fail(ErrorCode::protocol, "a message between processes");
  }
  return logs;
}

base::Result<void> send_facts(Channel& channel, const InstanceFacts& facts,
                              base::Deadline deadline) {
  Writer writer;
  writer.number<std::uint64_t>(facts.draining.size());
  for (const DrainingProcess& process : facts.draining) {
    writer.number(static_cast<std::uint32_t>(process.pid));
    write_time(writer, process.since);
    writer.number<std::uint8_t>(process.connections ? 1 : 0);
    writer.number(process.connections.value_or(0));
  }
  writer.number<std::uint8_t>(facts.last_reload ? 1 : 0);
  if (facts.last_reload) {
    writer.number(static_cast<std::uint8_t>(facts.last_reload->kind));
    write_time(writer, facts.last_reload->time);
    writer.number(facts.last_reload->generation);
    writer.text(std::string_view(facts.last_reload->text).substr(0, kMaxFactText));
  }
  writer.number<std::uint8_t>(facts.old_program ? 1 : 0);
  if (facts.old_program) {
    writer.number(static_cast<std::uint32_t>(facts.old_program->pid));
    writer.number(static_cast<std::uint8_t>(facts.old_program->state));
    writer.number<std::uint8_t>(facts.old_program->connections ? 1 : 0);
    writer.number(facts.old_program->connections.value_or(0));
  }
  return channel.send(static_cast<std::uint32_t>(MessageType::inform), writer.payload, {},
                      deadline);
}

base::Result<InstanceFacts> decode_facts(const Message& message) {
  Reader reader(message.payload, {});
  InstanceFacts facts;
  for (std::size_t left = reader.count(1); left > 0 && !reader.failed(); --left) {
    DrainingProcess& process = facts.draining.emplace_back();
    process.pid = static_cast<pid_t>(reader.number<std::uint32_t>());
    process.since = read_time(reader);
    const bool known = reader.flag();
    const auto connections = reader.number<std::uint64_t>();
    if (known) process.connections = connections;
  }
  if (reader.flag()) {
    ReloadOutcome& outcome = facts.last_reload.emplace();
    outcome.kind = reader.choice<ReloadOutcome::Kind>(
        static_cast<std::uint8_t>(ReloadOutcome::Kind::refused) + 1);
    outcome.time = read_time(reader);
    outcome.generation = reader.number<std::uint64_t>();
    outcome.text = reader.text();
  }
  if (reader.flag()) {
    OldProgram& program = facts.old_program.emplace();
    program.pid = static_cast<pid_t>(reader.number<std::uint32_t>());
    program.state =
        reader.choice<OldProgram::State>(static_cast<std::uint8_t>(OldProgram::State::idle) + 1);
    const bool known = reader.flag();
    const auto connections = reader.number<std::uint64_t>();
    if (known) program.connections = connections;
  }
  TRY_VOID(reader.finish());
  return facts;
}

base::Result<void> send_answer(Channel& channel, const Answer& answer, base::Deadline deadline) {
  Writer writer;
  writer.number(answer.generation);
  writer.number(answer.connections);
  writer.text(std::string_view(answer.text).substr(0, kAnswerLimits.payload / 2));
  return channel.send(static_cast<std::uint32_t>(answer.type), writer.payload, {}, deadline);
}

base::Result<Answer> decode_answer(const Message& message) {
  const auto type = static_cast<MessageType>(message.type);
  if (type != MessageType::ready && type != MessageType::rejected && type != MessageType::alive &&
      type != MessageType::informed && type != MessageType::draining) {
    return base::fail(ErrorCode::protocol, "a message between processes");
  }
  Reader reader(message.payload, {});
  Answer answer{.type = type};
  answer.generation = reader.number<std::uint64_t>();
  answer.connections = reader.number<std::uint64_t>();
  answer.text = reader.text();
  TRY_VOID(reader.finish());
  return answer;
}

}  // namespace server
