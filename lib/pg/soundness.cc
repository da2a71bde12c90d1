#include "pg/soundness.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/census.h"
#include "pg/name.h"

namespace bkp {
namespace {

// Reading must not wait for an application, which may wait for the dump in turn.
constexpr const char* kMoment = "200ms";

constexpr const char* kNotValid = R"(
SELECT nspname, relname, conname
FROM pg_catalog.pg_constraint AS o JOIN pg_catalog.pg_class AS c ON c.oid = conrelid
     JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
WHERE NOT convalidated AND contype IN ('c', 'f', 'n') AND conparentid = 0 AND nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend
                  WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = c.oid
                    AND deptype = 'e')
UNION ALL
SELECT nspname, typname, conname
FROM pg_catalog.pg_constraint JOIN pg_catalog.pg_type AS t ON t.oid = contypid
     JOIN pg_catalog.pg_namespace AS n ON n.oid = typnamespace
WHERE NOT convalidated AND nspname !~ '^pg_'
ORDER BY 1, 2, 3)";

constexpr const char* kInvalidIndexes = R"(
SELECT nspname, relname
FROM pg_catalog.pg_index JOIN pg_catalog.pg_class AS c ON c.oid = indexrelid
     JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
WHERE NOT (indisvalid AND indisready) AND nspname !~ '^pg_(toast_)?temp'
ORDER BY 1, 2)";

// Sequences that belong to a column (serial, identity, OWNED BY), or that its default takes the
// next value of and does nothing else; those of a partition only where its parent has another.
constexpr const char* kSequences = R"(
WITH uses AS (
  SELECT objid AS sequence, refobjid AS relation, refobjsubid AS attribute
  FROM pg_catalog.pg_depend
  WHERE classid = 'pg_catalog.pg_class'::regclass AND deptype IN ('a', 'i')
    AND refclassid = 'pg_catalog.pg_class'::regclass AND refobjsubid > 0
  UNION
  SELECT refobjid, adrelid, adnum
  FROM pg_catalog.pg_attrdef AS a
       JOIN pg_catalog.pg_depend AS d ON d.objid = a.oid AND d.deptype = 'n'
            AND d.classid = 'pg_catalog.pg_attrdef'::regclass
            AND d.refclassid = 'pg_catalog.pg_class'::regclass
  WHERE pg_catalog.pg_get_expr(adbin, adrelid) ~ '^nextval\(''.*''::regclass\)$'
)
SELECT sn.nspname, s.relname, tn.nspname, t.relname, attname, seqincrement,
       pg_catalog.has_schema_privilege(sn.oid, 'USAGE')
         AND pg_catalog.has_sequence_privilege(s.oid, 'SELECT'),
       pg_catalog.has_schema_privilege(tn.oid, 'USAGE')
         AND pg_catalog.has_column_privilege(t.oid, attnum, 'SELECT')
         AND NOT pg_catalog.row_security_active(t.oid),
       EXISTS (SELECT FROM pg_catalog.pg_index JOIN pg_catalog.pg_class AS i ON i.oid = indexrelid
                           JOIN pg_catalog.pg_am AS m ON m.oid = i.relam
               WHERE indrelid = t.oid AND indkey[0] = attnum AND indpred IS NULL AND indisvalid
                 AND amname = 'btree')
FROM uses JOIN pg_catalog.pg_sequence ON seqrelid = sequence
     JOIN pg_catalog.pg_class AS s ON s.oid = sequence
     JOIN pg_catalog.pg_namespace AS sn ON sn.oid = s.relnamespace
     JOIN pg_catalog.pg_class AS t ON t.oid = relation
     JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
     JOIN pg_catalog.pg_attribute ON attrelid = t.oid AND attnum = attribute
WHERE NOT seqcycle AND t.relkind IN ('r', 'p') AND tn.nspname !~ '^pg_' AND sn.nspname !~ '^pg_'
  AND atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
  AND NOT (t.relispartition
           AND EXISTS (SELECT FROM pg_catalog.pg_inherits JOIN uses AS u ON u.relation = inhparent
                       WHERE inhrelid = t.oid AND u.sequence = uses.sequence))
ORDER BY 1, 2, 3, 4, 5)";

struct SequenceUse {
  explicit SequenceUse(const PgRow& row)
      : sequence(qualified_name(row.at(0).value(), row.at(1).value())),
        table(qualified_name(row.at(2).value(), row.at(3).value())),
        column(quoted_name(row.at(4).value())),
        increment(row.at(5).value()),
        sequence_readable(row.at(6) == "t"),
        column_readable(row.at(7) == "t"),
        indexed(row.at(8) == "t") {}

  bool ascends() const { return !increment.starts_with('-'); }

  std::string sequence, table, column, increment;
  bool sequence_readable, column_readable, indexed;
};

// Undoes it all afterwards, so that no lock stays and a failure leaves the transaction as it was.
// Returns what went wrong, or nothing.
std::string attempt(PgConnection& connection, const std::function<void()>& work) {
  connection.execute(fmt::format("SAVEPOINT soundness; SET LOCAL lock_timeout = '{}'", kMoment));
  std::string problem;
  try {
    work();
  } catch (const Error& error) {
    check_interrupt();
    problem = error.message();
  }
  connection.execute("ROLLBACK TO SAVEPOINT soundness; RELEASE SAVEPOINT soundness");
  return problem;
}

std::vector<std::string> names(PgConnection& connection, const char* query) {
  std::vector<std::string> all;
  for (const PgRow& row : connection.query(query)) {
    all.push_back(qualified_name(row.at(0).value(), row.at(1).value()));
    if (row.size() > 2) all.back() += "." + quoted_name(row.at(2).value());
  }
  return all;
}

// The next value, which a setval() may have made the last one as well.
std::string next_value(const SequenceUse& use) {
  return fmt::format(
      "(SELECT CASE WHEN is_called THEN last_value::numeric + ({}) ELSE last_value END FROM {})",
      use.increment, use.sequence);
}

void look_at(PgConnection& connection, const SequenceUse& use, Effort effort, Soundness& found) {
  if (!use.sequence_readable) {
    found.unlooked_sequences.emplace(use.sequence, "");
    return;
  }
  if (!use.column_readable || (effort == Effort::cheap && !use.indexed)) {
    found.unlooked_sequences[use.sequence] =
        connection.query_value("SELECT " + next_value(use) + "::text");
    return;
  }
  const auto rows = connection.query(fmt::format(
      "SELECT next, reached, next {} reached FROM (SELECT {} AS next, (SELECT {}({}) FROM {}) AS "
      "reached) AS both_ends",
      use.ascends() ? "<=" : ">=", next_value(use), use.ascends() ? "max" : "min", use.column,
      use.table));
  const PgRow& row = rows.at(0);
  if (row.at(2) == "t")
    found.low_sequences.push_back(
        {use.sequence, use.table + "." + use.column, row.at(0).value(), row.at(1).value()});
}

void read_sequences(PgConnection& connection, Effort effort, Soundness& found) {
  std::vector<SequenceUse> uses;
  const std::string problem = attempt(connection, [&] {
    for (const PgRow& row : connection.query(kSequences)) uses.emplace_back(row);
  });
  if (!problem.empty()) found.unread.push_back("sequences: " + problem);
  for (const SequenceUse& use : uses)
    if (!attempt(connection, [&] { look_at(connection, use, effort, found); }).empty())
      found.unlooked_sequences.emplace(use.sequence, "");
}

}  // namespace

Soundness read_soundness(PgConnection& connection, Effort effort) {
  Soundness found;
  found.major = connection.major();
  const auto part = [&](const std::string& what, const std::function<void()>& work) {
    const std::string problem = attempt(connection, work);
    if (!problem.empty()) found.unread.push_back(what + ": " + problem);
  };
  part("census", [&] { found.census = take_census(connection); });
  part("constraints", [&] { found.not_valid = names(connection, kNotValid); });
  part("indexes", [&] { found.invalid_indexes = names(connection, kInvalidIndexes); });
  read_sequences(connection, effort, found);
  return found;
}

}  // namespace bkp
