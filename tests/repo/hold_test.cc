#include "repo/hold.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace bkp;

namespace {

KeyRing ring() { return KeyRing({generate_master_key(KeyState::active, SystemClock().now())}); }

Hold sample() {
  return {Uuid::random(), "the case of ACME", "ann", "db1",
          parse_rfc3339("2026-11-20T02:00:00.000001Z")};
}

}  // namespace

TEST_CASE("a hold comes back as it was, and tells nothing without the key") {
  const KeyRing keys = ring();
  const Hold hold = sample();
  const std::string text = encode_hold(hold, keys);
  CHECK(decode_hold(text, keys) == hold);
  CHECK(text.find("ACME") == std::string::npos);
  CHECK(text.find("ann") == std::string::npos);
  CHECK_THROWS_AS(decode_hold(text, ring()), Error);
}

TEST_CASE("a hold that was changed or cut does not open") {
  const KeyRing keys = ring();
  const std::string text = encode_hold(sample(), keys);
  std::string other = text;
  other[other.find("\"id\":\"") + 6] ^= 1;
  CHECK_THROWS_AS(decode_hold(other, keys), Error);
  for (std::size_t size = 0; size + 2 < text.size(); size += 7)
    CHECK_THROWS_AS(decode_hold(text.substr(0, size), keys), Error);
}
