#include "tenant/staged_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "pg/name.h"

namespace bkp {
namespace {

std::uint64_t changed_rows(PgConnection& connection, const std::string& statement) {
  return std::stoull(connection.query_value(
      fmt::format("WITH done AS ({} RETURNING 1) SELECT count(*) FROM done", statement)));
}

// "u0", "u1", … of a unique key for the rows of `from`, with the key's columns as k0, k1, ….
std::string unique_values(const UniqueShape& unique, const StagedTable& table,
                          const std::string& more, const std::string& from,
                          const std::string& where) {
  std::string list = more;
  for (std::size_t i = 0; i < unique.parts.size(); ++i)
    list += fmt::format("{}{} AS u{}", list.empty() ? "" : ", ", unique.parts[i].expression, i);
  if (const UniqueShape* key = table.key())
    for (std::size_t i = 0; i < key->parts.size(); ++i)
      list += fmt::format(", {} AS k{}", quoted_name(key->parts[i].column), i);
  return fmt::format("(SELECT {} FROM {} AS rows WHERE {} AND ({}))", list, from, where,
                     unique.predicate.empty() ? "true" : unique.predicate);
}

// Staged rows that clash with live ones that are not going to change.
std::string clash_query(const StagedTable& table, const UniqueShape& unique) {
  std::string clash, same;
  for (std::size_t i = 0; i < unique.parts.size(); ++i) {
    std::string equal = fmt::format("s.u{0} {1} t.u{0}", i, unique.parts[i].operation);
    if (unique.nulls_clash)
      equal = fmt::format("({0} OR s.u{1} IS NULL AND t.u{1} IS NULL)", equal, i);
    clash += (clash.empty() ? "" : " AND ") + equal;
  }
  std::string stays = "true";
  if (const UniqueShape* key = table.key()) {
    std::string changes;
    for (std::size_t i = 0; i < key->parts.size(); ++i) {
      const IndexPart& part = key->parts[i];
      same += fmt::format("{}t.k{} {} s.k{}", same.empty() ? "" : " AND ", i, part.operation, i);
      changes +=
          fmt::format(" AND t.k{} {} x.{}", i, part.operation, table.staged_column(part.column));
    }
    stays = fmt::format("NOT ({})", same);
    if (table.writes_updates())
      stays += fmt::format(" AND NOT EXISTS (SELECT FROM {} AS x WHERE x.what = 'u'{})",
                           table.stage(), changes);
  }
  return fmt::format("SELECT s.staged FROM {} AS s JOIN {} AS t ON {} WHERE {}",
                     unique_values(unique, table, "\"bkp row\" AS staged", table.rows(),
                                   fmt::format("\"bkp what\" IN ({})", table.written())),
                     unique_values(unique, table, "", table.live(), "true"), clash, stays);
}

// Whether parent `p` is what child `c` refers to; both under their own column names.
std::string refers(const ForeignKeyShape& key) {
  std::string condition;
  for (std::size_t i = 0; i < key.columns.size(); ++i)
    condition +=
        fmt::format("{}p.{} {} c.{}", i == 0 ? "" : " AND ", quoted_name(key.parent_columns[i]),
                    key.operations[i], quoted_name(key.columns[i]));
  return condition;
}

// PostgreSQL asks nothing of a reference with a NULL in it.
std::string complete(const ForeignKeyShape& key) {
  std::string condition;
  for (const std::string& column : key.columns)
    condition +=
        fmt::format("{}c.{} IS NOT NULL", condition.empty() ? "" : " AND ", quoted_name(column));
  return condition;
}

// The rows that a foreign key binds: of a table, or of the one partition that it is declared on.
std::string child_rows(const ForeignKeyShape& key, const TableShape& child) {
  const std::string root = qualified_name(child.schema, child.name);
  return (key.child_relation == root && !child.partitioned ? "ONLY " : "") + key.child_relation;
}

bool by_key(const ForeignKeyShape& foreign, const StagedTable& parent) {
  const UniqueShape* key = parent.key();
  return key != nullptr && std::all_of(foreign.parent_columns.begin(), foreign.parent_columns.end(),
                                       [&](const std::string& column) {
                                         return std::any_of(key->parts.begin(), key->parts.end(),
                                                            [&](const IndexPart& part) {
                                                              return part.column == column;
                                                            });
                                       });
}

std::uint64_t count(PgConnection& connection, const std::string& from_where) {
  return std::stoull(connection.query_value("SELECT count(*) FROM " + from_where));
}

}  // namespace

std::uint64_t mark_present(PgConnection& connection, const StagedTable& table, char what) {
  return changed_rows(
      connection,
      fmt::format("UPDATE {} AS s SET what = '{}' FROM {} AS t WHERE s.what = 'i' AND {}",
                  table.stage(), what, table.live(), table.same_key("s", "t")));
}

std::vector<RowProblem> mark_clashes(PgConnection& connection, const StagedTable& table) {
  std::vector<RowProblem> problems;
  for (const UniqueShape& unique : table.now().uniques) {
    if (&unique == table.key()) continue;
    const std::uint64_t rows = changed_rows(
        connection, fmt::format("UPDATE {} SET what = '{}' WHERE ctid IN ({})", table.stage(),
                                staged::kClash, clash_query(table, unique)));
    if (rows > 0) problems.push_back({unique.name, rows});
  }
  return problems;
}

std::map<std::size_t, std::vector<RowProblem>> mark_orphans(PgConnection& connection,
                                                            const DatabaseShape& shape,
                                                            const StagedTables& tables) {
  std::map<std::size_t, std::vector<RowProblem>> problems;
  // A row that is left out may leave others without a parent: until there are no more.
  for (bool more = true; more;) {
    more = false;
    for (const ForeignKeyShape& key : shape.foreign_keys) {
      const auto child = tables.find(key.child);
      if (child == tables.end()) continue;
      const auto parent = tables.find(key.parent);
      const std::string comes =
          parent == tables.end()
              ? ""
              : fmt::format(
                    " AND NOT EXISTS (SELECT FROM {} AS p WHERE p.\"bkp what\" IN ({}) "
                    "AND {})",
                    parent->second.rows(), parent->second.written(), refers(key));
      const std::uint64_t rows = changed_rows(
          connection,
          fmt::format("UPDATE {} SET what = '{}' WHERE ctid IN (SELECT c.\"bkp row\" FROM {} AS c "
                      "WHERE c.\"bkp what\" IN ({}) AND {} AND NOT EXISTS (SELECT FROM {} AS p "
                      "WHERE {}){})",
                      child->second.stage(), staged::kNoParent, child->second.rows(),
                      child->second.written(), complete(key), key.parent_relation, refers(key),
                      comes));
      if (rows == 0) continue;
      more = true;
      auto& found = problems[key.child];
      const auto same = std::find_if(found.begin(), found.end(), [&](const RowProblem& problem) {
        return problem.constraint == key.name;
      });
      if (same != found.end())
        same->rows += rows;
      else
        found.push_back({key.name, rows});
    }
  }
  return problems;
}

void lock_parents(PgConnection& connection, const DatabaseShape& shape,
                  const StagedTables& tables) {
  for (const ForeignKeyShape& key : shape.foreign_keys) {
    const auto child = tables.find(key.child);
    if (child == tables.end()) continue;
    count(connection, fmt::format("(SELECT FROM {} AS p WHERE EXISTS (SELECT FROM {} AS c WHERE "
                                  "c.\"bkp what\" IN ({}) AND {}) FOR KEY SHARE OF p) AS held",
                                  key.parent_relation, child->second.rows(),
                                  child->second.written(), refers(key)));
  }
}

std::vector<RowProblem> dangling_references(PgConnection& connection, const DatabaseShape& shape,
                                            const StagedTables& tables) {
  std::vector<RowProblem> problems;
  for (const ForeignKeyShape& key : shape.foreign_keys) {
    const auto child = tables.find(key.child), parent = tables.find(key.parent);
    // A row that was overwritten may have been referred to by what it was; a key stays.
    const bool from_parent =
        parent != tables.end() && parent->second.writes_updates() && !by_key(key, parent->second);
    if (child == tables.end() && !from_parent) continue;
    const std::string rows = child_rows(key, shape.tables[key.child]) + " AS c";
    const std::string bad = fmt::format("{} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})",
                                        complete(key), key.parent_relation, refers(key));
    const bool all = from_parent || child->second.key() == nullptr;
    const std::uint64_t found = count(
        connection, all ? fmt::format("{} WHERE {}", rows, bad)
                        : fmt::format("{} AS s JOIN {} ON {} WHERE s.what IN ({}) AND {}",
                                      child->second.stage(), rows, child->second.same_key("s", "c"),
                                      child->second.written(), bad));
    if (found > 0) problems.push_back({key.name, found});
  }
  return problems;
}

std::uint64_t unlike_rows(PgConnection& connection, const StagedTable& table) {
  std::string live, staged;
  for (const std::string& column : table.match().columns) {
    const auto& parts = table.key()->parts;
    if (std::any_of(parts.begin(), parts.end(),
                    [&](const IndexPart& part) { return part.column == column; }))
      continue;  // it may be written differently
    live += (live.empty() ? "t." : ", t.") + quoted_name(column);
    staged += (staged.empty() ? "s." : ", s.") + table.staged_column(column);
  }
  // As text: not every type has an equality.
  const std::string alike =
      live.empty()
          ? ""
          : fmt::format(" AND ROW({})::pg_catalog.text = ROW({})::pg_catalog.text", live, staged);
  return count(
      connection,
      fmt::format("{} AS s WHERE s.what IN ({}) AND NOT EXISTS (SELECT FROM {} AS t WHERE "
                  "{}{})",
                  table.stage(), table.written(), table.live(), table.same_key("s", "t"), alike));
}

}  // namespace bkp
