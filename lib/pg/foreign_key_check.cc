#include "pg/foreign_key_check.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/name.h"
#include "pg/parallel_queries.h"

namespace bkp {
namespace {

// A row each pair of columns, in their order. {}: whether the key's last pair is of periods.
constexpr const char* kKeys = R"(
SELECT o.oid, n.nspname, c.relname, conname, rn.nspname, r.relname, convalidated, confmatchtype,
       c.relkind = 'p', r.relkind = 'p', {}, a.attname, ra.attname, opn.nspname, oprname,
       ltn.nspname, lt.typname, rtn.nspname, rt.typname,
       CASE WHEN a.attcollation <> ra.attcollation THEN con.nspname END, co.collname
FROM pg_catalog.pg_constraint AS o
     JOIN pg_catalog.pg_class AS c ON c.oid = conrelid
     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     JOIN pg_catalog.pg_class AS r ON r.oid = confrelid
     JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
     CROSS JOIN LATERAL unnest(conkey, confkey, conpfeqop)
          WITH ORDINALITY AS k(own, other, operator, place)
     JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.own
     JOIN pg_catalog.pg_attribute AS ra ON ra.attrelid = r.oid AND ra.attnum = k.other
     JOIN pg_catalog.pg_operator AS op ON op.oid = k.operator
     JOIN pg_catalog.pg_namespace AS opn ON opn.oid = oprnamespace
     JOIN pg_catalog.pg_type AS lt ON lt.oid = oprleft
     JOIN pg_catalog.pg_namespace AS ltn ON ltn.oid = lt.typnamespace
     JOIN pg_catalog.pg_type AS rt ON rt.oid = oprright
     JOIN pg_catalog.pg_namespace AS rtn ON rtn.oid = rt.typnamespace
     LEFT JOIN pg_catalog.pg_collation AS co ON co.oid = ra.attcollation
     LEFT JOIN pg_catalog.pg_namespace AS con ON con.oid = co.collnamespace
WHERE contype = 'f' AND conparentid = 0
ORDER BY n.nspname, c.relname, conname, o.oid, place)";

struct ForeignKey {
  ForeignKeyCheck check;
  std::string table;
  bool match_full = false, own_partitioned = false, other_partitioned = false, periods = false;
  std::vector<std::string> columns;     // of the table, as SQL
  std::vector<std::string> conditions;  // that the referenced row meets
};

std::string condition(const PgRow& row) {
  std::string text = fmt::format(
      "r.{}::{} OPERATOR({}.{}) k.{}::{}", quoted_name(row.at(12).value()),
      qualified_name(row.at(15).value(), row.at(16).value()), quoted_name(row.at(13).value()),
      row.at(14).value(), quoted_name(row.at(11).value()),
      qualified_name(row.at(17).value(), row.at(18).value()));
  if (row.at(19)) text += " COLLATE " + qualified_name(row.at(19).value(), row.at(20).value());
  return text;
}

std::vector<ForeignKey> read_keys(PgConnection& connection) {
  std::vector<ForeignKey> keys;
  std::string last;
  const char* periods = connection.major() >= 18 ? "conperiod" : "false";
  for (const PgRow& row : connection.query(fmt::format(fmt::runtime(kKeys), periods))) {
    if (row.at(0).value() != last) {
      last = row.at(0).value();
      ForeignKey key;
      key.table = qualified_name(row.at(1).value(), row.at(2).value());
      key.check.constraint = key.table + "." + quoted_name(row.at(3).value());
      key.check.referenced = qualified_name(row.at(4).value(), row.at(5).value());
      key.check.valid = row.at(6) == "t";
      key.match_full = row.at(7) == "f";
      key.own_partitioned = row.at(8) == "t";
      key.other_partitioned = row.at(9) == "t";
      key.periods = row.at(10) == "t";
      keys.push_back(std::move(key));
    }
    keys.back().columns.push_back("k." + quoted_name(row.at(11).value()));
    keys.back().conditions.push_back(condition(row));
  }
  return keys;
}

std::string orphans_query(const ForeignKey& key) {
  const std::string whole =
      fmt::format("{} IS NOT NULL", fmt::join(key.columns, " IS NOT NULL AND "));
  std::string query = fmt::format(
      "SELECT count(*) FROM {}{} AS k WHERE ({} AND NOT EXISTS (SELECT FROM {}{} AS r WHERE {}))",
      key.own_partitioned ? "" : "ONLY ", key.table, whole, key.other_partitioned ? "" : "ONLY ",
      key.check.referenced, fmt::join(key.conditions, " AND "));
  if (key.match_full && key.columns.size() > 1)  // all of the columns are NULL, or none
    query += fmt::format(" OR (NOT ({}) AND NOT ({} IS NULL))", whole,
                         fmt::join(key.columns, " IS NULL AND "));
  return query;
}

void look_into(PgConnection& connection, ForeignKey& key) {
  if (key.periods) {
    key.check.problem = "it is of periods";
    return;
  }
  try {
    key.check.orphans = std::stoull(connection.query_value(orphans_query(key)));
  } catch (const Error& error) {
    check_interrupt();
    connection.query_value("SELECT 1");  // it was this query, not the server
    key.check.problem = error.message();
  }
}

}  // namespace

std::vector<ForeignKeyCheck> check_foreign_keys(const std::string& conninfo, unsigned jobs) {
  std::vector<ForeignKey> keys;
  {
    PgConnection connection(conninfo);
    keys = read_keys(connection);
  }
  query_in_parallel(conninfo, jobs, keys.size(), [&keys](PgConnection& connection, std::size_t i) {
    look_into(connection, keys[i]);
  });
  std::vector<ForeignKeyCheck> checks;
  for (ForeignKey& key : keys) checks.push_back(std::move(key.check));
  return checks;
}

}  // namespace bkp
