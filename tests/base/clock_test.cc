#include "base/clock.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace bkp;
using namespace std::chrono_literals;

namespace {
TimePoint at(std::int64_t seconds, std::int64_t microseconds = 0) {
  return TimePoint(std::chrono::seconds(seconds)) + std::chrono::microseconds(microseconds);
}
}  // namespace

TEST_CASE("a moment is written in UTC with microseconds and fixed width") {
  CHECK(format_utc(at(0)) == "1970-01-01T00:00:00.000000Z");
  CHECK(format_utc(at(1795140000, 42)) == "2026-11-20T02:00:00.000042Z");
  CHECK(format_utc(at(-1, 999999)) == "1969-12-31T23:59:59.999999Z");
  CHECK(format_utc(at(1709208000)) == "2024-02-29T12:00:00.000000Z");
}

TEST_CASE("the stamp of a file name sorts by time") {
  CHECK(format_file_stamp(at(1795140000, 999999)) == "20261120_020000");
  CHECK(format_file_stamp(at(1795140000)) < format_file_stamp(at(1795140001)));
}

TEST_CASE("RFC 3339 is read with Z or an offset and an optional fraction") {
  const std::pair<const char*, TimePoint> readings[] = {
      {"2026-11-20T02:00:00Z", at(1795140000)},
      {"2026-11-20T02:00:00.5Z", at(1795140000, 500000)},
      {"2026-11-20T02:00:00.000001Z", at(1795140000, 1)},
      {"2026-11-20T02:00:00.123456789Z", at(1795140000, 123456)},
      {"2026-11-20T03:00:00+01:00", at(1795140000)},
      {"2026-11-19T20:30:00-05:30", at(1795140000)},
      {"1969-12-31T23:59:59.999999Z", at(-1, 999999)},
  };
  for (const auto& [text, time] : readings) {
    INFO(text);
    CHECK(parse_rfc3339(text) == time);
  }
}

TEST_CASE("what format_utc and format_local write, parse_rfc3339 reads") {
  for (const TimePoint time : {at(0), at(1795140000, 123456), at(4102444799, 999999)}) {
    CHECK(parse_rfc3339(format_utc(time)) == time);
    CHECK(parse_rfc3339(format_local(time)) == std::chrono::floor<std::chrono::seconds>(time));
  }
}

TEST_CASE("a text that is not strictly RFC 3339 is refused") {
  for (const char* text : {"",
                           "2026-11-20",
                           "2026-11-20T02:00:00",
                           "2026-11-20 02:00:00Z",
                           "2026-11-20t02:00:00Z",
                           "2026-11-20T02:00:00z",
                           "2026-11-20T02:00Z",
                           "2026-13-20T02:00:00Z",
                           "2026-00-20T02:00:00Z",
                           "2026-02-30T02:00:00Z",
                           "2025-02-29T02:00:00Z",
                           "2026-11-20T24:00:00Z",
                           "2026-11-20T02:60:00Z",
                           "2026-11-20T02:00:60Z",
                           "2026-11-20T02:00:00.Z",
                           "2026-11-20T02:00:00.1234567890Z",
                           "2026-11-20T02:00:00+1:00",
                           "2026-11-20T02:00:00+0100",
                           "2026-11-20T02:00:00+01",
                           "26-11-20T02:00:00Z",
                           "2026-11-20T02:00:00+24:00",
                           "2026-11-20T02:00:00+01:60",
                           "2026-11-20T02:00:00ZZ",
                           "2026-11-20T02:00:00Z ",
                           " 2026-11-20T02:00:00Z",
                           "+026-11-20T02:00:00Z",
                           "2026-1a-20T02:00:00Z"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_rfc3339(text), Error);
  }
}

TEST_CASE("the system's clock tells now") {
  const TimePoint before =
      std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  CHECK(SystemClock().now() >= before);
  CHECK(SystemClock().now() - before < 1h);
}
