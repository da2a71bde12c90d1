#include "pg/conninfo.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "base/error.h"
#include "pg/connection.h"

using namespace bkp;

TEST_CASE("one keyword of a conninfo is replaced, the others stay, quoting goes both ways") {
  CHECK(with_keyword("host=/run user=bkp dbname=shop", "dbname", "it's \\ two") ==
        R"(user='bkp' host='/run' dbname='it\'s \\ two')");
  CHECK(Conninfo(with_keyword("", "dbname", "it's \\ two")).get("dbname") == "it's \\ two");
  const Conninfo uri(with_keyword("postgresql://bkp@db.example:5433/shop?sslmode=require", "dbname",
                                  "shop_restored"));
  CHECK(uri.get("host") == "db.example");
  CHECK(uri.get("port") == "5433");
  CHECK(uri.get("dbname") == "shop_restored");
  CHECK(uri.get("sslmode") == "require");
  CHECK(Conninfo("").entries().empty());
}

TEST_CASE("a conninfo is described without its password") {
  for (const char* name : {"PGHOST", "PGPORT", "PGDATABASE"}) ::unsetenv(name);
  CHECK(describe_conninfo("host=db.example port=5433 dbname=shop password=hidden") ==
        "db.example:5433, database shop");
  CHECK(describe_conninfo("postgresql://u:hidden@db.example/shop") == "db.example, database shop");
  CHECK(describe_conninfo("service=shop") == "service shop");
}

TEST_CASE("a malformed conninfo is refused without repeating any of it") {
  for (const char* malformed : {"password=my hidden", "hidden", "postgresql://u:hid:den@@/x?y",
                                "dbname=x passwort=hidden", "password='hidden"}) {
    INFO(malformed);
    try {
      Conninfo parsed(malformed);
      CHECK(false);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::usage);
      CHECK(error.message().find("hid") == std::string::npos);
      CHECK(error.message().find("passwort") == std::string::npos);
    }
  }
}
