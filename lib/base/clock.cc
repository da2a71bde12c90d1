#include "base/clock.h"

#include <fmt/format.h>

#include <ctime>
#include <optional>

#include "base/error.h"

namespace bkp {

namespace {

using std::chrono::floor;
using std::chrono::microseconds;

struct Fields {
  int year, hour, minute, second;
  unsigned month, day;
  std::int64_t microsecond;
};

Fields split(TimePoint time) {
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<microseconds> clock(time - day);
  return {int(date.year()),
          int(clock.hours().count()),
          int(clock.minutes().count()),
          int(clock.seconds().count()),
          unsigned(date.month()),
          unsigned(date.day()),
          clock.subseconds().count()};
}

// Reads RFC 3339 from the left; any call that does not find what it asks for makes it fail.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  int number(std::size_t digits, int low, int high) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) value = value * 10 + digit();
    if (value < low || value > high) good_ = false;
    return value;
  }
  void expect(char wanted) {
    if (!accept(wanted)) good_ = false;
  }
  bool accept(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Digits behind the point; those below the microsecond are dropped.
  std::int64_t fraction() {
    std::int64_t value = 0;
    std::int64_t unit = 100000;
    std::size_t count = 0;
    for (; !rest_.empty() && is_digit(rest_.front()); ++count, unit /= 10)
      value += (take() - '0') * unit;
    if (count == 0 || count > 9) good_ = false;
    return value;
  }
  bool ended_well() const { return good_ && rest_.empty(); }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  int digit() {
    if (!rest_.empty() && is_digit(rest_.front())) return take() - '0';
    good_ = false;
    return 0;
  }

  std::string_view rest_;
  bool good_ = true;
};

std::optional<TimePoint> read_rfc3339(std::string_view text) {
  Cursor cursor(text);
  const int year = cursor.number(4, 0, 9999);
  cursor.expect('-');
  const int month = cursor.number(2, 1, 12);
  cursor.expect('-');
  const int day = cursor.number(2, 1, 31);
  cursor.expect('T');
  const int hour = cursor.number(2, 0, 23);
  cursor.expect(':');
  const int minute = cursor.number(2, 0, 59);
  cursor.expect(':');
  const int second = cursor.number(2, 0, 59);
  const std::int64_t fraction = cursor.accept('.') ? cursor.fraction() : 0;
  std::chrono::minutes offset{0};
  if (!cursor.accept('Z')) {
    const bool west = cursor.accept('-');
    if (!west) cursor.expect('+');
    offset = std::chrono::hours(cursor.number(2, 0, 23));
    cursor.expect(':');
    offset += std::chrono::minutes(cursor.number(2, 0, 59));
    if (west) offset = -offset;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!cursor.ended_well() || !date.ok()) return std::nullopt;
  return TimePoint(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + std::chrono::seconds(second) + microseconds(fraction) -
         offset;
}

}  // namespace

TimePoint SystemClock::now() const { return floor<microseconds>(std::chrono::system_clock::now()); }

std::string format_utc(TimePoint time) {
  const Fields f = split(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", f.year, f.month, f.day, f.hour,
                     f.minute, f.second, f.microsecond);
}

std::string format_local(TimePoint time) {
  const std::time_t seconds = floor<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm local{};
  ::localtime_r(&seconds, &local);
  const long offset = local.tm_gmtoff / 60;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{:02}:{:02}", local.tm_year + 1900,
                     local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec,
                     offset < 0 ? '-' : '+', std::abs(offset) / 60, std::abs(offset) % 60);
}

std::string format_file_stamp(TimePoint time) {
  const Fields f = split(time);
  return fmt::format("{:04}{:02}{:02}_{:02}{:02}{:02}", f.year, f.month, f.day, f.hour, f.minute,
                     f.second);
}

TimePoint parse_rfc3339(std::string_view text) {
  if (const auto time = read_rfc3339(text)) return *time;
  throw Error(ErrorCode::failed, "'" + std::string(text) + "' is not an RFC 3339 time");
}

}  // namespace bkp
