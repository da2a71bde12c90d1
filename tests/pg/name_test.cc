#include "pg/name.h"

#include <catch2/catch.hpp>

#include "pg/encoding.h"
#include "pg/pattern.h"

using namespace bkp;

TEST_CASE("a name is quoted where SQL would read it as something else") {
  CHECK(quoted_name("customers_2") == "customers_2");
  for (const char* name : {"", "Customers", "2nd", "user", "order", "größe", "a b", "a.b", "a$b"})
    CHECK(quoted_name(name) == "\"" + std::string(name) + "\"");
  CHECK(quoted_name("a\"b") == "\"a\"\"b\"");
  CHECK(qualified_name("public", "Order") == "public.\"Order\"");
}

TEST_CASE("an array of texts keeps quotes and backslashes") {
  CHECK(array_text({}) == "{}");
  CHECK(array_text({"a", "", "b\"\\c"}) == R"({"a","","b\"\\c"})");
}

TEST_CASE("patterns are those of pg_dump") {
  const auto both = [](const char* pattern) {
    const NamePattern parsed = parse_pattern(pattern);
    return parsed.schema + " " + parsed.name;
  };
  CHECK(both("Log_*") == " ^(log_.*)$");
  CHECK(both("audit.t?") == "^(audit)$ ^(t.)$");
  CHECK(both("\"A.b*\".\"c\"\"d\"") == "^(A\\.b\\*)$ ^(c\"d)$");
  CHECK(both("t[0-9]+|u") == " ^(t[0-9]+|u)$");
  CHECK(both("a$b") == " ^(a\\$b)$");
  CHECK(both("shop.public.t") == "^(public)$ ^(t)$");
}

TEST_CASE("names of other encodings become UTF-8, what cannot be stays") {
  CHECK(to_utf8("gr\xf6\xdf"
                "e",
                "LATIN1") == "gr\u00f6\u00dfe");
  CHECK(to_utf8("\x80", "WIN1252") == "\u20ac");
  CHECK(to_utf8("\xc5\xec\xb5\xfe", "EUC_JP") == "\u6771\u4eac");
  CHECK(to_utf8("gr\u00f6\u00dfe", "UTF8") == "gr\u00f6\u00dfe");
  CHECK(to_utf8("\xf6", "SQL_ASCII") == "\xf6");
  CHECK(to_utf8("\x81", "WIN1252") == "\x81");
  CHECK(to_utf8("plain", "NO_SUCH") == "plain");
}
