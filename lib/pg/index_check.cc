#include "pg/index_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/name.h"
#include "pg/parallel_queries.h"

namespace bkp {
namespace {

constexpr const char* kSchema = "bkp_amcheck";

// Biggest first: the last one alone should not be the longest.
constexpr const char* kIndexes = R"(
SELECT c.oid, nspname, relname, amname = 'btree'
FROM pg_catalog.pg_index JOIN pg_catalog.pg_class AS c ON c.oid = indexrelid
     JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
     JOIN pg_catalog.pg_am AS m ON m.oid = relam
WHERE relkind = 'i' AND indisvalid AND indisready AND c.oid >= 16384
  AND nspname !~ '^pg_(toast_)?temp'
ORDER BY relpages DESC, nspname, relname)";

struct Index {
  std::string oid, name, problem;
};

// The statement that checks the index $1, or why there is none.
struct Checker {
  std::string statement, unavailable;
};

Checker install(PgConnection& connection) {
  try {
    if (connection.query("SELECT FROM pg_catalog.pg_extension WHERE extname = 'amcheck'").empty())
      connection.execute(fmt::format(
          "BEGIN; CREATE SCHEMA {0}; CREATE EXTENSION amcheck SCHEMA {0}; COMMIT", kSchema));
    const auto rows = connection.query(R"(
SELECT nspname, max(pronargs)
FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = extnamespace
     JOIN pg_catalog.pg_proc ON pronamespace = n.oid AND proname = 'bt_index_parent_check'
WHERE extname = 'amcheck' AND pg_catalog.has_function_privilege(pg_proc.oid, 'EXECUTE')
GROUP BY nspname)");
    if (rows.empty()) return {"", "its role may not use the extension amcheck"};
    const bool knows_unique = std::stoi(rows.front().at(1).value()) > 3;
    return {fmt::format("SELECT {}.bt_index_parent_check($1::oid::regclass, true, true{})",
                        quoted_name(rows.front().at(0).value()), knows_unique ? ", true" : ""),
            ""};
  } catch (const Error& error) {
    check_interrupt();
    connection.execute("ROLLBACK");
    return {"", "extension amcheck cannot be installed: " + error.message()};
  }
}

void look_into(PgConnection& connection, const std::string& statement, Index& index) {
  try {
    connection.query(statement, {index.oid});
  } catch (const Error& error) {
    check_interrupt();
    connection.query_value("SELECT 1");  // it was this index, not the server
    index.problem = error.message();
  }
}

}  // namespace

IndexChecks check_indexes(const std::string& conninfo, unsigned jobs) {
  IndexChecks checks;
  std::vector<Index> indexes;
  Checker checker;
  {
    PgConnection connection(conninfo);
    checker = install(connection);
    for (const PgRow& row : connection.query(kIndexes)) {
      if (row.at(3) != "t")
        ++checks.others;
      else
        indexes.push_back(
            {row.at(0).value(), qualified_name(row.at(1).value(), row.at(2).value()), ""});
    }
  }
  checks.unavailable = checker.unavailable;
  if (!checks.unavailable.empty()) return checks;
  query_in_parallel(conninfo, jobs, indexes.size(), [&](PgConnection& connection, std::size_t i) {
    look_into(connection, checker.statement, indexes[i]);
  });
  checks.looked_into = indexes.size();
  for (Index& index : indexes)
    if (!index.problem.empty())
      checks.broken.push_back({std::move(index.name), std::move(index.problem)});
  std::sort(checks.broken.begin(), checks.broken.end(),
            [](const BrokenIndex& a, const BrokenIndex& b) { return a.index < b.index; });
  return checks;
}

}  // namespace bkp
