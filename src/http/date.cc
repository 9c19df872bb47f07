#include "http/date.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>

#include "base/text.h"

namespace http {

namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kLongDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void put_digits(std::span<char> into, unsigned value) noexcept {
  for (std::size_t i = into.size(); i-- > 0; value /= 10)
    into[i] = static_cast<char>('0' + value % 10);
}

// A cursor over the text: each step either matches exactly or makes the whole parse fail.
class DateReader {
 public:
  explicit DateReader(std::string_view text) noexcept : rest_(text) {}

  void literal(std::string_view expected) noexcept {
    if (!rest_.starts_with(expected)) return fail();
    rest_.remove_prefix(expected.size());
  }
  unsigned digits(std::size_t count) noexcept {
    if (rest_.size() < count) return fail(), 0;
    const auto value = base::parse_number<unsigned>(rest_.substr(0, count));
    if (!value) return fail(), 0;
    rest_.remove_prefix(count);
    return *value;
  }
  /// asctime pads the day of the month with a space.
  unsigned padded_day() noexcept {
    if (!rest_.starts_with(' ')) return digits(2);
    rest_.remove_prefix(1);
    return digits(1);
  }
  std::size_t one_of(std::span<const std::string_view> words) noexcept {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (!rest_.starts_with(words[i])) continue;
      rest_.remove_prefix(words[i].size());
      return i;
    }
    return fail(), 0;
  }
  [[nodiscard]] bool starts_with(char c) const noexcept { return rest_.starts_with(c); }
  [[nodiscard]] bool succeeded() const noexcept { return !failed_ && rest_.empty(); }

 private:
  void fail() noexcept { failed_ = true; }
  std::string_view rest_;
  bool failed_ = false;
};

struct Civil {
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

void read_time(DateReader& reader, Civil& civil) noexcept {
  civil.hour = reader.digits(2);
  reader.literal(":");
  civil.minute = reader.digits(2);
  reader.literal(":");
  civil.second = reader.digits(2);
}

std::optional<std::chrono::sys_seconds> to_time(const Civil& civil) noexcept {
  using namespace std::chrono;
  const year_month_day date{year{static_cast<int>(civil.year)}, month{civil.month}, day{civil.day}};
  // A leap second is written 60 and means the next minute.
  if (!date.ok() || civil.hour > 23 || civil.minute > 59 || civil.second > 60) return std::nullopt;
  return sys_days{date} + hours{civil.hour} + minutes{civil.minute} + seconds{civil.second};
}

}  // namespace

HttpDate http_date(std::chrono::sys_seconds time) noexcept {
  using namespace std::chrono;
  constexpr sys_seconds kFirst = sys_days{year{0} / January / 1};
  constexpr sys_seconds kLast = sys_days{year{10000} / January / 1} - seconds{1};
  time = std::clamp(time, kFirst, kLast);
  const auto day_point = floor<days>(time);
  const year_month_day date{day_point};
  const hh_mm_ss clock{time - day_point};
  HttpDate text{};
  std::ranges::copy(std::string_view("Day, 00 Mon 0000 00:00:00 GMT"), text.begin());
  const std::span<char> out(text);
  std::ranges::copy(kDays[weekday{day_point}.c_encoding()], out.begin());
  put_digits(out.subspan(5, 2), static_cast<unsigned>(date.day()));
  std::ranges::copy(kMonths[static_cast<unsigned>(date.month()) - 1], out.subspan(8).begin());
  put_digits(out.subspan(12, 4), static_cast<unsigned>(static_cast<int>(date.year())));
  put_digits(out.subspan(17, 2), static_cast<unsigned>(clock.hours().count()));
  put_digits(out.subspan(20, 2), static_cast<unsigned>(clock.minutes().count()));
  put_digits(out.subspan(23, 2), static_cast<unsigned>(clock.seconds().count()));
  return text;
}

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) noexcept {
  DateReader reader(text);
  Civil civil;
  const std::size_t comma = text.find(',');
  if (comma == 3) {  // Sun, 06 Nov 1994 08:49:37 GMT
    reader.one_of(kDays);
    reader.literal(", ");
    civil.day = reader.digits(2);
    reader.literal(" ");
    civil.month = static_cast<unsigned>(reader.one_of(kMonths)) + 1;
    reader.literal(" ");
    civil.year = reader.digits(4);
    reader.literal(" ");
    read_time(reader, civil);
    reader.literal(" GMT");
  } else if (comma != std::string_view::npos) {  // Sunday, 06-Nov-94 08:49:37 GMT
    reader.one_of(kLongDays);
    reader.literal(", ");
    civil.day = reader.digits(2);
    reader.literal("-");
    civil.month = static_cast<unsigned>(reader.one_of(kMonths)) + 1;
    reader.literal("-");
    const unsigned year = reader.digits(2);
    civil.year = year < 70 ? 2000 + year : 1900 + year;
    reader.literal(" ");
    read_time(reader, civil);
    reader.literal(" GMT");
  } else {  // Sun Nov  6 08:49:37 1994
    reader.one_of(kDays);
    reader.literal(" ");
    civil.month = static_cast<unsigned>(reader.one_of(kMonths)) + 1;
    reader.literal(" ");
    civil.day = reader.padded_day();
    reader.literal(" ");
    read_time(reader, civil);
    reader.literal(" ");
    civil.year = reader.digits(4);
  }
  if (!reader.succeeded()) return std::nullopt;
  return to_time(civil);
}

}  // namespace http
