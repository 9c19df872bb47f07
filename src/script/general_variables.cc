// Variables of the program and of time: they need no exchange.
#include <unistd.h>

#include <array>
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

constexpr VariableSpec kTable[] = {
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
