// Time: the clock as an edge of the world, and the text forms of a moment.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace bkp {

// A moment, UTC, to the microsecond (PostgreSQL's own resolution).
using TimePoint = std::chrono::sys_time<std::chrono::microseconds>;
using Seconds = std::chrono::seconds;

// Injected wherever a decision depends on now, so that tests own the time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override;
};

// RFC 3339 in UTC with microseconds and fixed width, so that text sorts as time:
// "2026-11-20T02:00:00.000000Z". What the catalog and manifests hold.
std::string format_utc(TimePoint time);
// RFC 3339 with the offset of the process's zone, to the second: what people are shown.
std::string format_local(TimePoint time);
// "20261120_020000", UTC: the part of a file name that makes names sort by time.
std::string format_file_stamp(TimePoint time);
// Strict RFC 3339 with an offset or Z, fraction optional. Throws Error(failed) on anything else.
TimePoint parse_rfc3339(std::string_view text);
// A time that a user typed: RFC 3339 or "YYYY-MM-DD HH:MM[:SS[.frac]]", followed by an offset, Z or
// a zone name ("Europe/Berlin"). Without one it throws Error(usage) that shows both readings, in
// UTC and in the process's zone.
TimePoint parse_user_time(std::string_view text);

}  // namespace bkp
