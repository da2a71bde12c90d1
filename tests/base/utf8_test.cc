#include "base/utf8.h"

#include <catch2/catch.hpp>

using namespace bkp;

TEST_CASE("valid UTF-8 stays as it is") {
  for (const char* text : {"", "plain\n\t", "größer", "\xe2\x82\xac", "\xf0\x9f\x94\x91",
                           "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    INFO(text);
    CHECK(valid_utf8(text) == text);
  }
}

TEST_CASE("every byte that is not part of valid UTF-8 becomes U+FFFD") {
  const std::string mark = "\xef\xbf\xbd";
  const auto marks = [&](int count) {
    std::string result;
    for (int i = 0; i < count; ++i) result += mark;
    return result;
  };
  CHECK(valid_utf8(std::string("a\0b", 3)) == "a" + mark + "b");
  CHECK(valid_utf8("a\xff"
                   "b") == "a" + mark + "b");
  CHECK(valid_utf8("\x80") == mark);
  CHECK(valid_utf8("\xc0\xaf") == marks(2));  // a long form
  CHECK(valid_utf8("\xc1\xbf") == marks(2));
  CHECK(valid_utf8("\xe0\x80\xaf") == marks(3));
  CHECK(valid_utf8("\xed\xa0\x80") == marks(3));      // a surrogate
  CHECK(valid_utf8("\xf4\x90\x80\x80") == marks(4));  // above U+10FFFF
  CHECK(valid_utf8("\xf5\x80\x80\x80") == marks(4));
  CHECK(valid_utf8("\xe2\x82") == marks(2));  // cut
  CHECK(valid_utf8("\xe2\x82x") == marks(2) + "x");
  CHECK(valid_utf8("\xf0\x9f\x94") == marks(3));
  CHECK(valid_utf8("\xf0\x9f\x94x") == marks(3) + "x");
}

TEST_CASE("a text is cut between characters, and anywhere when it has none") {
  CHECK(cut_utf8("shop", 4) == "shop");
  CHECK(cut_utf8("shop", 2) == "sh");
  CHECK(cut_utf8("shop", 0).empty());
  CHECK(cut_utf8("aä", 2) == "a");
  CHECK(cut_utf8("aä", 3) == "aä");
  const std::string smile = "\U0001f600";
  for (const std::size_t bytes : {1, 2, 3, 4}) CHECK(cut_utf8("a" + smile, bytes) == "a");
  CHECK(cut_utf8("a" + smile + "b", 5) == "a" + smile);
  CHECK(cut_utf8("a\x80\x80\x80\x80\x80", 4) == "a\x80\x80\x80");
}
