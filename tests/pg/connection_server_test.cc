#include <catch2/catch.hpp>

#include "base/error.h"
#include "pg/connection.h"
#include "server.h"

using namespace bkp;

namespace {

TemporaryCluster& cluster() { return shared_cluster(); }

}  // namespace

TEST_CASE("queries give text and NULL, with parameters that need no quoting") {
  PgConnection connection(cluster().conninfo());
  const auto rows = connection.query("SELECT $1::text, NULL, 'x' || $2", {"it's", "\\"});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0] == PgRow{"it's", std::nullopt, "x\\"});
  CHECK(connection.query_value("SELECT current_setting('application_name')") == "bkp");
  CHECK(connection.query_value("SELECT current_setting('server_version_num')") ==
        std::to_string(connection.server_version()));
  CHECK(connection.database() == "postgres");
  CHECK(connection.user() == "postgres");
  CHECK_THROWS_AS(connection.query_value("SELECT 1 WHERE false"), Error);
  CHECK_THROWS_AS(connection.query_value("SELECT NULL"), Error);
}

TEST_CASE("an error is the server's own message, detail and hint, and the connection goes on") {
  PgConnection connection(cluster().conninfo());
  const Error error = error_of([&] {
    connection.execute(
        "SELECT 1; DO $$BEGIN RAISE 'it broke' USING DETAIL = 'a detail', HINT = 'a hint'; END$$");
  });
  CHECK(error.message() == "it broke (a detail)");
  CHECK(error.hint() == "a hint");
  CHECK(error_of([&] { connection.query("SELECT 1/0"); }).message() == "division by zero");
  CHECK(error_of([&] {
          connection.copy_out("COPY nowhere TO STDOUT", [](ByteView) {});
        }).message() == "relation \"nowhere\" does not exist");
  CHECK(error_of([&] {
          connection.copy_out("COPY (SELECT 1/(3 - i) FROM generate_series(1, 9) i) TO STDOUT",
                              [](ByteView) {});
        }).message() == "division by zero");
  CHECK(connection.query_value("SELECT 1") == "1");
}

TEST_CASE("a connection has all the time it needs, whatever its role's applications have") {
  PgConnection admin(cluster().conninfo());
  admin.execute(
      "CREATE ROLE hasty LOGIN; ALTER ROLE hasty SET statement_timeout = '20ms';"
      "ALTER ROLE hasty SET lock_timeout = '20ms';"
      "ALTER ROLE hasty SET default_transaction_read_only = on");
  PgConnection connection(cluster().conninfo() + " user=hasty");
  CHECK(connection.query_value("SELECT pg_sleep(0.1)").empty());
  CHECK(connection.query_value("SHOW lock_timeout") == "0");
  connection.execute("CREATE TEMPORARY TABLE t ()");
}

TEST_CASE("COPY hands over each line without its end") {
  PgConnection connection(cluster().conninfo());
  std::vector<std::string> lines;
  CHECK(connection.copy_out("COPY (VALUES (1, E'a\\nb'), (2, NULL), (3, '')) TO STDOUT",
                            [&](ByteView row) { lines.push_back(to_string(row)); }) == 3);
  CHECK(lines == std::vector<std::string>{"1\ta\\nb", "2\t\\N", "3\t"});
}

TEST_CASE("names and texts are quoted by the server's rules") {
  PgConnection connection(cluster().conninfo());
  for (const std::string text :
       {"plain", "it's", "back\\slash", "dou\"ble", "two\nlines", "größe"}) {
    CHECK(connection.query_value("SELECT " + connection.quote_literal(text)) == text);
    connection.execute("CREATE TEMP TABLE " + connection.quote_identifier(text) + " ()");
    CHECK(connection.query_value("SELECT count(*) FROM pg_class WHERE relname = $1", {text}) ==
          "1");
  }
}

TEST_CASE("a connection that fails says to what and why, never the password") {
  const Error database =
      error_of([] { PgConnection x(cluster().conninfo("no_such") + " password=hidden"); });
  CHECK_THAT(database.message(), Catch::Contains("database \"no_such\" does not exist"));
  CHECK_THAT(database.message(), !Catch::Contains("hidden"));
  CHECK_THAT(database.message(), !Catch::Contains("FATAL"));
  CHECK_FALSE(database.hint().empty());
  const Error port = error_of([] { PgConnection x("host=127.0.0.1 port=1 dbname=x"); });
  CHECK_THAT(port.message(), Catch::StartsWith("cannot connect to '127.0.0.1:1, database x'"));
  CHECK_THAT(port.message(), Catch::Contains("refused"));
}
