#include "observe/time_text.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <limits>

namespace observe {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Cache {
  std::time_t second = std::numeric_limits<std::time_t>::min();
  std::array<char, 48> error_log{};
  std::array<char, 48> common{};
  std::array<char, 48> iso8601{};
  std::array<char, 48> syslog{};
  TimeTexts texts{};
};

template <class... Arguments>
std::string_view print(std::array<char, 48>& into, fmt::format_string<Arguments...> format,
                       Arguments&&... arguments) {
  const auto result =
      fmt::format_to_n(into.data(), into.size(), format, std::forward<Arguments>(arguments)...);
  return {into.data(), std::min(result.size, into.size())};
}

void fill(Cache& cache, std::time_t second) {
  std::tm local{};
  localtime_r(&second, &local);
  const int year = local.tm_year + 1900;
  const int month = local.tm_mon + 1;
  const long offset_minutes = local.tm_gmtoff / 60;
  const char sign = offset_minutes < 0 ? '-' : '+';
  const long hours = std::labs(offset_minutes) / 60;
  const long minutes = std::labs(offset_minutes) % 60;
  const std::string_view month_name =
      kMonths[static_cast<std::size_t>(local.tm_mon) % kMonths.size()];
  cache.second = second;
  cache.texts.error_log = print(cache.error_log, "{:04}/{:02}/{:02} {:02}:{:02}:{:02}", year, month,
                                local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
  cache.texts.common =
      print(cache.common, "{:02}/{}/{:04}:{:02}:{:02}:{:02} {}{:02}{:02}", local.tm_mday,
            month_name, year, local.tm_hour, local.tm_min, local.tm_sec, sign, hours, minutes);
  cache.texts.iso8601 =
      print(cache.iso8601, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{:02}:{:02}", year, month,
            local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, sign, hours, minutes);
  cache.texts.syslog = print(cache.syslog, "{} {:>2} {:02}:{:02}:{:02}", month_name, local.tm_mday,
                             local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace

TimeTexts local_time_texts(base::WallTime time) noexcept {
  thread_local Cache cache;
  const std::time_t second =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  if (second != cache.second) fill(cache, second);
  return cache.texts;
}

}  // namespace observe
