#include "base/bytes.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace bkp;

TEST_CASE("hexadecimal is lower case, two digits a byte, and goes both ways") {
  CHECK(to_hex(as_bytes(std::string_view("\x00\xff\x10", 3))) == "00ff10");
  CHECK(to_string(from_hex("6263")) == "bc");
  CHECK_THROWS_AS(from_hex("6"), Error);
  CHECK_THROWS_AS(from_hex("6A"), Error);
}

TEST_CASE("base64 has one spelling for each value") {
  // RFC 4648, section 10
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
  for (const auto& [plain, text] : vectors) {
    CHECK(to_base64(as_bytes(plain)) == text);
    CHECK(to_string(from_base64(text)) == plain);
  }
  for (const char* refused : {"Zh==", "Zm9=", "Zg=", "Zg", "Zg==Zg==", "Z g=", "=Zg="}) {
    INFO(refused);
    CHECK_THROWS_AS(from_base64(refused), Error);
  }
}

TEST_CASE("integers are big-endian") {
  Bytes out;
  append_be16(out, 0x0102);
  append_be32(out, 0x03040506);
  append_be64(out, 0x0708090a0b0c0d0e);
  CHECK(to_hex(out) == "0102030405060708090a0b0c0d0e");
  CHECK(read_be64(ByteView(out).subspan(6)) == 0x0708090a0b0c0d0eU);
}
