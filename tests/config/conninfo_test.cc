#include "config/conninfo.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace bkp;

TEST_CASE("a connection string is looked into for a password") {
  CHECK(has_password("dbname=x password=y"));
  CHECK(has_password("postgresql://u:p@h/d"));
  CHECK_FALSE(has_password("dbname='password=x'"));
  CHECK_FALSE(has_password("postgresql://u@h/password"));
  CHECK_FALSE(has_password("passfile=/x dbname=d"));
  CHECK_FALSE(has_password("password=''"));
}

TEST_CASE("what libpq cannot read is refused") {
  check_conninfo("");
  check_conninfo("host=/run dbname=a user=b");
  for (const char* text : {"shop", "host", "hots=x", "host='x", "postgresql://[::1/d"}) {
    INFO(text);
    CHECK_THROWS_AS(check_conninfo(text), Error);
  }
}
