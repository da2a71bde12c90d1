// A database with every type of object, dumped, read as it flows by, restored and compared.
#include <algorithm>
#include <regex>

#include "base/fd.h"
#include "pg/archive_reader.h"
#include "pg/connection.h"
#include "pg/database_properties.h"
#include "pg/dump_access.h"
#include "pg/name.h"
#include "pg/table_check.h"
#include "pg/tools.h"
#include "server.h"
#include "stream/memory_stream.h"
#include "stream/process.h"

using namespace bkp;

namespace {

struct Dump {
  Bytes archive;
  ArchiveContents contents;
};

Dump dump(const std::string& conninfo, DumpArguments arguments = {}) {
  arguments.conninfo = conninfo;
  PgConnection connection(conninfo);
  arguments.encoding = connection.query_value("SHOW server_encoding");
  Process process(dump_process(shared_cluster().bin_dir(), arguments));
  ArchiveReader reader(process, Digests::yes);
  MemorySink sink;
  copy(reader, sink);
  return {sink.data(), reader.contents()};
}

std::vector<std::string> restore(const Bytes& archive, const std::string& conninfo) {
  RestoreArguments arguments;
  arguments.conninfo = conninfo;
  Process process(restore_process(shared_cluster().bin_dir(), arguments));
  process.input().write(archive);
  process.input().finish();
  const int status = process.wait_status();
  return restore_errors(status, process.error_output());
}

std::string describe(const TableData& table) {
  return qualified_name(table.schema, table.name) + " " + std::to_string(table.rows) + " rows, " +
         std::to_string(table.bytes) + " bytes, " + table.digest.hex();
}

void check_equal(const ArchiveContents& contents, const std::string& conninfo, unsigned jobs) {
  const auto checked = check_tables(conninfo, contents.tables, Digests::yes, jobs);
  REQUIRE(checked.size() == contents.tables.size());
  for (std::size_t i = 0; i < checked.size(); ++i) {
    CHECK_FALSE(checked[i].missing);
    CHECK(describe(checked[i].data) == describe(contents.tables[i]));
  }
  const LargeObjectData objects = check_large_objects(conninfo, Digests::yes);
  CHECK(objects.count == contents.large_objects.count);
  CHECK(objects.bytes == contents.large_objects.bytes);
  CHECK(objects.digest == contents.large_objects.digest);
}

std::string schema_of(const std::string& conninfo) {
  const std::string text =
      shared_cluster().run({"pg_dump", "--schema-only", "--encoding=UTF8", "-d", conninfo});
  return std::regex_replace(text, std::regex("\\\\(un)?restrict [^\n]*\n"), "");
}

std::string every_object_type() {
  return read_file(BKP_SOURCE_DIR "/tests/data/every_object_type.sql");
}

}  // namespace

TEST_CASE("a restored database of every object type has the dump's rows, digests and schema") {
  const TestDatabase source("every", every_object_type());
  // What roles and databases may have set must not make a good restore look bad.
  shared_cluster().psql("postgres", R"(
ALTER DATABASE every SET timezone = 'Asia/Kathmandu';
ALTER DATABASE every SET bytea_output = 'escape';
ALTER DATABASE every SET datestyle = 'SQL, DMY';
ALTER DATABASE every SET intervalstyle = 'iso_8601';
ALTER DATABASE every SET extra_float_digits = -5;
ALTER DATABASE every SET client_encoding = 'LATIN1';
ALTER DATABASE every SET search_path = app;
ALTER DATABASE every SET quote_all_identifiers = on;
ALTER DATABASE every SET array_nulls = off;
ALTER DATABASE every SET default_transaction_read_only = on;
ALTER DATABASE every SET statement_timeout = '100s')");
  const Dump dumped = dump(source.conninfo());
  CHECK(dumped.contents.tables.size() >= 30);
  CHECK(dumped.contents.large_objects.count == 4);
  CHECK(dumped.contents.owners == std::set<std::string>{"postgres", "every_owner", "Odd \"Role\""});
  for (const char* kind : {"TABLE", "VIEW", "FUNCTION", "EVENT TRIGGER", "POLICY", "PUBLICATION"})
    CHECK(dumped.contents.objects.count(kind) == 1);
  check_equal(dumped.contents, source.conninfo(), 1);

  PgConnection admin(shared_cluster().conninfo());
  DatabaseProperties properties;
  {
    PgConnection connection(source.conninfo());
    properties = read_properties(connection);
  }
  create_database(admin, "every_restored", properties);
  const std::string target = shared_cluster().conninfo("every_restored");
  CHECK(restore(dumped.archive, target).empty());
  check_equal(dumped.contents, target, 4);
  apply_properties(admin, "every_restored", properties);
  check_equal(dumped.contents, target, 3);
  shared_cluster().psql("postgres",
                        "ALTER DATABASE every SET default_transaction_read_only = off;"
                        "ALTER DATABASE every_restored SET default_transaction_read_only = off");
  CHECK(schema_of(target) == schema_of(source.conninfo()));
  drop_database(admin, "every_restored");
}

TEST_CASE("a changed, added or missing row is seen, and so is a missing table") {
  const TestDatabase source("changed",
                            "CREATE TABLE t AS SELECT i, i::text AS text FROM "
                            "generate_series(1, 1000) i; CREATE TABLE gone (a int);"
                            "CREATE TABLE same AS SELECT 1 AS a");
  const ArchiveContents contents = dump(source.conninfo()).contents;
  const auto digest_now = [&] {
    return check_tables(source.conninfo(), contents.tables, Digests::yes, 2);
  };
  CHECK(digest_now()[2].data.digest == contents.tables[2].digest);
  for (const char* change :
       {"UPDATE t SET text = '43' WHERE i = 42", "DELETE FROM t WHERE i = 1",
        "INSERT INTO t VALUES (5, '5')", "UPDATE t SET text = NULL WHERE i = 7"}) {
    shared_cluster().psql("changed", change);
    CHECK(describe(digest_now()[2].data) != describe(contents.tables[2]));
    CHECK(describe(digest_now()[1].data) == describe(contents.tables[1]));
  }
  shared_cluster().psql("changed", "DROP TABLE gone");
  CHECK(digest_now()[0].missing);
  shared_cluster().psql("changed", "ALTER TABLE t DROP COLUMN text");
  CHECK_THAT(error_of(digest_now).message(), Catch::StartsWith("cannot read table 'public.t': "));
}

TEST_CASE("rows of partitions that load through their root are compared as the root's") {
  const TestDatabase source("hashed", R"(
CREATE TYPE m AS ENUM ('a', 'b', 'c');
CREATE TABLE h (m m, v int) PARTITION BY HASH (m);
CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO h SELECT m, i FROM unnest(enum_range(NULL::m)) m, generate_series(1, 9) i)");
  const Dump dumped = dump(source.conninfo());
  REQUIRE(dumped.contents.tables.size() == 1);
  CHECK(dumped.contents.tables[0].name == "h");
  CHECK(dumped.contents.tables[0].rows == 27);
  const TestDatabase target("hashed_restored");
  CHECK(restore(dumped.archive, target.conninfo()).empty());
  check_equal(dumped.contents, target.conninfo(), 2);
}

TEST_CASE("a dump reads the exported snapshot, and leaves out what is excluded") {
  const TestDatabase source("snapshot",
                            "CREATE TABLE t AS SELECT generate_series(1, 5) AS a;"
                            "CREATE TABLE cache AS SELECT 1 AS a;"
                            "CREATE TABLE log AS SELECT 1 AS a;"
                            "CREATE SCHEMA audit; CREATE TABLE audit.a ()");
  PgConnection connection(source.conninfo());
  const ExportedSnapshot snapshot(connection);
  shared_cluster().psql("snapshot", "INSERT INTO t VALUES (6)");
  DumpArguments arguments;
  arguments.snapshot = snapshot.id();
  arguments.exclude_schemas = {"audit"};
  arguments.exclude_tables = {"public.cache"};
  arguments.exclude_table_data = {"log"};
  const ArchiveContents contents = dump(source.conninfo(), arguments).contents;
  REQUIRE(contents.tables.size() == 1);
  CHECK(contents.tables[0].rows == 5);
  CHECK(contents.objects.at("TABLE") == 2);
}

TEST_CASE("settings of the target's roles and database neither hinder nor change a restore") {
  const TestDatabase source("plain",
                            "CREATE TABLE t AS SELECT ARRAY['a', NULL] AS a, interval "
                            "'-1 day -2 hours' AS i, 1 = NULL AS n");
  const Dump dumped = dump(source.conninfo());
  const TestDatabase target("plain_restored");
  shared_cluster().psql("plain_restored", R"(
ALTER DATABASE plain_restored SET array_nulls = off;
ALTER DATABASE plain_restored SET intervalstyle = sql_standard;
ALTER ROLE postgres IN DATABASE plain_restored SET default_transaction_read_only = on)");
  CHECK(restore(dumped.archive, target.conninfo()).empty());
  check_equal(dumped.contents, target.conninfo(), 1);
}

TEST_CASE("a restore into an empty database has no errors, into a filled one it has") {
  const TestDatabase source("plain", "CREATE TABLE t AS SELECT 1 AS a");
  const Dump dumped = dump(source.conninfo());
  const TestDatabase target("plain_restored");
  CHECK(restore(dumped.archive, target.conninfo()).empty());
  const auto errors = restore(dumped.archive, target.conninfo());
  REQUIRE_FALSE(errors.empty());
  CHECK_THAT(errors[0], Catch::Contains("relation \"t\" already exists"));
}

TEST_CASE("a connection through the password of a conninfo needs no prompt and shows none") {
  shared_cluster().psql("postgres",
                        "DROP ROLE IF EXISTS secretive; CREATE ROLE secretive LOGIN "
                        "SUPERUSER PASSWORD 'p w''\\'");
  const TestDatabase source("secret", "CREATE TABLE t AS SELECT 1 AS a");
  const std::string conninfo = shared_cluster().tcp_conninfo("secret", "secretive");
  CHECK_THROWS_AS(PgConnection(conninfo), Error);
  const Dump dumped = dump(with_keyword(conninfo, "password", "p w'\\"));
  CHECK(dumped.contents.tables.size() == 1);
  shared_cluster().psql("postgres", "DROP ROLE secretive");
}

TEST_CASE("a database of another encoding is dumped and compared in its own") {
  for (const std::string encoding : {"LATIN1", "SQL_ASCII", "EUC_JP"}) {
    INFO(encoding);
    shared_cluster().psql(
        "postgres",
        "DROP DATABASE IF EXISTS encoded; DROP DATABASE IF EXISTS encoded_restored;"
        "CREATE DATABASE encoded TEMPLATE template0 LOCALE 'C' ENCODING '" +
            encoding +
            "';"
            "CREATE DATABASE encoded_restored TEMPLATE template0 LOCALE 'C' ENCODING '" +
            encoding + "'");
    PgConnection connection(shared_cluster().conninfo("encoded"));
    const std::string name = encoding == "EUC_JP" ? "\u6771\u4eac" : "gr\u00f6\u00dfe";
    connection.execute("CREATE TABLE " + connection.quote_identifier(name) + " (\"" + name +
                       "\" text);"
                       "INSERT INTO \"" +
                       name + "\" VALUES ('" + name + "'), ('plain')");
    const Dump dumped = dump(shared_cluster().conninfo("encoded"));
    REQUIRE(dumped.contents.tables.size() == 1);
    CHECK(dumped.contents.tables[0].name == name);
    CHECK(dumped.contents.tables[0].copy_columns == "(\"" + name + "\")");
    CHECK(restore(dumped.archive, shared_cluster().conninfo("encoded_restored")).empty());
    check_equal(dumped.contents, shared_cluster().conninfo("encoded_restored"), 1);
  }
  shared_cluster().psql("postgres",
                        "DROP DATABASE encoded WITH (FORCE); DROP DATABASE encoded_restored");
}
