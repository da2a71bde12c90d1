#include "base/units.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace bkp;
using namespace std::chrono_literals;

TEST_CASE("a size is a number and a binary or decimal unit") {
  const std::pair<const char*, std::uint64_t> sizes[] = {
      {"0", 0},
      {"1024", 1024},
      {"812 B", 812},
      {"1KiB", 1024},
      {"16 MiB", 16777216},
      {"500GiB", 536870912000},
      {"10GB", 10000000000},
      {"1kB", 1000},
      {"1KB", 1000},
      {"2tib", 2199023255552},
      {"1.5GiB", 1610612736},
      {"0.5 kB", 500},
      {"18446744073709551615", 18446744073709551615U},
      {"16383PiB", 16383 * (std::uint64_t{1} << 50)},
  };
  for (const auto& [text, bytes] : sizes) {
    INFO(text);
    CHECK(parse_size(text) == bytes);
  }
}

TEST_CASE("what is not a size is refused with an example") {
  for (const char* text : {"",         " ",     "GiB",           "-1",
                           "+1",       "1G",    "500 gigabytes", "1.",
                           ".5GiB",    "1.5",   "1.5B",          "1,5GiB",
                           "1GiB ",    " 1GiB", "1 GiB x",       "18446744073709551616",
                           "16384PiB", "1e3",   "0x10",          "1.0000000001GiB",
                           "1\nGiB"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_size(text), Error);
  }
  try {
    parse_size("1G");
    FAIL();
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.message() == "'1G' is not a size");
    CHECK(error.hint() == "write a number and a unit, such as 500GiB, 16 MiB, 10GB or 4096B");
  }
}

TEST_CASE("sizes are shown in binary units with one decimal") {
  const std::pair<std::uint64_t, const char*> shown[] = {
      {0, "0 B"},
      {812, "812 B"},
      {1023, "1023 B"},
      {1024, "1.0 KiB"},
      {1468006, "1.4 MiB"},
      {1048575, "1.0 MiB"},
      {536870912000, "500.0 GiB"},
      {1099511627775, "1.0 TiB"},
      {18446744073709551615U, "16.0 EiB"},
  };
  for (const auto& [bytes, text] : shown) CHECK(format_size(bytes) == text);
}

TEST_CASE("a duration is a number with a unit, or a sum of them from large to small") {
  const std::pair<const char*, std::chrono::seconds> durations[] = {
      {"5s", 5s},
      {"15m", 15min},
      {"8h", 8h},
      {"30d", 30 * 24h},
      {"2w", 14 * 24h},
      {"1y", 365 * 24h},
      {"1h30m", 90min},
      {"0s", 0s},
      {"2 m 05 s", 125s},
      {"1y2w3d4h5m6s", (365 + 14 + 3) * 24h + 4h + 5min + 6s},
      {"100y", 100 * 365 * 24h},
  };
  for (const auto& [text, duration] : durations) {
    INFO(text);
    CHECK(parse_duration(text) == duration);
  }
}

TEST_CASE("what is not a duration is refused with an example") {
  for (const char* text : {"", "5", "s", "5 ", "-5s", "5S", "5min", "30m1h", "1h1h", "1.5h", "5s ",
                           " 5s", "101y", "99999999999999999999s", "9223372036854775807y", "5x"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_duration(text), Error);
  }
  try {
    parse_duration("5min");
    FAIL();
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.message() == "'5min' is not a duration");
    CHECK(error.hint() == "write numbers with s, m, h, d, w or y, such as 30d, 8h or 1h30m");
  }
}

TEST_CASE("durations are shown in two units at most") {
  const std::pair<double, const char*> shown[] = {
      {0, "0 s"},   {0.01, "0.1 s"},     {0.44, "0.4 s"},       {0.97, "1 s"},
      {4.2, "4 s"}, {59.6, "1 m 00 s"},  {125, "2 m 05 s"},     {11400, "3 h 10 m"},
      {-3, "0 s"},  {90000, "1 d 01 h"}, {12 * 86400., "12 d"},
  };
  for (const auto& [seconds, text] : shown) {
    INFO(seconds);
    CHECK(format_duration(std::chrono::duration<double>(seconds)) == text);
  }
}

TEST_CASE("the nearest word is the one that was meant, or none") {
  const std::string known[] = {"conninfo", "data_dir", "bin_dir", "url", "minimum"};
  const auto nearest = [&](std::string_view word) {
    return nearest_word(word, known, std::size(known));
  };
  CHECK(nearest("coninfo") == "conninfo");
  CHECK(nearest("datadir") == "data_dir");
  CHECK(nearest("minimun") == "minimum");
  CHECK(nearest("mniimum") == "minimum");
  CHECK(nearest("ulr") == "url");
  CHECK(nearest("retention").empty());
  CHECK(nearest("x").empty());
  CHECK(nearest("").empty());
  CHECK(nearest(std::string(5000, 'a')).empty());
}
