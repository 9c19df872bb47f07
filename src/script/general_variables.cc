// Variables of the program and of time: they need no exchange.
#include <unistd.h>

#include <array>
#include <ctime>
#include <string>

#include "base/text.h"
#include "observe/time_text.h"
#include "script/getters.h"

namespace script {
namespace {

std::string ask_hostname() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return {};
  return base::lower(name.data());
}

Text hostname(Subject&, const Suffix&) {
  static const std::string name = ask_hostname();
  return name;
}
Text pid(Subject& subject, const Suffix&) {
  return number_text(subject.arena, static_cast<std::uint64_t>(getpid()));
}
Text nginx_version(Subject&, const Suffix&) { return kNginxVersion; }
Text msec(Subject& subject, const Suffix&) {
  return seconds_text(subject.arena, subject.wall.time_since_epoch());
}
Text time_iso8601(Subject& subject, const Suffix&) {
  return subject.arena.copy(observe::local_time_texts(subject.wall).iso8601);
}
Text time_local(Subject& subject, const Suffix&) {
  return subject.arena.copy(observe::local_time_texts(subject.wall).common);
}

// nginx's notation where no SSI page says another one: "Friday, 27-Nov-2026 18:01:04 UTC".
Text date_text(Subject& subject, tm* (*broken_down)(const time_t*, tm*)) {
  const time_t now = std::chrono::system_clock::to_time_t(
      std::chrono::floor<std::chrono::system_clock::duration>(subject.wall));
  tm parts{};
  std::array<char, 64> text{};
  if (broken_down(&now, &parts) == nullptr) return std::nullopt;
  const auto size = std::strftime(text.data(), text.size(), "%A, %d-%b-%Y %H:%M:%S %Z", &parts);
  return subject.arena.copy({text.data(), size});
}
Text date_gmt(Subject& subject, const Suffix&) { return date_text(subject, gmtime_r); }
Text date_local(Subject& subject, const Suffix&) { return date_text(subject, localtime_r); }

constexpr VariableSpec kTable[] = {
    {.name = "date_gmt",
     .get = date_gmt,
     .documentation = "the time in GMT as Monday, 23-Nov-2026 09:34:28 GMT"},
    {.name = "date_local",
     .get = date_local,
     .documentation = "local time as Monday, 23-Nov-2026 09:34:28 UTC"},
    {.name = "hostname", .get = hostname, .documentation = "the machine's name"},
    {.name = "msec", .get = msec, .documentation = "the current time in seconds with milliseconds"},
    {.name = "nginx_version",
     .get = nginx_version,
     .documentation = "the version of nginx whose language is spoken"},
    {.name = "pid", .get = pid, .documentation = "the number of the server process"},
    {.name = "time_iso8601",
     .get = time_iso8601,
     .documentation = "local time as 2026-11-23T09:34:28+00:00"},
    {.name = "time_local",
     .get = time_local,
     .documentation = "local time as 23/Nov/2026:09:34:28 +0000"},
};

}  // namespace

constinit const VariableTable kGeneralVariables = kTable;

}  // namespace script
