#include <fmt/format.h>

#include <ctime>
#include <regex>

#include "base/clock.h"
#include "base/error.h"
#include "base/zone.h"

namespace bkp {

namespace {

using std::chrono::floor;
using std::chrono::minutes;

// The same reading of a clock, with an offset: what the user should have typed.
std::string with_offset(LocalTime local, Seconds offset) {
  const std::string clock = format_utc(TimePoint(local.time_since_epoch())).substr(0, 19);
  if (offset == Seconds(0)) return clock + "Z";
  const auto count = floor<minutes>(std::chrono::abs(offset)).count();
  return fmt::format("{}{}{:02}:{:02}", clock, offset < Seconds(0) ? '-' : '+', count / 60,
                     count % 60);
}

// What this process's zone makes of a clock's reading.
std::string process_reading(LocalTime local) {
  const auto as_utc = floor<Seconds>(local.time_since_epoch());
  const std::time_t seconds = as_utc.count();
  std::tm fields{};
  ::gmtime_r(&seconds, &fields);
  fields.tm_isdst = -1;
  const std::time_t moment = ::mktime(&fields);
  return with_offset(local, as_utc - Seconds(moment));
}

Error no_zone(std::string_view text, LocalTime local) {
  const std::string in_utc = with_offset(local, Seconds(0));
  const std::string here = process_reading(local);
  std::string hint = fmt::format("write {} (UTC)", in_utc);
  if (here != in_utc) hint += fmt::format(" or {} (this host's time)", here);
  return {ErrorCode::usage, fmt::format("time '{}' does not say its zone", text), hint};
}

TimePoint in_zone(std::string_view text, LocalTime local, std::string_view name) {
  const Zone zone = Zone::load(name);
  const std::vector<TimePoint> moments = zone.moments(local);
  if (moments.size() == 1) return moments.front();
  std::vector<Seconds> offsets;
  for (const TimePoint moment : moments) offsets.push_back(zone.offset_at(moment));
  if (offsets.size() < 2) {
    const TimePoint near(local.time_since_epoch());
    offsets = {zone.offset_at(near - std::chrono::hours(24)),
               zone.offset_at(near + std::chrono::hours(24))};
  }
  const char* why = moments.empty() ? "time '{}' does not exist: clocks were set forward over it"
                                    : "time '{}' was twice: clocks were set back";
  throw Error(ErrorCode::usage, fmt::format(fmt::runtime(why), text),
              fmt::format("write {} or {}", with_offset(local, offsets.front()),
                          with_offset(local, offsets.back())));
}

}  // namespace

TimePoint parse_user_time(std::string_view text) {
  static const std::regex kForm(R"((\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(\.\d{1,9})? ?(.*))");
  static const std::regex kOffset(R"(([+-]\d\d):?(\d\d)?)");
  const Error wrong(ErrorCode::usage, fmt::format("'{}' is not a time", text),
                    "write it like 2026-11-20T02:00:00+01:00 or '2026-11-20 02:00 Europe/Berlin'");
  const std::string typed(text);
  std::smatch parts;
  if (typed.size() > 100 || !std::regex_match(typed, parts, kForm) ||
      (parts[4].matched && !parts[3].matched))
    throw wrong;
  const std::string second = parts[3].matched ? parts[3].str() : ":00";
  const std::string clock = parts[1].str() + "T" + parts[2].str() + second + parts[4].str();
  const std::string zone = parts[5];
  try {
    const LocalTime local(parse_rfc3339(clock + "Z").time_since_epoch());
    if (zone.empty()) throw no_zone(text, local);
    if (zone == "Z" || zone == "z") return TimePoint(local.time_since_epoch());
    std::smatch offset;
    if (!std::regex_match(zone, offset, kOffset)) return in_zone(text, local, zone);
    return parse_rfc3339(clock + offset[1].str() + ":" +
                         (offset[2].matched ? offset[2].str() : "00"));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::usage) throw;
    throw wrong;
  }
}

}  // namespace bkp
