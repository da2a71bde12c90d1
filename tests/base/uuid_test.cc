#include "base/uuid.h"

#include <catch2/catch.hpp>
#include <set>

using namespace bkp;

TEST_CASE("a UUID has one spelling, and goes both ways") {
  const char* text = "0d9c1f2e-3a4b-4c5d-8e6f-708192a3b4c5";
  const auto id = Uuid::parse(text);
  REQUIRE(id);
  CHECK(id->text() == text);
  CHECK(id->short_text() == "0d9c1f2e");
  CHECK(id->bytes[0] == std::byte{0x0d});
  CHECK(id->bytes[15] == std::byte{0xc5});
  for (const char* other :
       {"", "0d9c1f2e", "0D9C1F2E-3A4B-4C5D-8E6F-708192A3B4C5", "0d9c1f2e3a4b4c5d8e6f708192a3b4c5",
        "{0d9c1f2e-3a4b-4c5d-8e6f-708192a3b4c5}", "0d9c1f2e-3a4b-4c5d-8e6f-708192a3b4c",
        "0d9c1f2e-3a4b-4c5d-8e6f-708192a3b4c5 ", "0d9c1f2-e3a4b-4c5d-8e6f-708192a3b4c5",
        "0d9c1f2e-3a4b-4c5d-8e6f-708192a3b4cg", "0d9c1f2e-3a4b-4c5d-8e6f--08192a3b4c5"}) {
    INFO(other);
    CHECK_FALSE(Uuid::parse(other));
  }
}

TEST_CASE("a random UUID is of version 4 and not seen before") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const Uuid id = Uuid::random();
    const std::string text = id.text();
    CHECK(text[14] == '4');
    CHECK(std::string("89ab").find(text[19]) != std::string::npos);
    CHECK(seen.insert(text).second);
    CHECK_FALSE(id.is_nil());
  }
  CHECK(Uuid{}.is_nil());
}
