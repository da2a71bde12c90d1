// A time zone of the tz database, read from its compiled file (TZif, RFC 8536), with the rule in
// its footer for the years to come. GCC 12 has no zones in <chrono>, and setting TZ is not
// thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace bkp {

using LocalTime = std::chrono::local_time<std::chrono::microseconds>;

class Zone {
 public:
  // "Europe/Berlin", from $TZDIR or /usr/share/zoneinfo. Throws Error(usage) for a name that is not
  // there, and for abbreviations such as EDT, which name no one zone.
  static Zone load(std::string_view name);
  // The content of a TZif file. Throws Error(failed) when it is not whole.
  static Zone parse(ByteView file);

  Seconds offset_at(TimePoint time) const;  // east of Greenwich
  // What a clock on the wall can mean: one moment, none where it was set forward over that time,
  // two where it was set back; the earlier first.
  std::vector<TimePoint> moments(LocalTime time) const;

 private:
  // "Month m, week w, day d, at this time of day", or a day of the year.
  struct Change {
    enum class Kind { month_week_day, julian, zero_based } kind = Kind::zero_based;
    int month = 0, week = 0, day = 0;
    Seconds time{7200};
    std::chrono::sys_seconds in(std::chrono::year year) const;  // local, as if it were UTC
  };
  // The footer: what holds after the last transition.
  struct Rule {
    Seconds standard{0};
    Seconds summer{0};
    bool has_summer = false;
    Change start, end;
    Seconds offset_at(std::chrono::sys_seconds time) const;
  };
  struct Transition {
    std::chrono::sys_seconds time;
    Seconds offset;
  };
  class RuleReader;

  Seconds first_{0};  // before the first transition
  std::vector<Transition> transitions_;
  bool has_rule_ = false;
  Rule rule_;
};

}  // namespace bkp
