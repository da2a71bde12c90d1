#include "pg/database_properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "pg/name.h"

namespace bkp {
namespace {

std::vector<std::string> first_column(const std::vector<PgRow>& rows) {
  std::vector<std::string> values;
  for (const PgRow& row : rows) values.push_back(row.at(0).value_or(""));
  return values;
}

// Roles in privileges and policies of objects that users made. pg_shdepend has these too, but not
// for the roles that come with the server.
constexpr const char* kRolesOfObjects = R"(
  SELECT unnest(ARRAY[item.grantee, item.grantor]) FROM (
      SELECT relacl FROM pg_class JOIN user_schemas s ON s.oid = relnamespace
      UNION ALL SELECT attacl FROM pg_attribute
        JOIN pg_class c ON c.oid = attrelid JOIN user_schemas s ON s.oid = relnamespace
        WHERE attacl IS NOT NULL
      UNION ALL SELECT proacl FROM pg_proc JOIN user_schemas s ON s.oid = pronamespace
      UNION ALL SELECT typacl FROM pg_type JOIN user_schemas s ON s.oid = typnamespace
      UNION ALL SELECT nspacl FROM user_schemas
      UNION ALL SELECT lanacl FROM pg_language
      UNION ALL SELECT fdwacl FROM pg_foreign_data_wrapper
      UNION ALL SELECT srvacl FROM pg_foreign_server
      UNION ALL SELECT lomacl FROM pg_largeobject_metadata
      UNION ALL SELECT defaclacl FROM pg_default_acl
    ) AS acls(acl), aclexplode(acl) AS item
  UNION SELECT unnest(polroles) FROM pg_policy)";

std::vector<std::string> read_roles(PgConnection& connection) {
  return first_column(connection.query(fmt::format(
      R"(
WITH database AS (SELECT oid, datdba, datacl FROM pg_database WHERE datname = current_database()),
user_schemas AS (SELECT oid, nspacl FROM pg_namespace
                 WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
roles(oid) AS (
  SELECT datdba FROM database
  UNION SELECT refobjid FROM pg_shdepend AS d, database
    WHERE refclassid = 'pg_authid'::regclass
      AND (d.dbid = database.oid
           OR d.dbid = 0 AND classid = 'pg_database'::regclass AND objid = database.oid)
  UNION SELECT setrole FROM pg_db_role_setting, database WHERE setdatabase = database.oid
  UNION SELECT unnest(ARRAY[item.grantee, item.grantor])
    FROM database, aclexplode(datacl) AS item
  UNION {})
SELECT rolname FROM pg_roles WHERE oid IN (SELECT oid FROM roles) ORDER BY rolname COLLATE "C")",
      kRolesOfObjects)));
}

std::vector<DatabaseSetting> read_settings(PgConnection& connection) {
  std::vector<DatabaseSetting> settings;
  for (const PgRow& row : connection.query(R"(
SELECT coalesce(rolname, ''), setting
FROM pg_db_role_setting LEFT JOIN pg_roles AS r ON r.oid = setrole,
     unnest(setconfig) WITH ORDINALITY AS s(setting, n)
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY rolname COLLATE "C" NULLS FIRST, n)")) {
    const std::string& setting = row.at(1).value();
    const auto equals = setting.find('=');
    settings.push_back({row.at(0).value(), setting.substr(0, equals), setting.substr(equals + 1)});
  }
  return settings;
}

void read_privileges(PgConnection& connection, DatabaseProperties& properties) {
  // Privileges that were changed and changed back are as good as never changed.
  for (const PgRow& row : connection.query(R"(
SELECT item::text,
       coalesce(datacl, acldefault('d', datdba)) @> acldefault('d', datdba)
       AND coalesce(cardinality(datacl) = cardinality(acldefault('d', datdba)), true)
FROM pg_database LEFT JOIN unnest(coalesce(datacl, acldefault('d', datdba))) AS item ON true
WHERE datname = current_database() ORDER BY item::text COLLATE "C")")) {
    properties.default_acl = row.at(1) == "t";
    if (!properties.default_acl && row.at(0)) properties.acl.push_back(*row.at(0));
  }
}

}  // namespace

DatabaseProperties read_properties(PgConnection& connection) {
  const int major = connection.major();
  const char* provider = major >= 15 ? "datlocprovider" : "'c'";
  const char* locale = major >= 17 ? "datlocale" : major >= 15 ? "daticulocale" : "NULL";
  const char* rules = major >= 16 ? "daticurules" : "NULL";
  const auto rows = connection.query(fmt::format(
      R"(
SELECT datname, rolname, pg_encoding_to_char(encoding), datcollate, datctype,
       CASE {} WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
       coalesce({}, ''), coalesce({}, ''), spcname, datconnlimit, datallowconn, datistemplate,
       coalesce(shobj_description(d.oid, 'pg_database'), '')
FROM pg_database AS d JOIN pg_roles AS r ON r.oid = datdba
     JOIN pg_tablespace AS t ON t.oid = dattablespace
WHERE datname = current_database())",
      provider, locale, rules));
  const PgRow& row = rows.at(0);
  DatabaseProperties properties;
  properties.name = row.at(0).value();
  properties.owner = row.at(1).value();
  properties.encoding = row.at(2).value();
  properties.collate = row.at(3).value();
  properties.ctype = row.at(4).value();
  properties.locale_provider = row.at(5).value();
  properties.locale = row.at(6).value();
  properties.icu_rules = row.at(7).value();
  properties.tablespace = row.at(8).value();
  properties.connection_limit = std::stoll(row.at(9).value());
  properties.allow_connections = row.at(10) == "t";
  properties.is_template = row.at(11) == "t";
  properties.comment = row.at(12).value();
  read_privileges(connection, properties);
  properties.settings = read_settings(connection);
  properties.security_labels = first_column(connection.query(R"(
SELECT provider || '=' || label FROM pg_shseclabel
WHERE classoid = 'pg_database'::regclass
  AND objoid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY provider COLLATE "C")"));
  properties.roles = read_roles(connection);
  return properties;
}

std::vector<std::string> missing_roles(PgConnection& connection,
                                       const DatabaseProperties& properties,
                                       const std::vector<std::string>& more) {
  std::set<std::string> needed(properties.roles.begin(), properties.roles.end());
  needed.insert(more.begin(), more.end());
  needed.insert(properties.owner);
  for (const DatabaseSetting& setting : properties.settings) needed.insert(setting.role);
  needed.erase("");
  return first_column(connection.query(
      "SELECT name FROM unnest($1::text[]) AS name "
      "WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) ORDER BY name COLLATE \"C\"",
      {array_text({needed.begin(), needed.end()})}));
}

std::vector<std::string> foreign_roles(PgConnection& connection,
                                       const DatabaseProperties& properties,
                                       const std::vector<std::string>& owners) {
  std::set<std::string> needed(owners.begin(), owners.end());
  needed.insert(properties.owner);
  needed.erase("");
  return first_column(connection.query(
      "SELECT rolname FROM pg_roles WHERE rolname = ANY ($1::text[]) "
      "AND NOT pg_has_role(oid, $2) ORDER BY rolname COLLATE \"C\"",
      {array_text({needed.begin(), needed.end()}), connection.major() < 16 ? "MEMBER" : "SET"}));
}

bool database_exists(PgConnection& connection, const std::string& name) {
  return !connection.query("SELECT FROM pg_database WHERE datname = $1", {name}).empty();
}

}  // namespace bkp
