#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "pg/database_properties.h"
#include "pg/setting_statement.h"

namespace bkp {
namespace {

std::string locale_options(PgConnection& connection, const DatabaseProperties& properties) {
  const auto literal = [&](const std::string& text) { return connection.quote_literal(text); };
  std::string options = fmt::format(" LC_COLLATE {} LC_CTYPE {}", literal(properties.collate),
                                    literal(properties.ctype));
  const int major = connection.major();
  const std::string& provider = properties.locale_provider;
  const int needed = provider == "builtin" ? 17 : provider == "icu" ? 15 : 0;
  if (major < needed || (!properties.icu_rules.empty() && major < 16))
    throw Error(ErrorCode::failed,
                fmt::format("database '{}' has a locale of provider '{}', which PostgreSQL {} does "
                            "not know",
                            properties.name, provider, major),
                "restore it into a server of its own version or a later one");
  if (major >= 15) options += " LOCALE_PROVIDER " + provider;
  if (provider == "icu") options += " ICU_LOCALE " + literal(properties.locale);
  if (provider == "builtin") options += " BUILTIN_LOCALE " + literal(properties.locale);
  if (!properties.icu_rules.empty()) options += " ICU_RULES " + literal(properties.icu_rules);
  return options;
}

// One that this server refuses (of another major version, say, or a locale that its host lacks)
// does not undo a restore: it is told, with the statement.
std::string apply_setting(PgConnection& connection, const std::string& database,
                          const DatabaseSetting& setting) {
  const std::vector<std::string> statements =
      setting_statements(setting_subject(setting.role, database), setting);
  connection.execute("SAVEPOINT setting");
  try {
    for (const std::string& statement : statements) connection.execute(statement);
  } catch (const Error& error) {
    connection.execute("ROLLBACK TO SAVEPOINT setting");
    return fmt::format("setting '{}' of the {} was not applied: {}", setting.name,
                       setting.role.empty() ? "database" : "role '" + setting.role + "'",
                       error.message());
  }
  connection.execute("RELEASE SAVEPOINT setting");
  return {};
}

struct Grant {
  std::string grantor, grantee, privilege;  // no grantee: PUBLIC
  bool grantable = false;
};

class Privileges {
 public:
  Privileges(PgConnection& connection, const std::string& database, const std::string& owner)
      : connection_(connection), database_(database), owner_(owner) {}

  void apply(std::vector<Grant> grants) {
    revoke_all();
    // One that was granted on has to wait for the grant option it stands on.
    while (!grants.empty()) {
      const auto ready = std::stable_partition(
          grants.begin(), grants.end(), [&](const Grant& grant) { return !can_issue(grant); });
      const bool stuck = ready == grants.end();
      for (auto it = stuck ? grants.begin() : ready; it != grants.end(); ++it) issue(*it);
      grants.erase(stuck ? grants.begin() : ready, grants.end());
    }
  }

 private:
  std::string role(const std::string& name) const {
    return name.empty() ? "PUBLIC" : connection_.quote_identifier(name);
  }

  bool can_issue(const Grant& grant) const {
    return grant.grantor == owner_ || options_.count({grant.grantor, grant.privilege}) > 0;
  }

  void revoke_all() {
    for (const PgRow& row : connection_.query(R"(
SELECT DISTINCT coalesce(rolname, '')
FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS item
     LEFT JOIN pg_roles AS r ON r.oid = item.grantee
WHERE datname = $1)",
                                              {database_}))
      connection_.execute(fmt::format("REVOKE ALL ON DATABASE {} FROM {} CASCADE",
                                      connection_.quote_identifier(database_),
                                      role(row.at(0).value())));
  }

  void issue(const Grant& grant) {
    const bool by_other = grant.grantor != owner_;
    if (by_other) connection_.execute("SET LOCAL ROLE " + role(grant.grantor));
    connection_.execute(fmt::format("GRANT {} ON DATABASE {} TO {}{}", grant.privilege,
                                    connection_.quote_identifier(database_), role(grant.grantee),
                                    grant.grantable ? " WITH GRANT OPTION" : ""));
    if (by_other) connection_.execute("RESET ROLE");
    if (grant.grantable) options_.insert({grant.grantee, grant.privilege});
  }

  PgConnection& connection_;
  std::string database_;
  std::string owner_;
  std::set<std::pair<std::string, std::string>> options_;
};

void apply_privileges(PgConnection& connection, const std::string& name,
                      const DatabaseProperties& properties) {
  if (properties.default_acl)
    return connection.execute(fmt::format("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC",
                                          connection.quote_identifier(name)));
  std::vector<Grant> grants;
  for (const std::string& item : properties.acl)
    for (const PgRow& row : connection.query(R"(
SELECT pg_get_userbyid(grantor), CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) ELSE '' END,
       privilege_type, is_grantable
FROM aclexplode(ARRAY[$1::aclitem]))",
                                             {item}))
      grants.push_back({row.at(0).value(), row.at(1).value(), row.at(2).value(), row.at(3) == "t"});
  Privileges(connection, name, properties.owner).apply(std::move(grants));
}

std::vector<std::string> apply_all(PgConnection& connection, const std::string& name,
                                   const DatabaseProperties& properties) {
  std::vector<std::string> refused;
  const std::string database = connection.quote_identifier(name);
  apply_privileges(connection, name, properties);
  connection.execute(fmt::format(
      "COMMENT ON DATABASE {} IS {}", database,
      properties.comment.empty() ? "NULL" : connection.quote_literal(properties.comment)));
  for (const std::string& label : properties.security_labels) {
    const auto equals = label.find('=');
    connection.execute(fmt::format(
        "SECURITY LABEL FOR {} ON DATABASE {} IS {}",
        connection.quote_identifier(label.substr(0, equals)), database,
        connection.quote_literal(label.substr(std::min(equals, label.size() - 1) + 1))));
  }
  for (const DatabaseSetting& setting : properties.settings) {
    std::string problem = apply_setting(connection, name, setting);
    if (!problem.empty()) refused.push_back(std::move(problem));
  }
  connection.execute(fmt::format("ALTER DATABASE {} WITH CONNECTION LIMIT {} IS_TEMPLATE {}",
                                 database, properties.connection_limit, properties.is_template));
  if (!properties.allow_connections)
    connection.execute(fmt::format("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", database));
  return refused;
}

// The one that a database has without asking is not named: naming it takes a privilege on it.
std::string tablespace_option(PgConnection& connection, const std::string& tablespace) {
  const bool own = connection
                       .query(
                           "SELECT FROM pg_database JOIN pg_tablespace AS t "
                           "ON t.oid = dattablespace WHERE datname = 'template0' "
                           "AND spcname = $1",
                           {tablespace})
                       .empty();
  return own ? " TABLESPACE " + connection.quote_identifier(tablespace) : "";
}

}  // namespace

void create_database(PgConnection& connection, const std::string& name,
                     const DatabaseProperties& properties) {
  const std::string database = connection.quote_identifier(name);
  const std::string options = locale_options(connection, properties);
  // Closed until the privileges that everybody has on a new database are taken away.
  connection.execute(
      fmt::format("CREATE DATABASE {} WITH TEMPLATE template0 OWNER {} ENCODING {}{}{} "
                  "ALLOW_CONNECTIONS false",
                  database, connection.quote_identifier(properties.owner),
                  connection.quote_literal(properties.encoding), options,
                  tablespace_option(connection, properties.tablespace)));
  try {
    connection.execute(fmt::format("REVOKE ALL ON DATABASE {} FROM PUBLIC", database));
    connection.execute(fmt::format("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", database));
  } catch (const Error&) {
    drop_database(connection, name);
    throw;
  }
}

std::vector<std::string> apply_properties(PgConnection& connection, const std::string& name,
                                          const DatabaseProperties& properties) {
  std::vector<std::string> refused;
  connection.execute("BEGIN");
  try {
    refused = apply_all(connection, name, properties);
  } catch (const Error&) {
    connection.execute("ROLLBACK");
    throw;
  }
  connection.execute("COMMIT");
  return refused;
}

void drop_database(PgConnection& connection, const std::string& name) {
  const std::string database = connection.quote_identifier(name);
  if (!connection.query("SELECT FROM pg_database WHERE datname = $1 AND datistemplate", {name})
           .empty())
    connection.execute(fmt::format("ALTER DATABASE {} WITH IS_TEMPLATE false", database));
  connection.execute(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", database));
}

}  // namespace bkp
