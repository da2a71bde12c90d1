#include <algorithm>
#include <filesystem>

#include "pg/database_properties.h"
#include "server.h"

using namespace bkp;

namespace {

DatabaseProperties properties_of(const std::string& database) {
  PgConnection connection(shared_cluster().conninfo(database));
  return read_properties(connection);
}

std::string acl_of(const std::string& database) {
  return shared_cluster().psql("postgres",
                               "SELECT item FROM pg_database, unnest(datacl) AS item "
                               "WHERE datname = '" +
                                   database + "' ORDER BY item::text COLLATE \"C\"");
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

// Creates a copy of `source` called "copy" and reads its properties back, under the source's name.
DatabaseProperties copied(const DatabaseProperties& source) {
  PgConnection admin(shared_cluster().conninfo());
  drop_database(admin, "copy");
  CHECK_FALSE(database_exists(admin, "copy"));
  create_database(admin, "copy", source);
  CHECK(database_exists(admin, "copy"));
  apply_properties(admin, "copy", source);
  DatabaseProperties copy = properties_of("copy");
  copy.name = source.name;
  return copy;
}

void drop_copy() {
  PgConnection admin(shared_cluster().conninfo());
  drop_database(admin, "copy");
}

}  // namespace

TEST_CASE("a new database's properties are the defaults, and go round") {
  const TestDatabase database("props_plain");
  const DatabaseProperties properties = properties_of("props_plain");
  CHECK(properties.owner == "postgres");
  CHECK(properties.encoding == "UTF8");
  CHECK(properties.collate == "C.UTF-8");
  CHECK(properties.locale_provider == "libc");
  CHECK(properties.locale.empty());
  CHECK(properties.tablespace == "pg_default");
  CHECK(properties.connection_limit == -1);
  CHECK(properties.default_acl);
  CHECK(properties.acl.empty());
  CHECK(properties.settings.empty());
  CHECK(properties.roles == std::vector<std::string>{"pg_database_owner", "postgres"});
  CHECK(copied(properties) == properties);
  drop_copy();
}

TEST_CASE("everything that belongs to a database and to no dump of it goes round") {
  const std::filesystem::path place = shared_cluster().directory() / "tablespace";
  shared_cluster().run({"/bin/mkdir", "-p", place});
  shared_cluster().psql("postgres", R"(
DROP DATABASE IF EXISTS "props Ö";
CREATE ROLE props_owner;
CREATE ROLE "Props ""Reader""";
CREATE ROLE props_second;
CREATE ROLE props_unused;
CREATE TABLESPACE "props place" LOCATION ')" +
                                        place.string() + R"(';
CREATE DATABASE "props Ö" TEMPLATE template0 OWNER props_owner ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'
  LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' TABLESPACE "props place" CONNECTION LIMIT 17;
COMMENT ON DATABASE "props Ö" IS E'it''s a "comment" with \\ and\ntwo lines';
REVOKE ALL ON DATABASE "props Ö" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE "props Ö" TO "Props ""Reader""" WITH GRANT OPTION;
SET ROLE "Props ""Reader""";
GRANT CONNECT ON DATABASE "props Ö" TO props_second WITH GRANT OPTION;
SET ROLE props_second;
GRANT CONNECT ON DATABASE "props Ö" TO pg_monitor;
RESET ROLE;
REVOKE CREATE ON DATABASE "props Ö" FROM props_owner;
ALTER DATABASE "props Ö" SET search_path = "$user", public, "Odd, ""Schema""";
ALTER DATABASE "props Ö" SET temp_tablespaces = '';
ALTER DATABASE "props Ö" SET work_mem = '64MB';
ALTER DATABASE "props Ö" SET datestyle = 'ISO, DMY';
ALTER DATABASE "props Ö" SET app.tenant = E'it''s "q" \\ =x';
ALTER DATABASE "props Ö" SET timezone = 'Europe/Berlin';
ALTER ROLE "Props ""Reader""" IN DATABASE "props Ö" SET search_path = '';
ALTER ROLE "Props ""Reader""" IN DATABASE "props Ö" SET statement_timeout = '5s';
ALTER DATABASE "props Ö" IS_TEMPLATE true;
)");
  const DatabaseProperties properties = properties_of("props Ö");
  CHECK(properties.owner == "props_owner");
  CHECK(properties.collate == "C");
  CHECK(properties.locale_provider == "icu");
  CHECK(properties.locale == "de-u-co-phonebk");
  CHECK(properties.tablespace == "props place");
  CHECK(properties.connection_limit == 17);
  CHECK(properties.is_template);
  CHECK_FALSE(properties.default_acl);
  CHECK(properties.acl.size() == 4);
  CHECK(properties.settings.size() == 8);
  CHECK(properties.settings[0] ==
        DatabaseSetting{"", "search_path", "\"$user\", public, \"Odd, \"\"Schema\"\"\""});
  for (const char* role : {"props_owner", "Props \"Reader\"", "props_second", "pg_monitor"})
    CHECK(contains(properties.roles, role));
  CHECK_FALSE(contains(properties.roles, "props_unused"));
  const DatabaseProperties copy = copied(properties);
  CHECK(copy == properties);
  CHECK(acl_of("copy") == acl_of("props Ö"));
  drop_copy();
  PgConnection admin(shared_cluster().conninfo());
  drop_database(admin, "props Ö");  // a template as it is
  CHECK_FALSE(database_exists(admin, "props Ö"));
}

TEST_CASE("locales of every provider that the server knows go round") {
  PgConnection admin(shared_cluster().conninfo());
  std::vector<std::string> options = {"LOCALE 'C'"};
  if (admin.major() >= 15)
    options.push_back("LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C' ENCODING 'UTF8'");
  if (admin.major() >= 16)
    options.push_back("LOCALE_PROVIDER icu ICU_LOCALE 'en' ICU_RULES '&V << w' LOCALE 'C'");
  if (admin.major() >= 17)
    options.push_back("LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'");
  for (const std::string& option : options) {
    INFO(option);
    drop_database(admin, "props_locale");
    admin.execute("CREATE DATABASE props_locale TEMPLATE template0 " + option);
    const DatabaseProperties properties = properties_of("props_locale");
    CHECK(copied(properties) == properties);
  }
  drop_database(admin, "props_locale");
  drop_copy();
}

TEST_CASE("privileges that nobody has go round, and so do those changed and changed back") {
  const TestDatabase database("props_acl");
  shared_cluster().psql("postgres", "REVOKE ALL ON DATABASE props_acl FROM PUBLIC, postgres");
  const DatabaseProperties none = properties_of("props_acl");
  CHECK_FALSE(none.default_acl);
  CHECK(none.acl.empty());
  CHECK(copied(none) == none);
  shared_cluster().psql("postgres",
                        "GRANT ALL ON DATABASE props_acl TO postgres;"
                        "GRANT CONNECT, TEMPORARY ON DATABASE props_acl TO PUBLIC");
  const DatabaseProperties back = properties_of("props_acl");
  CHECK(back.default_acl);
  CHECK(copied(back) == back);
  shared_cluster().psql("postgres", "GRANT CREATE ON DATABASE props_acl TO PUBLIC");
  const DatabaseProperties more = properties_of("props_acl");
  CHECK_FALSE(more.default_acl);
  CHECK(copied(more) == more);
  drop_copy();
}

TEST_CASE("a database being restored lets in nobody but its owner and superusers") {
  const TestDatabase database("props_closed");
  shared_cluster().psql("postgres", "DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN");
  PgConnection admin(shared_cluster().conninfo());
  drop_database(admin, "copy");
  const DatabaseProperties properties = properties_of("props_closed");
  create_database(admin, "copy", properties);
  const auto enter = [] { PgConnection stranger(shared_cluster().conninfo("copy", "stranger")); };
  CHECK_THAT(error_of(enter).message(), Catch::Contains("permission denied for database"));
  CHECK_NOTHROW(PgConnection(shared_cluster().conninfo("copy")));
  apply_properties(admin, "copy", properties);
  CHECK_NOTHROW(enter());
  drop_copy();
}

TEST_CASE("roles that a restore needs and the server lacks are named") {
  const TestDatabase database("props_roles", R"(
DROP ROLE IF EXISTS in_default, in_policy, in_grant, in_setting, is_owner;
CREATE ROLE in_default; CREATE ROLE in_policy; CREATE ROLE in_grant; CREATE ROLE in_setting; CREATE ROLE is_owner;
CREATE TABLE t (a int);
CREATE POLICY p ON t TO in_policy;
GRANT SELECT (a) ON t TO in_grant;
GRANT SELECT ON t TO pg_read_all_data;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO in_default;
ALTER ROLE in_setting IN DATABASE props_roles SET work_mem = '1MB';
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION f() OWNER TO is_owner)");
  DatabaseProperties properties = properties_of("props_roles");
  for (const char* role :
       {"in_default", "in_policy", "in_grant", "in_setting", "is_owner", "pg_read_all_data"})
    CHECK(contains(properties.roles, role));
  PgConnection admin(shared_cluster().conninfo());
  CHECK(missing_roles(admin, properties, {"postgres", ""}).empty());
  properties.roles.push_back("it's \"gone\"");
  properties.owner = "gone_too";
  properties.settings.push_back({"and \\ this", "work_mem", "1MB"});
  CHECK(missing_roles(admin, properties, {"gone_too", "more"}) ==
        std::vector<std::string>{"and \\ this", "gone_too", "it's \"gone\"", "more"});
  shared_cluster().psql("props_roles",
                        "DROP OWNED BY in_default, in_policy, in_grant, in_setting, is_owner;"
                        "DROP ROLE in_default, in_policy, in_grant, in_setting, is_owner");
}

TEST_CASE("a setting that the server does not take is named, a locale or owner is an error") {
  const TestDatabase database("props_bad");
  DatabaseProperties properties = properties_of("props_bad");
  PgConnection admin(shared_cluster().conninfo());
  drop_database(admin, "copy");
  create_database(admin, "copy", properties);
  properties.settings = {
      {"", "no_such_setting", "1"}, {"", "work_mem", "1MB"}, {"postgres", "work_mem", "much"}};
  properties.connection_limit = 3;
  const std::vector<std::string> refused = apply_properties(admin, "copy", properties);
  REQUIRE(refused.size() == 2);
  CHECK_THAT(refused[0], Catch::StartsWith("setting 'no_such_setting' of the database was not"));
  CHECK_THAT(refused[1], Catch::StartsWith("setting 'work_mem' of the role 'postgres' was not"));
  CHECK(properties_of("copy").connection_limit == 3);
  CHECK(properties_of("copy").settings == std::vector<DatabaseSetting>{{"", "work_mem", "1MB"}});
  drop_copy();
  if (admin.major() < 17) {
    properties.locale_provider = "builtin";
    CHECK_THAT(error_of([&] { create_database(admin, "copy", properties); }).message(),
               Catch::Contains("provider 'builtin'"));
  }
  properties.locale_provider = "libc";
  properties.owner = "nobody_there";
  CHECK_THAT(error_of([&] { create_database(admin, "copy", properties); }).message(),
             Catch::Contains("role \"nobody_there\" does not exist"));
  CHECK_FALSE(database_exists(admin, "copy"));
}
