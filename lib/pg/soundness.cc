#include "pg/soundness.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <span>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/census.h"
#include "pg/name.h"

namespace bkp {
namespace {

// Reading must not wait for an application, which may wait for the dump in turn.
constexpr const char* kMoment = "200ms";

constexpr std::size_t kAtOnce = 100;  // sequences

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
// (The default as it is stored: a call of nextval(), perhaps within a cast of bigint to integer,
// smallint or numeric. pg_get_expr() would wait for whoever has locked the table.)
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
  WHERE adbin::text ~
        '^\{FUNCEXPR :funcid ((480|714|1781) [^{]*:args \(\{FUNCEXPR :funcid )?1574 '
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
  bool looked_at(Effort effort) const {
    return column_readable && (indexed || effort == Effort::whole);
  }

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

// Number, next value, and where the column is looked at, what it has reached, and whether that is
// the next value or beyond.
std::string question(const SequenceUse& use, std::size_t number, Effort effort) {
  // A setval() may have made the last value the next one as well.
  const std::string next = fmt::format(
      "SELECT CASE WHEN is_called THEN last_value::numeric + ({}) ELSE last_value END AS next "
      "FROM {}",
      use.increment, use.sequence);
  if (!use.looked_at(effort))
    return fmt::format("SELECT {}, next::text, NULL::text, NULL::bool FROM ({}) AS s", number,
                       next);
  return fmt::format(
      "SELECT {}, next::text, reached::text, next {} reached FROM ({}) AS s, "
      "(SELECT {}({}) AS reached FROM {}) AS c",
      number, use.ascends() ? "<=" : ">=", next, use.ascends() ? "max" : "min", use.column,
      use.table);
}

// Many sequences by one query: some databases have one for each table of each of their customers.
// What fails is looked at by halves, down to the one that fails.
void look_at(PgConnection& connection, std::span<const SequenceUse> uses, Effort effort,
             Soundness& found) {
  std::vector<std::string> questions;
  for (std::size_t i = 0; i < uses.size(); ++i) questions.push_back(question(uses[i], i, effort));
  std::vector<PgRow> rows;
  const std::string problem = attempt(connection, [&] {
    rows = connection.query(fmt::format("{} ORDER BY 1", fmt::join(questions, " UNION ALL ")));
  });
  if (!problem.empty() && uses.size() > 1) {
    look_at(connection, uses.first(uses.size() / 2), effort, found);
    look_at(connection, uses.subspan(uses.size() / 2), effort, found);
    return;
  }
  if (!problem.empty()) found.unlooked_sequences.emplace(uses.front().sequence, "");
  for (const PgRow& row : rows) {
    const SequenceUse& use = uses[std::stoul(row.at(0).value())];
    if (!use.looked_at(effort))
      found.unlooked_sequences[use.sequence] = row.at(1).value();
    else if (row.at(3) == "t")
      found.low_sequences.push_back(
          {use.sequence, use.table + "." + use.column, row.at(1).value(), row.at(2).value()});
  }
}

void read_sequences(PgConnection& connection, Effort effort, Soundness& found) {
  std::vector<SequenceUse> uses;
  const std::string problem = attempt(connection, [&] {
    for (const PgRow& row : connection.query(kSequences)) uses.emplace_back(row);
  });
  if (!problem.empty()) found.unread.push_back("sequences: " + problem);
  std::erase_if(uses, [&found](const SequenceUse& use) {
    if (!use.sequence_readable) found.unlooked_sequences.emplace(use.sequence, "");
    return !use.sequence_readable;
  });
  for (std::span<const SequenceUse> rest = uses; !rest.empty();) {
    const std::size_t some = std::min(rest.size(), kAtOnce);
    look_at(connection, rest.first(some), effort, found);
    rest = rest.subspan(some);
  }
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
