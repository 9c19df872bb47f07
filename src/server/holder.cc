#include "server/holder.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "server/orphans.h"

namespace server {

#ifdef SALLYPORT_SANITIZED
base::Result<std::unique_ptr<Holder>> Holder::start(int /*giver*/) { return nullptr; }
#else

namespace {

/// What ps shows: argv[0] is written over, in place.
void rename_process() {
  constexpr std::string_view kName = "sallyport: holder";
  const std::size_t room = std::string_view(::program_invocation_name).size();
  if (room < kName.size()) return;
  kName.copy(::program_invocation_name, kName.size());
}

/// All that are open in this process.
std::vector<int> open_descriptors() {
  std::vector<int> found;
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return found;
  const int own = ::dirfd(directory);
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    int number = -1;
    const auto [end, error] = std::from_chars(name.begin(), name.end(), number);
    if (error == std::errc{} && end == name.end() && number != own) found.push_back(number);
  }
  ::closedir(directory);
  return found;
}

// glibc's copy of this process's state is that of a thread which is not here: no threads, no
// abort(), no exit() from here on.
[[noreturn]] void hold(int server, int giver, pid_t supervisor) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != supervisor) ::_exit(0);  // it has ended already
  rename_process();
  pollfd entry{.fd = server, .events = POLLIN, .revents = 0};
  while (::poll(&entry, 1, -1) != 1) {
  }
  ::close(server);  // also to have one for opendir()
  std::vector<int> descriptors = open_descriptors();
  std::erase(descriptors, giver);
  settle_orphans(descriptors, giver);
  ::_exit(0);
}

}  // namespace

base::Result<std::unique_ptr<Holder>> Holder::start(int giver) {
  base::Fd server(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!server) return base::fail(base::error_from_errno(errno, "pidfd_open() failed"));
  const pid_t supervisor = ::getppid();
  // What ends a group of processes in order (systemd, a terminal) is not for the holder.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int process = -1;
  const auto pid =
      static_cast<pid_t>(::syscall(SYS_clone, CLONE_FILES | CLONE_PARENT | CLONE_PIDFD | SIGCHLD,
                                   nullptr, &process, nullptr, nullptr));
  if (pid == 0) hold(server.get(), giver, supervisor);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return base::fail(base::error_from_errno(error, "clone() failed"));
  return std::unique_ptr<Holder>(new Holder(pid, base::Fd(process), std::move(server)));
}

#endif

Holder::~Holder() {
  ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
  constexpr int kMilliseconds = 1000;  // it can't be told from none; the kernel ends it meanwhile
  pollfd entry{.fd = process_.get(), .events = POLLIN, .revents = 0};
  ::poll(&entry, 1, kMilliseconds);
}

}  // namespace server
