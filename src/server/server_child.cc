#include "server/server_child.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "server/machine.h"
#include "server/server_process.h"
#include "server/signals.h"

namespace server {
namespace {

constexpr std::chrono::seconds kSendPatience{30};
constexpr std::chrono::seconds kAnswerPatience{2};  // for the rest of an answer that has begun
constexpr std::chrono::seconds kTerminatePatience{5};  // then SIGKILL

base::TimePoint now() { return std::chrono::steady_clock::now(); }

}  // namespace

ServerChild::ServerChild(pid_t pid, Channel channel)
    : pid_(pid), channel_(std::move(channel)), spawned_(now()) {}

base::Result<std::unique_ptr<ServerChild>> ServerChild::spawn(
    const snapshot::MachineOptions& machine, const observe::ErrorLog& log) {
  TRY(auto ends, Channel::make_pair());
  const pid_t child = ::fork();
  if (child < 0) return base::fail(base::error_from_errno(errno, "fork() failed"));
  if (child == 0) {
    restore_signals();
    take_from_machine(machine, log);
    auto environment = server_environment(machine.environment, ::environ);
    exec_server_process(ends.second.fd(), environment);
  }
  return adopt(child, std::move(ends.first));
}

std::unique_ptr<ServerChild> ServerChild::adopt(pid_t pid, Channel channel) {
  return std::unique_ptr<ServerChild>(new ServerChild(pid, std::move(channel)));
}

base::Result<void> ServerChild::begin(const Identity& identity, const Succession& succession) {
  if (!channel_) return base::fail(base::ErrorCode::end_of_stream);
  return send_beginning(*channel_, identity, succession, now() + kSendPatience);
}

base::Result<void> ServerChild::configure(const Configure& message) {
  if (!channel_) return base::fail(base::ErrorCode::end_of_stream);
  return send_configure(*channel_, message, now() + kSendPatience);
}

void ServerChild::use_logs(std::span<const snapshot::ReopenedLog> logs) {
  if (channel_) static_cast<void>(send_logs(*channel_, logs, now() + kAnswerPatience));
}

void ServerChild::ask() {
  if (!channel_) return;
  static_cast<void>(channel_->send(static_cast<std::uint32_t>(MessageType::ask), {}, {},
                                   now() + kAnswerPatience));
}

void ServerChild::inform(InstanceFacts facts) {
  if (!channel_) return;
  if (informing_) {
    news_ = std::move(facts);
    return;
  }
  informing_ = send_facts(*channel_, facts, now() + kAnswerPatience).has_value();
}

void ServerChild::end(MessageType how, std::optional<base::Duration> patience) {
  if (!ending_since_) ending_since_ = std::chrono::system_clock::now();
  const auto told =
      channel_ ? channel_->send(static_cast<std::uint32_t>(how), {}, {}, now() + kAnswerPatience)
               : base::fail(base::ErrorCode::end_of_stream);
  if (!told || how == MessageType::terminate) {
    terminate_at_ = base::kNoDeadline;
    kill_at_ = std::min(kill_at_, now() + kTerminatePatience);
  } else if (patience) {
    terminate_at_ = now() + *patience;
  }
}

base::Result<Answer> ServerChild::receive() {
  const auto message = channel_->receive(kAnswerLimits, now() + kAnswerPatience);
  auto answer = message ? decode_answer(*message) : base::fail(message.error());
  if (!answer) {
    channel_.reset();
    kill_at_ = std::min(kill_at_, now() + kTerminatePatience);
    return answer;
  }
  if (answer->type == MessageType::draining) connections_ = answer->connections;
  if (answer->type == MessageType::informed) {
    informing_ = false;
    if (auto news = std::exchange(news_, std::nullopt)) inform(*std::move(news));
  }
  return answer;
}

void ServerChild::kill() noexcept { ::kill(pid_, SIGKILL); }

base::TimePoint ServerChild::due() const noexcept { return std::min(terminate_at_, kill_at_); }

std::string ServerChild::on_time(base::TimePoint now) {
  if (kill_at_ <= now) {
    kill_at_ = base::kNoDeadline;
    kill();
    return fmt::format("server process {} does not end, killing it", pid_);
  }
  if (terminate_at_ > now) return {};
  end(MessageType::terminate);
  return fmt::format(
      "server process {} still has connections after worker_shutdown_timeout, "
      "closing them",
      pid_);
}

std::string describe_exit(std::string_view what, pid_t pid, int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("{} {} exited on signal {}{}", what, pid, WTERMSIG(status),
                       WCOREDUMP(status) ? " (core dumped)" : "");
  }
  return fmt::format("{} {} exited with code {}", what, pid, WEXITSTATUS(status));
}

}  // namespace server
