#include "server/control.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "observe/memory_log.h"
#include "server/local_socket.h"

namespace server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxRequest = 4096;
constexpr std::size_t kMaxClients = 16;
// So that the answer fits into the socket's buffer.
constexpr std::size_t kMaxErrors = std::size_t{64} << 10;

std::string text_of(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void say(int socket, bool ok, std::uint64_t generation, std::string_view text) {
  Json answer{{"ok", ok}, {"generation", generation}, {"text", text}};
  const std::string line = answer.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  // An answer fits into the socket's buffer; whoever does not read it gets none.
  [[maybe_unused]] const auto sent =
      ::send(socket, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

void Control::append_to(std::vector<pollfd>& entries) const {
  if (!socket_) return;
  entries.push_back({.fd = socket_.get(), .events = POLLIN, .revents = 0});
  for (const Client& client : clients_) {
    entries.push_back({.fd = client.socket.get(), .events = POLLIN, .revents = 0});
  }
}

std::vector<Control::Request> Control::take() {
  std::vector<Request> requests;
  if (!socket_) return requests;
  accept();
  std::erase_if(clients_, [&](Client& client) {
    if (read(client, requests)) return false;
    requests.push_back({.kind = Request::Kind::gone, .client = client.number});
    return true;
  });
  return requests;
}

void Control::accept() {
  while (true) {
    base::Fd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client) return;
    if (clients_.size() >= kMaxClients || !may_ask(client.get(), owner_)) continue;
    clients_.push_back({.number = ++last_, .socket = std::move(client)});
  }
}

bool Control::read(Client& client, std::vector<Request>& requests) {
  std::array<char, kMaxRequest> buffer{};
  while (true) {
    const ssize_t got = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    client.line.append(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = client.line.find('\n')) != std::string::npos;) {
      const std::string line = client.line.substr(0, end);
      client.line.erase(0, end + 1);
      understand(client, line, requests);
    }
    if (client.line.size() > kMaxRequest) return false;
  }
}

void Control::understand(Client& client, std::string_view line, std::vector<Request>& requests) {
  using enum Request::Kind;
  const Json request = Json::parse(line, nullptr, false);
  const std::string command = request.is_object() ? text_of(request, "command") : "";
  if (command == "reload") {
    requests.push_back({.kind = reload, .client = client.number});
  } else if (command == "apply" && text_of(request, "file").starts_with('/')) {
    requests.push_back({.kind = apply, .client = client.number, .file = text_of(request, "file")});
  } else if (command == "keep") {
    requests.push_back({.kind = keep, .client = client.number});
  } else if (command == "errors") {
    const observe::MemoryLog& log = observe::MemoryLog::of_process();
    say(client.socket.get(), log.is_used(), 0, log.text(kMaxErrors));
  } else if (command == "reopen") {
    requests.push_back({.kind = reopen, .client = client.number});
  } else {
    say(client.socket.get(), false, 0,
        "expected {\"command\": \"reload\" | \"apply\" | \"keep\" | \"reopen\" | \"errors\"}");
  }
}

void Control::answer(std::uint64_t client, bool ok, std::uint64_t generation,
                     std::string_view text) {
  const auto found = std::ranges::find(clients_, client, &Client::number);
  if (found != clients_.end()) say(found->socket.get(), ok, generation, text);
}

}  // namespace server
