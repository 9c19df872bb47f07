#include "server/crash_report.h"

#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>

#include "observe/error_log.h"
#include "server/build_info.h"
#include "server/symbols.h"

namespace server {

#ifdef SALLYPORT_SANITIZED
void report_crashes(std::string_view /*who*/) {}
CrashStack::CrashStack() = default;
CrashStack::~CrashStack() = default;
#else

namespace {

constexpr std::array kSignals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr unsigned kPatience = 10;  // seconds
constexpr int kLastWordsMilliseconds = 50;
constexpr int kPipeMilliseconds = 100;
constexpr std::size_t kMostFrames = 64;
constexpr std::size_t kMostModules = 64;

/// A loaded file. All of them are noted beforehand: to ask the loader takes its lock.
struct Module {
  std::uintptr_t begin = 0;  // where it is loaded; offsets count from here
  std::uintptr_t first = 0;  // its mapped addresses
  std::uintptr_t end = 0;
  std::array<char, 64> name{};
};

struct Facts {
  std::string_view who;
  std::string_view version;
  int program = -1;  // this program's file
  std::array<char, 256> path{};
  std::array<char, 64> build_id{};  // in hexadecimal
  std::array<Module, kMostModules> modules{};
  std::size_t module_count = 0;
};
Facts facts;
std::atomic<std::uint64_t> generation{0};
std::atomic<bool> reporting{false};

/// A pipe that nobody reads must not keep a process that is to be started again.
bool has_room() {
  static bool has_failed = false;  // one thread reports
  if (has_failed) return false;
  pollfd entry{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  has_failed = ::poll(&entry, 1, kPipeMilliseconds) != 1 || (entry.revents & POLLOUT) == 0;
  return !has_failed;
}

/// One line for standard error, made without allocation.
class Line {
 public:
  Line() { *this << "sallyport: "; }
  Line& operator<<(std::string_view text) {
    text = text.substr(0, text_.size() - 1 - used_);
    std::ranges::copy(text, text_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += text.size();
    return *this;
  }
  Line& number(std::uint64_t value, unsigned base = 10, std::size_t width = 1) {
    std::array<char, 24> digits{};
    std::size_t at = digits.size();
    do {
      digits[--at] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value > 0);
    while (digits.size() - at < width) digits[--at] = '0';
    return *this << std::string_view(digits.data() + at, digits.size() - at);
  }
  Line& hex(std::uint64_t value) { return (*this << "0x").number(value, 16); }
  void write() {
    text_[used_++] = '\n';
    if (has_room()) {
      [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text_.data(), used_);
    }
    used_ = 0;
  }

 private:
  std::array<char, 2048> text_{};
  std::size_t used_ = 0;
};

std::string_view text_of(std::span<const char> characters) {
  return {characters.data(), ::strnlen(characters.data(), characters.size())};
}

const Module* module_of(std::uintptr_t address) {
  const auto modules = std::span(facts.modules).first(facts.module_count);
  const auto found = std::ranges::find_if(modules, [address](const Module& each) {
    return address >= each.first && address < each.end;
  });
  return found == modules.end() ? nullptr : &*found;
}

void write_time(Line& line) {
  using namespace std::chrono;
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  const sys_seconds now{seconds(time.tv_sec)};
  const auto day = floor<days>(now);
  const year_month_day date{day};
  const hh_mm_ss clock{now - day};
  const auto two = [&line](std::string_view before, auto value) {
    (line << before).number(static_cast<std::uint64_t>(value), 10, 2);
  };
  line.number(static_cast<std::uint64_t>(static_cast<int>(date.year())));
  two("-", static_cast<unsigned>(date.month()));
  two("-", static_cast<unsigned>(date.day()));
  two("T", clock.hours().count());
  two(":", clock.minutes().count());
  two(":", clock.seconds().count());
  line << "Z ";
}

void write_cause(int number, const siginfo_t& info) {
  Line line;
  line << "[emerg] ";
  write_time(line);
  const char* name = ::sigabbrev_np(number);
  line << "the " << facts.who << " crashed: SIG" << (name != nullptr ? name : "?");
  if (info.si_code == SI_USER || info.si_code == SI_TKILL) {
    if (info.si_pid != ::getpid()) {
      (line << ", sent by process ").number(static_cast<std::uint64_t>(info.si_pid));
    }
  } else if (number != SIGABRT) {
    (line << " at address ").hex(std::bit_cast<std::uintptr_t>(info.si_addr));
  }
  line.write();
}

void write_place() {
  std::array<char, 16> name{};
  ::pthread_getname_np(::pthread_self(), name.data(), name.size());
  Line line;
  (line << "thread \"" << text_of(name) << "\" (").number(static_cast<std::uint64_t>(::gettid()));
  (line << "), process ").number(static_cast<std::uint64_t>(::getpid()));
  (line << ", generation ").number(generation.load(std::memory_order_relaxed));
  (line << ", sallyport " << facts.version).write();
}

Symbols own_symbols() {
  struct stat status{};
  if (::fstat(facts.program, &status) != 0) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, facts.program, 0);
  if (bytes == MAP_FAILED) return {};
  return Symbols({static_cast<const char*>(bytes), size});
}

void write_frames() {
  std::array<void*, kMostFrames> frames{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  const Symbols symbols = own_symbols();
  Line places;
  places << "build " << text_of(facts.build_id) << "; lines: addr2line -Cfpie "
         << text_of(facts.path);
  std::uint64_t number = 0;
  for (void* frame : std::span(frames).first(static_cast<std::size_t>(std::max(count, 0)))) {
    const auto address = std::bit_cast<std::uintptr_t>(frame);
    Line line;
    (line << (number < 10 ? " #" : "#")).number(number) << " ";
    ++number;
    const Module* module = module_of(address);
    if (module == nullptr) {
      line.hex(address).write();
      continue;
    }
    const std::uintptr_t offset = address - module->begin;
    (line << text_of(module->name) << "+").hex(offset);
    if (module == facts.modules.data()) {
      (places << " ").hex(offset);
      // A return address may be the first byte behind its function.
      const auto found = symbols.find(offset - 1);
      std::array<char, 200> room{};
      if (!found.name.empty()) {
        (line << " " << shorten_symbol(found.name, room) << "+").hex(found.distance + 1);
      }
    }
    line.write();
  }
  places.write();
}

void on_crash(int number, siginfo_t* info, void* /*context*/) {
  // Another thread is reporting already: let it finish, the process ends with it.
  while (reporting.exchange(true)) ::sleep(kPatience);
  ::signal(SIGALRM, SIG_DFL);
  ::alarm(kPatience);
  // Error lines that the log thread is about to write come first; it runs on, unless it is the one.
  const timespec moment{.tv_sec = 0, .tv_nsec = 1'000'000};
  for (int i = 0; i < kLastWordsMilliseconds && observe::ErrorLog::is_behind(); ++i) {
    ::nanosleep(&moment, nullptr);
  }
  write_cause(number, *info);
  write_place();
  write_frames();
  // SA_RESETHAND: this time it does what it always did. Pending until the handler has returned.
  ::raise(number);
}

/// The note in which the linker keeps a digest of the program.
void note_build_id(const dl_phdr_info& info) {
  for (const auto& header : std::span(info.dlpi_phdr, info.dlpi_phnum)) {
    if (header.p_type != PT_NOTE) continue;
    std::string_view notes(std::bit_cast<const char*>(info.dlpi_addr + header.p_vaddr),
                           header.p_memsz);
    while (notes.size() >= sizeof(ElfW(Nhdr))) {
      ElfW(Nhdr) note;
      std::memcpy(&note, notes.data(), sizeof note);
      const std::size_t name = (note.n_namesz + 3U) & ~3U;
      const std::size_t text = (note.n_descsz + 3U) & ~3U;
      notes.remove_prefix(sizeof note);
      if (notes.size() < name + text) return;
      if (note.n_type == NT_GNU_BUILD_ID) {
        std::size_t at = 0;
        for (const char byte : notes.substr(name, note.n_descsz)) {
          if (at + 2 >= facts.build_id.size()) return;
          const auto value = static_cast<unsigned char>(byte);
          facts.build_id[at++] = "0123456789abcdef"[value >> 4U];
          facts.build_id[at++] = "0123456789abcdef"[value & 15U];
        }
        return;
      }
      notes.remove_prefix(name + text);
    }
  }
}

int note_module(dl_phdr_info* info, std::size_t /*size*/, void* /*none*/) {
  if (facts.module_count == facts.modules.size()) return 1;
  Module& module = facts.modules[facts.module_count];
  module.begin = info->dlpi_addr;
  module.first = UINTPTR_MAX;
  for (const auto& header : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
    if (header.p_type != PT_LOAD) continue;
    module.first = std::min(module.first, info->dlpi_addr + header.p_vaddr);
    module.end = std::max(module.end, info->dlpi_addr + header.p_vaddr + header.p_memsz);
  }
  // The program itself comes first, without a name.
  const bool is_program = facts.module_count == 0;
  std::string_view name = is_program ? "sallyport" : std::string_view(info->dlpi_name);
  name.remove_prefix(name.rfind('/') + 1);
  std::ranges::copy(name.substr(0, module.name.size() - 1), module.name.begin());
  if (is_program) note_build_id(*info);
  ++facts.module_count;
  return 0;
}

}  // namespace

void report_crashes(std::string_view who) {
  static CrashStack stack;
  facts.who = who;
  facts.version = version();
  facts.program = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  [[maybe_unused]] const auto size =
      ::readlink("/proc/self/exe", facts.path.data(), facts.path.size() - 1);
  facts.module_count = 0;
  std::array<void*, 1> frame{};
  ::backtrace(frame.data(), 1);  // loads libgcc, which must not happen in the handler
  ::dl_iterate_phdr(note_module, nullptr);
  struct sigaction action{};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  ::sigemptyset(&action.sa_mask);
  for (const int number : kSignals) ::sigaction(number, &action, nullptr);
}

CrashStack::CrashStack() : memory_(std::make_unique<char[]>(kSize)) {
  const stack_t stack{.ss_sp = memory_.get(), .ss_flags = 0, .ss_size = kSize};
  ::sigaltstack(&stack, nullptr);
}

CrashStack::~CrashStack() {
  const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
  ::sigaltstack(&none, nullptr);
}

#endif

void set_crash_generation(std::uint64_t number) noexcept {
#ifndef SALLYPORT_SANITIZED
  generation.store(number, std::memory_order_relaxed);
#else
  static_cast<void>(number);
#endif
}

}  // namespace server
