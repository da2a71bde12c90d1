#include "pg/copy_stream.h"
#include "server.h"

using namespace bkp;

TEST_CASE("rows flow out one by one and in as they come") {
  const TestDatabase database("copy_stream", "CREATE TABLE t (a int, b text)");
  PgConnection connection(database.conninfo());
  {
    CopyIn in(connection, "COPY t FROM STDIN");
    in.write(as_bytes(std::string_view("1\tx\n2\t")));
    in.write(as_bytes(std::string_view("\\N\n")));
    in.finish();
  }
  CopyOut out(connection, "COPY (SELECT * FROM t ORDER BY a) TO STDOUT");
  ByteView row;
  REQUIRE(out.next(row));
  CHECK(as_text(row) == "1\tx");
  REQUIRE(out.next(row));
  CHECK(as_text(row) == "2\t\\N");
  CHECK_FALSE(out.next(row));
  CHECK_FALSE(out.next(row));
  CHECK(connection.query_value("SELECT count(*) FROM t") == "2");
}

TEST_CASE("a COPY that is given up stores nothing and leaves its connection usable") {
  const TestDatabase database("copy_stream", "CREATE TABLE t (a int)");
  PgConnection connection(database.conninfo());
  {
    CopyIn in(connection, "COPY t FROM STDIN");
    in.write(as_bytes(std::string_view("1\n")));
  }
  CHECK(connection.query_value("SELECT count(*) FROM t") == "0");
  {
    CopyOut out(connection, "COPY (SELECT * FROM generate_series(1, 10000000)) TO STDOUT");
    ByteView row;
    CHECK(out.next(row));
  }
  CHECK(connection.query_value("SELECT 5") == "5");
  CHECK_THROWS_AS(connection.copy_out("COPY (SELECT generate_series(1, 100000)) TO STDOUT",
                                      [](ByteView) { throw Error(ErrorCode::failed, "enough"); }),
                  Error);
  CHECK(connection.query_value("SELECT 6") == "6");
}

TEST_CASE("what the server refuses in a COPY is its own message") {
  const TestDatabase database("copy_stream", "CREATE TABLE t (a int)");
  PgConnection connection(database.conninfo());
  CHECK(error_of([&] { CopyOut(connection, "COPY absent TO STDOUT"); }).message() ==
        "relation \"absent\" does not exist");
  CHECK_THAT(error_of([&] {
               CopyIn in(connection, "COPY t FROM STDIN");
               in.write(as_bytes(std::string_view("x\n")));
               in.finish();
             }).message(),
             Catch::Contains("invalid input syntax for type integer"));
  CHECK(connection.query_value("SELECT count(*) FROM t") == "0");
  CHECK(error_of([&] {
          connection.copy_out(
              "COPY (SELECT 1/(3-g) FROM generate_series(1, 5) g) "
              "TO STDOUT",
              [](ByteView) {});
        }).message() == "division by zero");
}
