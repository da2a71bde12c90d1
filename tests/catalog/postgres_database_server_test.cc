#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>

#include "base/error.h"
#include "catalog/catalog_contract.h"
#include "catalog/postgres_database.h"
#include "support/temporary_cluster.h"

using namespace bkp;
using namespace bkp::test;

namespace {

TemporaryCluster& cluster() {
  static TemporaryCluster only;
  return only;
}

// An empty database of the shared server, gone when the test is.
class Place {
 public:
  explicit Place(const std::string& options = "") {
    cluster().psql("postgres", "CREATE DATABASE place " + options);
  }
  ~Place() { cluster().psql("postgres", "DROP DATABASE IF EXISTS place WITH (FORCE)"); }
  std::string url(const std::string& user = "postgres") const {
    return cluster().conninfo("place", user);
  }
  OpenDatabase open() const {
    return [this] { return open_sql_database(url()); };
  }
  std::string sql(const std::string& text) const { return cluster().psql("place", text); }
};

Error error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  return {ErrorCode::failed, ""};
}

constexpr const char* kFirst = "0d9c1f2e-0000-4000-8000-000000000001";
constexpr const char* kSecond = "0d9c1f2e-0000-4000-8000-000000000002";

}  // namespace

TEST_CASE("PostgreSQL: the schema is made once and a newer one is refused") {
  const Place place;
  check_schema(place.open());
}
TEST_CASE("PostgreSQL: backups and their copies are kept by id and storage") {
  const Place place;
  check_backups(place.open());
}
TEST_CASE("PostgreSQL: backups are found by any filter, sorted and limited") {
  const Place place("LOCALE 'C.UTF-8' TEMPLATE template0");
  check_filters(place.open());
}
TEST_CASE("PostgreSQL: one backup is found by UUID, a beginning of it, or file name") {
  const Place place;
  check_find(place.open());
}
TEST_CASE("PostgreSQL: restores and runs are kept, newest first") {
  const Place place;
  check_history(place.open());
}
TEST_CASE("PostgreSQL: there is one unresolved alert for one thing") {
  const Place place;
  check_alerts(place.open());
}
TEST_CASE("PostgreSQL: a transaction is all or nothing, also inside of another") {
  const Place place;
  check_transactions(place.open());
}
TEST_CASE("PostgreSQL: several processes use one catalog, and one that is killed does no harm") {
  const Place place;
  check_processes(place.open());
}

TEST_CASE("PostgreSQL: values come back as they were, and everything is in the schema bkp") {
  const Place place;
  place.sql("CREATE TABLE public.t (x int); CREATE TABLE public.backups (x int)");
  const auto database = open_sql_database(place.url());
  CHECK_FALSE(database->has_table("t"));
  database->query("CREATE TABLE t (a TEXT, b BIGINT, c DOUBLE PRECISION, d TEXT)", {});
  const std::vector<SqlValue> values{std::string("it's"), std::int64_t{-1} << 62, 0.1, nullptr};
  database->query("INSERT INTO t (d, c, b, a) VALUES ($4, $3, $2, $1)", values);
  CHECK(database->query("SELECT a, b, c, d FROM t WHERE b = $2 AND a = $1",
                        std::span(values).first(2)) == std::vector<SqlRow>{values});
  CHECK(database->has_table("t"));
  Catalog(open_sql_database(place.url())).put_backup(sample_backup(kFirst));
  CHECK(place.sql("SELECT count(*) FROM public.t, public.backups").find("0") != std::string::npos);
}

TEST_CASE("PostgreSQL: text sorts by its bytes, whatever the database's locale") {
  const Place place;
  const auto database = open_sql_database(place.url());
  database->query("CREATE TABLE t (a TEXT NOT NULL)", {});
  CHECK_THAT(place.sql("SELECT collation_name FROM information_schema.columns"
                       " WHERE table_schema = 'bkp' AND table_name = 't'"),
             Catch::Contains("C"));
}

TEST_CASE("PostgreSQL: a statement that fails undoes its transaction, even when that goes on") {
  const Place place;
  Catalog catalog(open_sql_database(place.url()));
  CHECK_THROWS_AS(catalog.transaction([&] {
    catalog.put_backup(sample_backup(kFirst));
    CHECK_THROWS_AS(catalog.put_copy(kSecond, {}), Error);
  }),
                  Error);
  CHECK_FALSE(catalog.backup(kFirst));
}

TEST_CASE("PostgreSQL: what a transaction has read does not change before it ends") {
  const Place place;
  Catalog catalog(open_sql_database(place.url()));
  catalog.put_backup(sample_backup(kFirst));
  pid_t child = -1;
  catalog.transaction([&] {
    REQUIRE(catalog.backup(kFirst));
    child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        open_sql_database(place.url())->query("UPDATE backups SET note = 'changed meanwhile'", {});
      } catch (const std::exception&) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    // It waits: asked for long enough to be sure, were it let through.
    const auto waits = [] {
      return cluster().psql("place", "SELECT 'waits' FROM pg_locks WHERE NOT granted");
    };
    while (waits().find("waits") == std::string::npos) {
      int status = 0;
      REQUIRE(::waitpid(child, &status, WNOHANG) == 0);
    }
    CHECK(catalog.backup(kFirst)->note != "changed meanwhile");
  });
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(catalog.backup(kFirst)->note == "changed meanwhile");
}

TEST_CASE("PostgreSQL: a connection that was lost is made again, and that is told") {
  const Place place;
  std::vector<std::string> told;
  Catalog catalog(
      open_postgres_database(place.url(), [&](const std::string& line) { told.push_back(line); }));
  catalog.put_backup(sample_backup(kFirst));
  const auto cut = [&] {
    cluster().psql("postgres",
                   "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'place'"
                   " AND pid <> pg_backend_pid()");
  };

  SECTION("between two statements") {
    cut();
    catalog.put_backup(sample_backup(kSecond));
    CHECK(Catalog(place.open()()).backups({}).size() == 2);
  }
  SECTION("inside of a transaction, which begins again") {
    int runs = 0;
    catalog.transaction([&] {
      catalog.remove_backup(kFirst);
      if (++runs == 1) cut();
      catalog.put_backup(sample_backup(kSecond));
    });
    CHECK(runs == 2);
    CHECK(Catalog(place.open()()).backups({}).size() == 1);
  }
  SECTION("by a restart of its server") {
    cluster().stop();
    cluster().start();
    CHECK(catalog.backup(kFirst));
  }
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], Catch::StartsWith("the connection to catalog 'postgresql://") &&
                          Catch::Contains(" was lost and is there again: "));
}

TEST_CASE("PostgreSQL: transactions that are in each other's way both happen") {
  const Place place;
  { Catalog make(place.open()()); }
  place.sql(
      "CREATE SEQUENCE bkp.tries; GRANT ALL ON SEQUENCE bkp.tries TO PUBLIC;"
      "CREATE FUNCTION bkp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
      " IF nextval('bkp.tries') < 3 THEN"
      "  RAISE 'could not serialize access' USING ERRCODE = '40001'; END IF;"
      " RETURN NEW; END $$;"
      "CREATE TRIGGER refuse BEFORE INSERT ON bkp.runs FOR EACH ROW"
      " EXECUTE FUNCTION bkp.refuse()");
  Catalog catalog(place.open()());
  RunRecord run;
  run.id = kFirst;
  catalog.transaction([&] { catalog.put_run(run); });
  CHECK(catalog.runs(10).size() == 1);
  place.sql("SELECT setval('bkp.tries', 1); ALTER SEQUENCE bkp.tries INCREMENT BY -1 MINVALUE -99");
  run.id = kSecond;
  CHECK_THAT(error_of([&] { catalog.transaction([&] { catalog.put_run(run); }); }).message(),
             Catch::EndsWith("could not serialize access"));
}

TEST_CASE("PostgreSQL: a server that is not there, and a password, are told apart from nothing") {
  const Error none = error_of(
      [] { open_sql_database("postgresql://bkp:verysecret@127.0.0.1:1/bkp?connect_timeout=2"); });
  CHECK_THAT(none.message(),
             Catch::StartsWith("cannot reach the catalog 'postgresql://bkp@127.0.0.1:1/bkp': "));
  CHECK(none.message().find("verysecret") == std::string::npos);
  const Place place;
  CHECK_THROWS_AS(open_sql_database(place.url("nobody_here")), CatalogUnreachable);
}

TEST_CASE("PostgreSQL: a role that may not make the schema is told what its owner types") {
  const Place place;
  place.sql("CREATE ROLE \"weak-role\" LOGIN");
  const Error error = error_of([&] { open_sql_database(place.url("weak-role")); });
  CHECK(error.code() == ErrorCode::failed);
  CHECK_THAT(error.message(), Catch::EndsWith("permission denied for database place"));
  CHECK_THAT(error.hint(),
             Catch::Contains("CREATE SCHEMA IF NOT EXISTS bkp AUTHORIZATION \"weak-role\";"));
  place.sql("CREATE SCHEMA IF NOT EXISTS bkp AUTHORIZATION \"weak-role\"");
  Catalog catalog(open_sql_database(place.url("weak-role")));
  catalog.put_backup(sample_backup(kFirst));
  CHECK(catalog.backup(kFirst));
  place.sql("DROP SCHEMA bkp CASCADE; DROP OWNED BY \"weak-role\"; DROP ROLE \"weak-role\"");
}

TEST_CASE("PostgreSQL: a database that cannot hold every name is refused with the cure") {
  const Place place("ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
  const Error error = error_of([&] { open_sql_database(place.url()); });
  CHECK(error.code() == ErrorCode::usage);
  CHECK_THAT(error.message(), Catch::EndsWith("has encoding SQL_ASCII, not UTF8"));
  CHECK_THAT(error.hint(), Catch::Contains("CREATE DATABASE bkp ENCODING 'UTF8'"));
}

TEST_CASE("PostgreSQL: a standby's catalog is read, and writing says which server to name") {
  const Place place;
  Catalog catalog(open_sql_database(place.url()));
  catalog.put_backup(sample_backup(kFirst));
  const auto database = open_sql_database(place.url());
  database->query("SET default_transaction_read_only = on", {});
  Catalog standby([&] {
    auto connection = open_sql_database(place.url());
    connection->query("SET default_transaction_read_only = on", {});
    return connection;
  }());
  CHECK(standby.backup(kFirst));
  CHECK_THAT(error_of([&] { standby.put_backup(sample_backup(kSecond)); }).hint(),
             Catch::Contains("target_session_attrs=read-write"));
}
