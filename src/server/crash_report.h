// Crash reports: a process that dies of a signal leaves a backtrace in the error log first.
//
//   sallyport: [emerg] 2026-11-26T14:40:00Z the server process crashed: SIGSEGV at address 0x8
//   sallyport: thread "worker 1" (4711), process 4700, generation 3, sallyport 0.1.0
//   sallyport:  #0 sallyport+0x12ab34 proxy::serve+0x54
//   sallyport:  #1 libc.so.6+0x3bfd0
//   sallyport: build 5f2c…; lines: addr2line -Cfpie PROGRAM 0x12ab34 …
//
// Then the signal takes its course: core dump, exit status. It covers SIGSEGV, SIGBUS, SIGILL,
// SIGFPE and SIGABRT, which is also how a failed CHECK ends (base/check.h has said where).
//
// The handler runs on a stack of its own, since the thread's may be what is used up; it allocates
// nothing and takes no lock of ours. Unwinding is libgcc's, loaded beforehand; should it hang in a
// lock of the loader, an alarm ends the process. Standard error is the error log (daemon.h); if it
// is a pipe that is full, the report is given up. What was told before the crash comes before it:
// the handler gives the log thread a moment. Not under sanitizers, which report better.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace server {

/// For this process, once; `who` ("server process") is static. The calling thread gets its stack.
void report_crashes(std::string_view who);
/// What the report names; from any thread.
void set_crash_generation(std::uint64_t generation) noexcept;

/// The stack on which this thread's handler runs, for as long as it lives.
class CrashStack {
 public:
  CrashStack();
  ~CrashStack();
  CrashStack(const CrashStack&) = delete;
  CrashStack& operator=(const CrashStack&) = delete;

 private:
  static constexpr std::size_t kSize = std::size_t{64} << 10;
  std::unique_ptr<char[]> memory_;
};

}  // namespace server
