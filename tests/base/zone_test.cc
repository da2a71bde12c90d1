#include "base/zone.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>
#include <random>

#include "base/error.h"
#include "base/fd.h"

using namespace bkp;

namespace {

// A version 2 file with one kind of time (UTC+1) and no transitions, and this footer.
std::string file_with(std::string_view footer) {
  const auto block = [] {
    Bytes bytes = to_bytes("TZif2");
    bytes.resize(20);
    for (const std::uint32_t count : {0U, 0U, 0U, 0U, 1U, 4U}) append_be32(bytes, count);
    append_be32(bytes, 3600);
    append(bytes, as_bytes(std::string_view("\0\0CET\0", 6)));
    return to_string(bytes);
  };
  return block() + block() + "\n" + std::string(footer) + "\n";
}

Seconds offset(std::string_view footer, const char* time) {
  return Zone::parse(as_bytes(file_with(footer))).offset_at(parse_rfc3339(time));
}

}  // namespace

TEST_CASE("a zone's offset is the one that the system's own library finds") {
  std::mt19937 random(42);
  std::uniform_int_distribution<std::int64_t> seconds(-3000000000, 9000000000);
  for (const char* name :
       {"Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Sao_Paulo",
        "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "Asia/Gaza", "Pacific/Apia",
        "Antarctica/Troll", "America/Nuuk", "Etc/GMT-14", "Asia/Tehran"}) {
    INFO(name);
    const Zone zone = Zone::load(name);
    ::setenv("TZ", name, 1);
    ::tzset();
    for (int i = 0; i < 2000; ++i) {
      const std::time_t time = seconds(random);
      std::tm local{};
      ::localtime_r(&time, &local);
      const Seconds found = zone.offset_at(TimePoint(Seconds(time)));
      if (found.count() != local.tm_gmtoff) FAIL_CHECK(time << ": " << found.count());
    }
  }
  ::unsetenv("TZ");
  ::tzset();
}

TEST_CASE("a moment and its local time lead to each other") {
  std::mt19937 random(7);
  std::uniform_int_distribution<std::int64_t> seconds(0, 6000000000);
  const Zone zone = Zone::load("America/New_York");
  for (int i = 0; i < 2000; ++i) {
    const TimePoint time(Seconds(seconds(random)));
    const auto moments = zone.moments(LocalTime((time + zone.offset_at(time)).time_since_epoch()));
    REQUIRE((moments.size() == 1 || moments.size() == 2));
    CHECK((moments.front() == time || moments.back() == time));
  }
}

TEST_CASE("the rule in the footer holds for the years to come") {
  CHECK(offset("CET-1CEST,M3.5.0,M10.5.0/3", "2100-07-01T00:00:00Z") == Seconds(7200));
  CHECK(offset("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z") == Seconds(3600));
  CHECK(offset("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z") == Seconds(7200));
  CHECK(offset("CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z") == Seconds(3600));
  CHECK(offset("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z") == Seconds(3600));
  CHECK(offset("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z") == Seconds(0));
  CHECK(offset("<-03>3", "2026-01-01T00:00:00Z") == Seconds(-10800));
  CHECK(offset("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-01-01T00:00:00Z") == Seconds(39600));
  CHECK(offset("EET-2EEST,J60/0,J300/0", "2024-03-01T00:00:00Z") == Seconds(10800));
  CHECK(offset("EET-2EEST,J60/0,J300/0", "2024-02-29T12:00:00Z") == Seconds(7200));
  CHECK(offset("EET-2EEST,59/0,300/0", "2024-02-29T12:00:00Z") == Seconds(10800));
  CHECK(offset("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z") == Seconds(-3600));
  CHECK(offset("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z") == Seconds(-7200));
  CHECK(offset("", "2026-01-01T00:00:00Z") == Seconds(3600));
}

TEST_CASE("a damaged file of the database is refused") {
  for (const char* footer :
       {"CET", "-1", "CET-", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,", "<CET-1",
        "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0",
        "CET-168", "CET-1:60", "CET-1CEST,J0,J1", "CET-1CEST,1,366", "CET-1 ",
        "CET-1CEST,M3.5.0,M10.5.0/3x", "CET-99999999999999"}) {
    INFO(footer);
    CHECK_THROWS_AS(Zone::parse(as_bytes(file_with(footer))), Error);
  }
  const std::string whole = file_with("CET-1");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO(size);
    CHECK_THROWS_AS(Zone::parse(as_bytes(std::string_view(whole).substr(0, size))), Error);
  }
  for (std::size_t at : {0U, 20U, 24U, 28U, 32U, 36U, 40U, 54U, 74U, 78U, 82U, 86U, 90U}) {
    INFO(at);
    std::string broken = whole;
    broken[at] = '\x7f';
    CHECK_THROWS_AS(Zone::parse(as_bytes(broken)), Error);
  }
  CHECK_THROWS_AS(Zone::parse({}), Error);
}
