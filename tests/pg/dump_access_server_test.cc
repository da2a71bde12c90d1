#include "pg/dump_access.h"
#include "pg/tools.h"
#include "server.h"
#include "stream/memory_stream.h"
#include "stream/process.h"

using namespace bkp;

namespace {

constexpr const char* kShop = R"(
DROP ROLE IF EXISTS "Shop dumper", shop_owner;
CREATE ROLE "Shop dumper" LOGIN;
CREATE ROLE shop_owner LOGIN;
CREATE SCHEMA shop;
CREATE SCHEMA "Audit 1";
CREATE TABLE shop.customers (id serial PRIMARY KEY, name text);
INSERT INTO shop.customers (name) VALUES ('a');
CREATE TABLE shop.cache (id int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE shop."Logs" (id int);
CREATE TABLE "Audit 1".entries (id int);
CREATE TABLE readable (id int);
CREATE VIEW shop.v AS SELECT * FROM shop.customers;
GRANT SELECT ON readable TO "Shop dumper";
ALTER TABLE readable ENABLE ROW LEVEL SECURITY;
)";

std::vector<std::string> lines(const std::vector<AccessProblem>& problems) {
  std::vector<std::string> out;
  for (const AccessProblem& each : problems)
    out.push_back(each.subject + ": " + each.reason + ": " + each.cure);
  return out;
}

bool dumps(const std::string& role, const DumpExclusions& exclude = {}) {
  DumpArguments arguments;
  arguments.conninfo = shared_cluster().conninfo("access", role);
  arguments.exclude_schemas = exclude.schemas;
  arguments.exclude_tables = exclude.tables;
  arguments.exclude_table_data = exclude.table_data;
  Process process(dump_process(shared_cluster().bin_dir(), arguments));
  NullSink sink;
  try {
    copy(process, sink);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// What is found and what pg_dump does must agree.
std::vector<std::string> checked(const std::string& role, const DumpExclusions& exclude = {}) {
  PgConnection connection(shared_cluster().conninfo("access", role));
  const auto found = lines(dump_access_problems(connection, exclude));
  CHECK(dumps(role, exclude) == found.empty());
  return found;
}

void cure(const std::string& role) {
  PgConnection connection(shared_cluster().conninfo("access", role));
  for (const AccessProblem& each : dump_access_problems(connection, {}))
    shared_cluster().psql("access", each.cure);
}

}  // namespace

TEST_CASE("what hinders a dump is found before, with the SQL that cures it") {
  const TestDatabase database("access", kShop);
  CHECK(checked("postgres").empty());
  const std::string dumper = "Shop dumper";
  CHECK(checked(dumper) ==
        std::vector<std::string>{
            "schemas \"Audit 1\" and shop: role 'Shop dumper' has no USAGE privilege: GRANT "
            "pg_read_all_data TO \"Shop dumper\";",
            "tables \"Audit 1\".entries, shop.\"Logs\", shop.cache and shop.customers: role 'Shop "
            "dumper' has no SELECT privilege: GRANT pg_read_all_data TO \"Shop dumper\";",
            "sequences shop.cache_id_seq and shop.customers_id_seq: role 'Shop dumper' has no "
            "SELECT privilege: GRANT pg_read_all_data TO \"Shop dumper\";",
            "table public.readable: row-level security hides rows from role 'Shop dumper': ALTER "
            "ROLE \"Shop dumper\" BYPASSRLS;"});

  DumpExclusions exclude;
  exclude.schemas = {"shop", "\"Audit 1\""};
  exclude.table_data = {"read*"};
  CHECK(checked(dumper, exclude).empty());
  exclude.schemas = {"Audit*"};  // folds to lower case
  CHECK(checked(dumper, exclude).size() == 3);
  exclude.schemas = {"?udit*", "\"Audit\"*"};
  exclude.tables = {"shop.c*", "shop.\"Logs\""};
  CHECK(checked(dumper, exclude).empty());
  exclude.table_data = {};
  CHECK(checked(dumper, exclude).size() == 1);

  cure(dumper);
  CHECK(checked(dumper).empty());
  shared_cluster().psql("access", "DROP OWNED BY \"Shop dumper\"");
}

TEST_CASE("an owner whom FORCE ROW LEVEL SECURITY binds does not see all rows") {
  const TestDatabase database("access", std::string(kShop) + R"(
ALTER TABLE readable OWNER TO shop_owner; ALTER DATABASE access OWNER TO shop_owner;
GRANT pg_read_all_data TO shop_owner;)");
  CHECK(checked("shop_owner").empty());
  shared_cluster().psql("access", "ALTER TABLE readable FORCE ROW LEVEL SECURITY");
  CHECK(checked("shop_owner") ==
        std::vector<std::string>{"table public.readable: row-level security hides rows from role "
                                 "'shop_owner': ALTER ROLE shop_owner BYPASSRLS;"});
  cure("shop_owner");
  CHECK(checked("shop_owner").empty());
}

TEST_CASE("large objects need a privilege each") {
  const TestDatabase database("access", std::string(kShop) + R"(
ALTER TABLE readable DISABLE ROW LEVEL SECURITY; GRANT pg_read_all_data TO "Shop dumper";
SELECT lo_from_bytea(7001, 'x');)");
  CHECK(checked("Shop dumper") ==
        std::vector<std::string>{"large object 7001: role 'Shop dumper' has no SELECT privilege: "
                                 "GRANT SELECT ON LARGE OBJECT 7001 TO \"Shop dumper\";"});
  shared_cluster().psql("access",
                        "SELECT lo_from_bytea(i::oid, 'x') FROM generate_series(8001, 8009) i");
  const auto many = checked("Shop dumper");
  REQUIRE(many.size() == 1);
  CHECK_THAT(many[0], Catch::StartsWith(
                          "large objects 7001, 8001, 8002, 8003, 8004 and 5 more: role 'Shop"));
  cure("Shop dumper");
  CHECK(checked("Shop dumper").empty());
  shared_cluster().psql("access", "DROP OWNED BY \"Shop dumper\"");
}

TEST_CASE("tables of extensions count only where they are configuration") {
  const TestDatabase database("access", std::string(kShop) + R"(
DROP SCHEMA shop CASCADE; DROP SCHEMA "Audit 1" CASCADE; DROP TABLE readable;
CREATE EXTENSION hstore; CREATE TABLE hidden (a int); ALTER EXTENSION hstore ADD TABLE hidden;)");
  CHECK(checked("Shop dumper").empty());
  {
    PgConnection connection(shared_cluster().conninfo("access"));
    CHECK(extension_configuration_tables(connection).empty());
  }
  shared_cluster().psql("access",
                        "UPDATE pg_extension SET extconfig = ARRAY['hidden'::regclass::oid], "
                        "extcondition = ARRAY[''] WHERE extname = 'hstore'");
  PgConnection connection(shared_cluster().conninfo("access"));
  CHECK(extension_configuration_tables(connection) == std::vector<std::string>{"public.hidden"});
  CHECK(checked("Shop dumper").size() == 1);
}

TEST_CASE("databases that can be dumped are those that take connections and are no templates") {
  const TestDatabase first("access_a"), second("access_B"), third("access_c");
  shared_cluster().psql("postgres", "ALTER DATABASE access_c ALLOW_CONNECTIONS false");
  PgConnection connection(shared_cluster().conninfo());
  CHECK(dumpable_databases(connection) ==
        std::vector<std::string>{"access_B", "access_a", "postgres"});
}

TEST_CASE("an exported snapshot holds still, whatever timeouts the role has") {
  const TestDatabase database("access",
                              "CREATE TABLE t (a int); ALTER DATABASE access SET "
                              "idle_in_transaction_session_timeout = '20ms'");
  PgConnection connection(shared_cluster().conninfo("access"));
  {
    const ExportedSnapshot snapshot(connection);
    shared_cluster().psql("access", "INSERT INTO t VALUES (1); SELECT pg_sleep(0.1)");
    CHECK(connection.query_value("SELECT count(*) FROM t") == "0");
    PgConnection other(shared_cluster().conninfo("access"));
    other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT " +
                  other.quote_literal(snapshot.id()));
    CHECK(other.query_value("SELECT count(*) FROM t") == "0");
  }
  CHECK(connection.query_value("SELECT count(*) FROM t") == "1");
}

TEST_CASE("the system identifier is the control file's") {
  PgConnection connection(shared_cluster().conninfo());
  const std::string control =
      shared_cluster().run({"pg_controldata", "-D", shared_cluster().data_directory()});
  const std::string identifier = system_identifier(connection);
  CHECK_FALSE(identifier.empty());
  CHECK_THAT(control, Catch::Contains(identifier));
}
