#include "server/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

namespace server {
namespace {

// What a process does with signals is the whole process's, so each test has one of its own: the
// number that `body` returns, or that of the signal that ended it, negated.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(Signals, AreReadInsteadOfMet) {
  EXPECT_EQ(in_child([] {
              const base::Fd signals = take_signals();
              if (next_signal(signals)) return 1;  // nothing came yet
              ::raise(SIGHUP);
              ::raise(SIGTERM);
              const auto first = next_signal(signals);
              const auto second = next_signal(signals);
              if (first != SIGHUP || second != SIGTERM) return 2;
              return next_signal(signals) ? 3 : 0;
            }),
            0);
}

TEST(Signals, ABrokenPipeIsNoSignal) {
  EXPECT_EQ(in_child([] {
              const base::Fd signals = take_signals();
              ::raise(SIGPIPE);
              return next_signal(signals) ? 1 : 0;
            }),
            0);
}

TEST(Signals, AChildThatAnAncestorIgnoredIsHeardOf) {
  EXPECT_EQ(in_child([] {
              ::signal(SIGCHLD, SIG_IGN);
              const base::Fd signals = take_signals();
              if (::fork() == 0) ::_exit(0);
              siginfo_t info{};
              if (::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0) return 1;  // it is kept for us
              return next_signal(signals) == SIGCHLD ? 0 : 2;
            }),
            0);
}

TEST(Signals, ARestoredOneEndsTheProcessAgain) {
  EXPECT_EQ(in_child([] {
              const base::Fd signals = take_signals();
              restore_signals();
              ::raise(SIGTERM);
              return 1;
            }),
            -SIGTERM);
  EXPECT_EQ(in_child([] {
              const base::Fd signals = take_signals();
              restore_signals();
              ::raise(SIGPIPE);
              return 1;
            }),
            -SIGPIPE);
}

TEST(Signals, OfTheTerminalAreNoBusinessOfAChild) {
  EXPECT_EQ(in_child([] {
              ignore_signals();
              for (const int number : {SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH}) {
                ::raise(number);
              }
              return 7;
            }),
            7);
  EXPECT_EQ(in_child([] {
              ignore_signals();
              ::raise(SIGTERM);
              return 1;
            }),
            -SIGTERM);
}

}  // namespace
}  // namespace server
