#include "server/admin.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "server/local_socket.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "observe/memory_log.h"
#include "server/paths.h"
#include "server/server.h"
#include "server/status.h"
#include "server/worker_reports.h"
#include "snapshot/outline.h"

namespace server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxRequest = 4096;
constexpr std::size_t kMaxClients = 16;
constexpr std::chrono::seconds kPatience{5};

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// What the configuration was loaded from, so that another file can be loaded likewise.
std::string origin_of(const snapshot::Snapshot& snapshot) {
  return text_of({{"file", snapshot.origin.file},
                  {"prefix", snapshot.origin.prefix},
                  {"global", snapshot.origin.global_directives}});
}

std::string remembered_errors() {
  const observe::MemoryLog& log = observe::MemoryLog::of_process();
  if (!log.is_used()) {
    return R"({"error":"there is no \"error_log memory:SIZE\", or nothing was logged there yet"})";
  }
  return text_of({{"text", log.text()}});
}

std::string ready(const Server& server) {
  const observe::Readiness& readiness = server.readiness();
  Json reasons = Json::array();
  if (readiness.draining) reasons.push_back("draining");
  for (const std::string& reason : server.not_listening()) reasons.push_back(reason);
  if (!readiness.listening && server.not_listening().empty()) reasons.push_back("not listening");
  return text_of({{"ready", reasons.empty()}, {"reasons", reasons}});
}

}  // namespace

std::expected<std::string, std::string> ask(const std::string& path, std::string_view request) {
  auto client = LocalClient::connect(path);
  if (!client) return std::unexpected(client.error());
  if (const auto sent = client->send(request); !sent) return std::unexpected(sent.error());
  return client->receive(kPatience);
}

Admin::Admin(io::EventLoop& loop, std::unique_ptr<io::Listener> listener, const Server& server,
             const ProcessFacts& facts)
    : loop_(loop), listener_(std::move(listener)), server_(server), facts_(facts) {}

Admin::~Admin() {
  const async::Executor::Use use(loop_.executor());
  scope_.request_stop();
  loop_.run_until_idle();
}

base::Result<std::unique_ptr<Admin>> Admin::start(io::EventLoop& loop, base::Fd socket,
                                                  const Server& server, const ProcessFacts& facts) {
  TRY(auto listener, io::Listener::adopt(loop, std::move(socket)));
  std::unique_ptr<Admin> admin(new Admin(loop, std::move(listener), server, facts));
  loop.post([&admin = *admin] {
    admin.accepting_.spawn(admin.accept());
    admin.accepting_.spawn(admin.sample());
  });
  return admin;
}

async::Task<void> Admin::accept() {
  bool last_look = false;
  while (true) {
    auto accepted = co_await listener_->accept();
    if (accepted) {
      const bool welcome =
          scope_.running() < kMaxClients && may_ask(accepted->socket.get(), facts_.owner);
      if (welcome) scope_.spawn(serve(std::move(accepted->socket)));
    } else if (accepted.error().is(base::ErrorCode::cancelled)) {
      if (std::exchange(last_look, true)) break;
    } else if (!co_await io::sleep_until(loop_, loop_.now() + std::chrono::milliseconds(100))) {
      break;
    }
  }
  // Another process may have the same socket: it must be the one that is woken.
  listener_.reset();
}

async::Task<void> Admin::finish(std::function<void()> done) {
  co_await accepting_.join();
  co_await scope_.join();
  done();
}

async::Task<void> Admin::serve(base::Fd socket) {
  auto stream = io::SocketStream::adopt(loop_, std::move(socket));
  if (!stream) co_return;
  const base::Deadline deadline = loop_.now() + kPatience;
  std::string line;
  std::array<char, kMaxRequest> buffer{};
  while (line.find('\n') == std::string::npos) {
    const auto got = co_await io::read(**stream, buffer, deadline);
    if (!got || *got == 0 || line.size() + *got > kMaxRequest) co_return;
    line.append(buffer.data(), *got);
  }
  line.resize(line.find('\n'));
  std::string text = co_await answer(std::move(line)) + '\n';
  iovec piece{.iov_base = text.data(), .iov_len = text.size()};
  static_cast<void>(co_await io::write_all(**stream, {&piece, 1}, deadline));
}

async::Task<std::string> Admin::answer(std::string request) {
  const Json parsed = Json::parse(request, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("command") || !parsed["command"].is_string()) {
    co_return R"({"error":"expected {\"command\": ...}"})";
  }
  const auto command = parsed["command"].get<std::string>();
  if (command == "status") co_return co_await status();
  if (command == "alive") co_return co_await alive();
  if (command == "ready") co_return ready(server_);
  if (command == "errors") co_return remembered_errors();
  const auto snapshot = server_.snapshot();
  if (command != "outline" && command != "origin") co_return R"({"error":"unknown command"})";
  if (snapshot == nullptr) co_return R"({"error":"there is no configuration yet"})";
  if (command == "origin") co_return origin_of(*snapshot);
  co_return snapshot::to_json(snapshot::outline(*snapshot));
}

async::Task<std::string> Admin::alive() {
  const std::vector<WorkerReport> reports = co_await collect_reports(server_, loop_);
  Json reasons = Json::array();
  for (const unsigned worker : silent_workers(server_, reports)) {
    reasons.push_back(fmt::format("worker {} does not answer", worker));
  }
  co_return text_of({{"alive", reasons.empty()}, {"reasons", reasons}});
}

async::Task<std::string> Admin::status() {
  const std::vector<WorkerReport> reports = co_await collect_reports(server_, loop_);
  const std::vector<observe::Reading> readings = server_.readings();
  const base::WallTime now = std::chrono::system_clock::now();
  co_return status_json({.server = server_,
                         .process = facts_,
                         .reports = reports,
                         .readings = readings,
                         .lately = recent_.since(readings, loop_.now()),
                         .now = now});
}

// For what happened lately.
async::Task<void> Admin::sample() {
  while (true) {
    recent_.sample(server_.readings(), loop_.now());
    if (!co_await io::sleep_until(loop_, loop_.now() + Recent::kPause)) co_return;
  }
}

}  // namespace server
