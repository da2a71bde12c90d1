#include "pg/globals.h"

#include <fmt/format.h>

#include <map>

namespace bkp {
namespace {

// Of one catalog: by object, "provider=label" in order.
std::multimap<std::string, std::string> labels_of(PgConnection& connection, const char* catalog) {
  std::multimap<std::string, std::string> labels;
  for (const PgRow& row :
       connection.query("SELECT objoid, provider || '=' || label FROM pg_shseclabel "
                        "WHERE classoid = $1::regclass ORDER BY provider COLLATE \"C\"",
                        {catalog}))
    labels.emplace(row.at(0).value(), row.at(1).value());
  return labels;
}

std::vector<std::string> labels_for(const std::multimap<std::string, std::string>& labels,
                                    const std::string& oid) {
  std::vector<std::string> found;
  const auto [first, last] = labels.equal_range(oid);
  for (auto it = first; it != last; ++it) found.push_back(it->second);
  return found;
}

void read_roles(PgConnection& connection, Globals& globals) {
  const auto labels = labels_of(connection, "pg_authid");
  // As a text that reads the same whatever the session's time zone and style of dates.
  for (const PgRow& row : connection.query(fmt::format(
           R"(
SELECT oid, rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
       rolbypassrls, rolconnlimit,
       CASE WHEN isfinite(rolvaliduntil)
            THEN to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00"')
            ELSE coalesce(rolvaliduntil::text, '') END,
       {}, coalesce(shobj_description(oid, 'pg_authid'), '')
FROM {} WHERE rolname !~ '^pg_' ORDER BY rolname COLLATE "C")",
           globals.passwords ? "coalesce(rolpassword, '')" : "''",
           globals.passwords ? "pg_authid" : "pg_roles"))) {
    GlobalRole role;
    role.name = row.at(1).value();
    role.superuser = row.at(2) == "t";
    role.inherit = row.at(3) == "t";
    role.create_role = row.at(4) == "t";
    role.create_database = row.at(5) == "t";
    role.login = row.at(6) == "t";
    role.replication = row.at(7) == "t";
    role.bypass_rls = row.at(8) == "t";
    role.connection_limit = std::stoll(row.at(9).value());
    role.valid_until = row.at(10).value();
    role.password = Secret(std::string_view(row.at(11).value()));
    role.comment = row.at(12).value();
    role.security_labels = labels_for(labels, row.at(0).value());
    globals.roles.push_back(std::move(role));
  }
}

void read_settings(PgConnection& connection, Globals& globals) {
  for (const PgRow& row : connection.query(R"(
SELECT coalesce(rolname, ''), setting
FROM pg_db_role_setting LEFT JOIN pg_roles AS r ON r.oid = setrole,
     unnest(setconfig) WITH ORDINALITY AS s(setting, n)
WHERE setdatabase = 0 AND coalesce(rolname, '') !~ '^pg_'
ORDER BY rolname COLLATE "C" NULLS FIRST, n)")) {
    const std::string& setting = row.at(1).value();
    const auto equals = setting.find('=');
    globals.settings.push_back(
        {row.at(0).value(), setting.substr(0, equals), setting.substr(equals + 1)});
  }
}

void read_memberships(PgConnection& connection, Globals& globals) {
  const char* options = globals.major >= 16 ? "inherit_option, set_option" : "true, true";
  for (const PgRow& row : connection.query(fmt::format(
           R"(
SELECT r.rolname, m.rolname, coalesce(g.rolname, ''), admin_option, {}
FROM pg_auth_members AS a JOIN pg_roles AS r ON r.oid = a.roleid
     JOIN pg_roles AS m ON m.oid = a.member LEFT JOIN pg_roles AS g ON g.oid = a.grantor
WHERE NOT (r.rolname ~ '^pg_' AND m.rolname ~ '^pg_')
ORDER BY r.rolname COLLATE "C", m.rolname COLLATE "C", g.rolname COLLATE "C")",
           options)))
    globals.memberships.push_back({row.at(0).value(), row.at(1).value(), row.at(2).value(),
                                   row.at(3) == "t", row.at(4) == "t", row.at(5) == "t"});
}

// Entries of the list `acl` of the one row of `from` that $1 names.
std::vector<GlobalPrivilege> privileges_of(PgConnection& connection, const char* statement,
                                           const std::string& name) {
  std::vector<GlobalPrivilege> privileges;
  for (const PgRow& row : connection.query(fmt::format(R"(
SELECT pg_get_userbyid(grantor), CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) ELSE '' END,
       privilege_type, is_grantable
FROM ({}) AS of, aclexplode(of.acl) WITH ORDINALITY AS item
ORDER BY item.ordinality)",
                                                       statement),
                                           {name}))
    privileges.push_back(
        {row.at(0).value(), row.at(1).value(), row.at(2).value(), row.at(3) == "t"});
  return privileges;
}

void read_tablespaces(PgConnection& connection, Globals& globals) {
  const auto labels = labels_of(connection, "pg_tablespace");
  for (const PgRow& row : connection.query(R"(
SELECT t.oid, spcname, pg_get_userbyid(spcowner), pg_tablespace_location(t.oid), spcacl IS NULL,
       coalesce(shobj_description(t.oid, 'pg_tablespace'), '')
FROM pg_tablespace AS t WHERE spcname !~ '^pg_' ORDER BY t.oid)")) {
    GlobalTablespace tablespace;
    tablespace.name = row.at(1).value();
    tablespace.owner = row.at(2).value();
    tablespace.location = row.at(3).value();
    tablespace.default_acl = row.at(4) == "t";
    tablespace.comment = row.at(5).value();
    tablespace.security_labels = labels_for(labels, row.at(0).value());
    for (const PgRow& option : connection.query(
             "SELECT option FROM pg_tablespace, unnest(spcoptions) AS option WHERE spcname = $1",
             {tablespace.name}))
      tablespace.options.push_back(option.at(0).value());
    if (!tablespace.default_acl)
      tablespace.acl =
          privileges_of(connection, "SELECT spcacl AS acl FROM pg_tablespace WHERE spcname = $1",
                        tablespace.name);
    globals.tablespaces.push_back(std::move(tablespace));
  }
}

void read_parameters(PgConnection& connection, Globals& globals) {
  for (const PgRow& row :
       connection.query("SELECT parname FROM pg_parameter_acl ORDER BY parname COLLATE \"C\"")) {
    const std::string& name = row.at(0).value();
    globals.parameters.push_back(
        {name,
         privileges_of(connection, "SELECT paracl AS acl FROM pg_parameter_acl WHERE parname = $1",
                       name)});
  }
}

}  // namespace

bool may_read_passwords(PgConnection& connection) {
  return connection.query_value("SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')") ==
         "t";
}

Globals read_globals(PgConnection& connection) {
  Globals globals;
  globals.major = connection.major();
  globals.bootstrap = connection.query_value("SELECT pg_get_userbyid(10)");
  globals.passwords = may_read_passwords(connection);
  read_roles(connection, globals);
  read_settings(connection, globals);
  read_memberships(connection, globals);
  read_tablespaces(connection, globals);
  if (globals.major >= 15) read_parameters(connection, globals);
  return globals;
}

}  // namespace bkp
