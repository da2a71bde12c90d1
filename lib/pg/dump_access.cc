#include "pg/dump_access.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "pg/name.h"
#include "pg/pattern.h"

namespace bkp {
namespace {

struct PatternArrays {
  std::string schemas, names;
};

PatternArrays arrays_of(const std::vector<std::string>& patterns) {
  std::vector<std::string> schemas, names;
  for (const std::string& pattern : patterns) {
    NamePattern parsed = parse_pattern(pattern);
    schemas.push_back(std::move(parsed.schema));
    names.push_back(std::move(parsed.name));
  }
  return {array_text(schemas), array_text(names)};
}

// $1: schema patterns; $2, $3: of tables; $4, $5: of tables' data.
constexpr const char* kUnreadable = R"(
WITH matching AS NOT MATERIALIZED (
  SELECT c.oid, nspname, relname, relkind, n.oid AS schema,
         EXISTS (SELECT FROM unnest($2::text[], $3::text[]) AS p(s, t)
                 WHERE relname ~ t AND CASE WHEN s = '' THEN pg_table_is_visible(c.oid)
                                            ELSE nspname ~ s END) AS excluded,
         EXISTS (SELECT FROM unnest($4::text[], $5::text[]) AS p(s, t)
                 WHERE relname ~ t AND CASE WHEN s = '' THEN pg_table_is_visible(c.oid)
                                            ELSE nspname ~ s END) AS without_data
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
  WHERE relkind IN ('r', 'p', 'S') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM unnest($1::text[]) AS p(s) WHERE nspname ~ s)
    AND (NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
                                             AND deptype = 'e')
         OR EXISTS (SELECT FROM pg_extension WHERE c.oid = ANY (extconfig)))
), dumped AS (
  SELECT * FROM matching AS m
  WHERE NOT excluded
    AND NOT (relkind = 'S'
             AND EXISTS (SELECT FROM pg_depend AS d JOIN matching AS o ON o.oid = d.refobjid
                         WHERE d.classid = 'pg_class'::regclass AND d.objid = m.oid
                           AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                           AND o.excluded))
)
SELECT 'schema', nspname, '' FROM dumped
  WHERE NOT has_schema_privilege(schema, 'USAGE') GROUP BY nspname
UNION ALL
SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, nspname, relname FROM dumped
  WHERE NOT CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, 'SELECT')
                         ELSE has_table_privilege(oid, 'SELECT') END
UNION ALL
SELECT 'rows', nspname, relname FROM dumped
  WHERE relkind = 'r' AND NOT without_data AND row_security_active(oid)
ORDER BY 1, 2, 3)";

// Names, the first few of them spelt out.
std::string listed(const std::string& kind, const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::string text = kind + (names.size() > 1 ? "s " : " ");
  const std::size_t shown = std::min(names.size(), kShown);
  for (std::size_t i = 0; i < shown; ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

std::vector<std::string> unreadable_large_objects(PgConnection& connection) {
  std::vector<std::string> oids;
  for (const PgRow& row : connection.query(R"(
SELECT oid FROM pg_largeobject_metadata
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
  AND NOT current_setting('lo_compat_privileges')::bool
  AND NOT pg_has_role(lomowner, 'USAGE')
  AND NOT EXISTS (SELECT FROM aclexplode(lomacl)
                  WHERE privilege_type = 'SELECT'
                    AND (grantee = 0 OR pg_has_role(grantee, 'USAGE')))
ORDER BY oid)"))
    oids.push_back(row.at(0).value());
  return oids;
}

std::string grant_large_objects(const std::vector<std::string>& oids, const std::string& role) {
  if (oids.size() == 1) return fmt::format("GRANT SELECT ON LARGE OBJECT {} TO {};", oids[0], role);
  return fmt::format(
      "DO $$ DECLARE id oid; BEGIN FOR id IN SELECT oid FROM pg_largeobject_metadata LOOP EXECUTE "
      "format('GRANT SELECT ON LARGE OBJECT %s TO %I', id, {}); END LOOP; END $$;",
      role);
}

}  // namespace

std::vector<AccessProblem> dump_access_problems(PgConnection& connection,
                                                const DumpExclusions& exclude) {
  const std::string user = connection.query_value("SELECT current_user");
  const std::string role = quoted_name(user);
  const PatternArrays tables = arrays_of(exclude.tables), data = arrays_of(exclude.table_data);
  std::vector<std::string> schemas, unreadable_tables, sequences, filtered;
  for (const PgRow& row :
       connection.query(kUnreadable, {arrays_of(exclude.schemas).names, tables.schemas,
                                      tables.names, data.schemas, data.names})) {
    const std::string &kind = row.at(0).value(), &schema = row.at(1).value();
    const std::string name =
        kind == "schema" ? quoted_name(schema) : qualified_name(schema, row.at(2).value());
    auto& names = kind == "schema"     ? schemas
                  : kind == "sequence" ? sequences
                  : kind == "table"    ? unreadable_tables
                                       : filtered;
    names.push_back(name);
  }
  const std::vector<std::string> objects = unreadable_large_objects(connection);
  std::vector<AccessProblem> problems;
  const auto add = [&](const std::string& kind, const std::vector<std::string>& names,
                       const std::string& reason, const std::string& cure) {
    if (!names.empty()) problems.push_back({listed(kind, names), reason, cure});
  };
  const std::string read_all = fmt::format("GRANT pg_read_all_data TO {};", role);
  add("schema", schemas, fmt::format("role '{}' has no USAGE privilege", user), read_all);
  add("table", unreadable_tables, fmt::format("role '{}' has no SELECT privilege", user), read_all);
  add("sequence", sequences, fmt::format("role '{}' has no SELECT privilege", user), read_all);
  add("table", filtered, fmt::format("row-level security hides rows from role '{}'", user),
      fmt::format("ALTER ROLE {} BYPASSRLS;", role));
  add("large object", objects, fmt::format("role '{}' has no SELECT privilege", user),
      grant_large_objects(objects, objects.size() == 1 ? role : connection.quote_literal(user)));
  return problems;
}

std::vector<std::string> dumpable_databases(PgConnection& connection) {
  std::vector<std::string> names;
  // A connection limit of -2 marks what an interrupted DROP DATABASE left.
  for (const PgRow& row :
       connection.query("SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate "
                        "AND datconnlimit <> -2 ORDER BY datname COLLATE \"C\""))
    names.push_back(row.at(0).value());
  return names;
}

ExportedSnapshot::ExportedSnapshot(PgConnection& connection) : connection_(connection) {
  // The transaction stays open and idle for as long as a dump takes.
  connection_.execute("SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0");
  if (connection_.major() >= 17) connection_.execute("SET transaction_timeout = 0");
  connection_.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  id_ = connection_.query_value("SELECT pg_export_snapshot()");
}

ExportedSnapshot::~ExportedSnapshot() {
  try {
    connection_.execute("ROLLBACK");
  } catch (const std::exception&) {
    // A lost connection has ended the transaction already.
  }
}

std::vector<std::string> extension_configuration_tables(PgConnection& connection) {
  std::vector<std::string> names;
  for (const PgRow& row : connection.query(R"(
SELECT nspname, relname
FROM pg_extension, unnest(extconfig) AS config(oid) JOIN pg_class AS c ON c.oid = config.oid
     JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p') ORDER BY 1, 2)"))
    names.push_back(qualified_name(row.at(0).value(), row.at(1).value()));
  return names;
}

std::string system_identifier(PgConnection& connection) {
  if (connection.query_value("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')") !=
      "t")
    return {};
  return connection.query_value("SELECT system_identifier FROM pg_control_system()");
}

}  // namespace bkp
