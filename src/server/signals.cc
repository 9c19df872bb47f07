#include "server/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>

#include "base/check.h"

namespace server {
namespace {

constexpr std::array kTaken{SIGQUIT, SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2, SIGWINCH};
constexpr std::array kIgnored{SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGPIPE};

sigset_t taken() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : kTaken) ::sigaddset(&set, number);
  return set;
}

}  // namespace

base::Fd take_signals() {
  const sigset_t set = taken();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  // SIGCHLD that an ancestor ignored would never come; the default action keeps zombies for us.
  for (const int number : kTaken) ::signal(number, SIG_DFL);
  base::Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  CHECK(fd);
  return fd;
}

std::optional<int> next_signal(const base::Fd& signals) {
  signalfd_siginfo info{};
  if (::read(signals.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

void restore_signals() noexcept {
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

void ignore_signals() noexcept {
  for (const int number : kIgnored) ::signal(number, SIG_IGN);
}

}  // namespace server
