#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>

#include "base/clock.h"
#include "base/error.h"

using namespace bkp;

namespace {

// The process's zone, for as long as it lives.
class ProcessZone {
 public:
  explicit ProcessZone(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  ~ProcessZone() {
    ::unsetenv("TZ");
    ::tzset();
  }
  ProcessZone(const ProcessZone&) = delete;
  ProcessZone& operator=(const ProcessZone&) = delete;
};

Error error_of(const char* text) {
  try {
    parse_user_time(text);
  } catch (const Error& error) {
    return error;
  }
  return {ErrorCode::failed, "no error"};
}

}  // namespace

TEST_CASE("a time that a user types has an offset or a zone") {
  const ProcessZone nowhere("Pacific/Chatham");
  const std::pair<const char*, const char*> times[] = {
      {"2026-11-20T02:00:00Z", "2026-11-20T02:00:00.000000Z"},
      {"2026-11-20T02:00:00.25+01:00", "2026-11-20T01:00:00.250000Z"},
      {"2026-11-20 02:00Z", "2026-11-20T02:00:00.000000Z"},
      {"2026-11-20 02:00 +0100", "2026-11-20T01:00:00.000000Z"},
      {"2026-11-20 02:00:30-05", "2026-11-20T07:00:30.000000Z"},
      {"2026-11-20 02:00 +05:45", "2026-11-19T20:15:00.000000Z"},
      {"2026-11-20 02:00:00.5 UTC", "2026-11-20T02:00:00.500000Z"},
      {"2026-11-20 02:00 Europe/Berlin", "2026-11-20T01:00:00.000000Z"},
      {"2026-07-20 02:00 Europe/Berlin", "2026-07-20T00:00:00.000000Z"},
      {"2026-07-20T02:00:00 America/New_York", "2026-07-20T06:00:00.000000Z"},
      {"2026-01-20 02:00 Australia/Sydney", "2026-01-19T15:00:00.000000Z"},
      {"2150-07-20 02:00 Europe/Berlin", "2150-07-20T00:00:00.000000Z"},
      {"2026-07-20 02:00 Asia/Kolkata", "2026-07-19T20:30:00.000000Z"},
      {"2026-07-20 02:00 Etc/GMT+5", "2026-07-20T07:00:00.000000Z"},
      {"2026-07-20 02:00 Japan", "2026-07-19T17:00:00.000000Z"},
  };
  for (const auto& [typed, meant] : times) {
    INFO(typed);
    CHECK(format_utc(parse_user_time(typed)) == meant);
  }
}

TEST_CASE("a time without a zone is refused with both readings") {
  {
    const ProcessZone zone("Europe/Berlin");
    const Error error = error_of("2026-07-20 02:00");
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.message() == "time '2026-07-20 02:00' does not say its zone");
    CHECK(error.hint() ==
          "write 2026-07-20T02:00:00Z (UTC) or 2026-07-20T02:00:00+02:00 (this host's time)");
    CHECK(error_of("2026-11-20T02:00:05").hint() ==
          "write 2026-11-20T02:00:05Z (UTC) or 2026-11-20T02:00:05+01:00 (this host's time)");
  }
  const ProcessZone zone("UTC");
  CHECK(error_of("2026-07-20 02:00").hint() == "write 2026-07-20T02:00:00Z (UTC)");
}

TEST_CASE("a time that a zone's clocks showed twice or never is refused with both moments") {
  const Error twice = error_of("2026-10-25 02:30 Europe/Berlin");
  CHECK(twice.code() == ErrorCode::usage);
  CHECK(twice.message() == "time '2026-10-25 02:30 Europe/Berlin' was twice: clocks were set back");
  CHECK(twice.hint() == "write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00");
  const Error never = error_of("2026-03-29 02:30 Europe/Berlin");
  CHECK(never.message() ==
        "time '2026-03-29 02:30 Europe/Berlin' does not exist: clocks were set forward over it");
  CHECK(never.hint() == "write 2026-03-29T02:30:00+01:00 or 2026-03-29T02:30:00+02:00");
  CHECK(error_of("2026-10-25 01:59 Europe/Berlin").message() == "no error");
  CHECK(error_of("2026-10-25 03:00 Europe/Berlin").message() == "no error");
  CHECK(error_of("2026-03-29 03:00 Europe/Berlin").message() == "no error");
}

TEST_CASE("an abbreviation or an unknown name is refused with what to write instead") {
  const char* cure = "write an offset such as +02:00, or a zone such as Europe/Berlin";
  for (const char* name : {"EDT", "CET", "EST", "PST8PDT", "MSK", "IST"}) {
    const Error error = error_of(("2026-07-20 02:00 " + std::string(name)).c_str());
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.message() == "'" + std::string(name) + "' is the abbreviation of no one time zone");
    CHECK(error.hint() == cure);
  }
  for (const char* name : {"Europe/Berln", "Europe", "europe/", "../zoneinfo/UTC", "Europe//Berlin",
                           "/etc/localtime", "Europe/../UTC", "zone.tab", "e d"}) {
    INFO(name);
    const Error error = error_of(("2026-07-20 02:00 " + std::string(name)).c_str());
    CHECK(error.message() == "'" + std::string(name) + "' is not a time zone");
    CHECK(error.hint() == cure);
  }
}

TEST_CASE("what is not a time is refused with an example") {
  for (const char* text :
       {"", "now", "tomorrow", "2026-11-20", "02:00", "2026-11-20 2:00Z", "2026-13-20 02:00Z",
        "2026-02-30 02:00Z", "2026-11-20 24:00Z", "2026-11-20 02:60 UTC",
        "2026-11-20 02:00:60 Europe/Berlin", "2026-11-20  02:00Z", "2026-11-20 02:00.5Z",
        "20261120T020000Z", "2026-11-20 02:00 +24:00", "2026-11-20 02:00 +01:60",
        "x2026-11-20 02:00Z", "2026-11-20 02:00\nUTC"}) {
    INFO(text);
    const Error error = error_of(text);
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.message() == "'" + std::string(text) + "' is not a time");
    CHECK(error.hint() ==
          "write it like 2026-11-20T02:00:00+01:00 or '2026-11-20 02:00 Europe/Berlin'");
  }
  CHECK(error_of(("2026-11-20 02:00 " + std::string(100000, 'a')).c_str()).code() ==
        ErrorCode::usage);
}

TEST_CASE("format_local has the offset of the process's zone") {
  const TimePoint time = parse_rfc3339("2026-07-20T02:00:00.9Z");
  {
    const ProcessZone zone("Asia/Kolkata");
    CHECK(format_local(time) == "2026-07-20T07:30:00+05:30");
  }
  {
    const ProcessZone zone("America/St_Johns");
    CHECK(format_local(time) == "2026-07-19T23:30:00-02:30");
  }
  const ProcessZone zone("UTC");
  CHECK(format_local(time) == "2026-07-20T02:00:00+00:00");
}
