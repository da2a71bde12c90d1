#include "tenant/staged_writes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "pg/name.h"
#include "policy/table_order.h"

namespace bkp {
namespace {

bool is_key_column(const StagedTable& table, const std::string& column) {
  const UniqueShape* key = table.key();
  return key != nullptr &&
         std::any_of(key->parts.begin(), key->parts.end(),
                     [&](const IndexPart& part) { return part.column == column; });
}

// Empty where no column can differ.
std::string update_statement(const StagedTable& table) {
  std::string set;
  for (const std::string& column : table.match().columns)
    if (!is_key_column(table, column) && !table.now().column(column)->identity_always)
      set += fmt::format("{}{} = s.{}", set.empty() ? "" : ", ", quoted_name(column),
                         table.staged_column(column));
  if (set.empty()) return {};
  return fmt::format("UPDATE {} AS t SET {} FROM {} AS s WHERE s.what = 'u' AND {} RETURNING 1",
                     table.live(), set, table.stage(), table.same_key("s", "t"));
}

// What is to be done about a row that came since the staged ones were looked at.
std::string unless_present(const StagedTable& table) {
  const UniqueShape* key = table.key();
  if (key == nullptr) return {};
  if (!key->immediate)  // ON CONFLICT takes no deferrable key: a clash fails the commit instead
    return fmt::format(" AND NOT EXISTS (SELECT FROM {} AS t WHERE {})", table.live(),
                       table.same_key("s", "t"));
  std::string columns;
  for (const IndexPart& part : key->parts)
    columns += (columns.empty() ? "" : ", ") + quoted_name(part.column);
  return fmt::format(" ON CONFLICT ({}) DO NOTHING", columns);
}

std::string insert_statement(const StagedTable& table) {
  std::string columns, values;
  for (const std::string& column : table.match().columns) {
    columns += (columns.empty() ? "" : ", ") + quoted_name(column);
    values += (values.empty() ? "s." : ", s.") + table.staged_column(column);
  }
  return fmt::format(
      "INSERT INTO {}{} OVERRIDING SYSTEM VALUE SELECT {} FROM {} AS s "
      "WHERE s.what = 'i'{} RETURNING 1",
      table.name(), columns.empty() ? "" : " (" + columns + ")", values, table.stage(),
      unless_present(table));
}

// Updates of all members before inserts: a value that an update frees may be one that a row to
// insert takes. The server works the counts out from left to right.
void write_group(PgConnection& connection, const std::vector<const StagedTable*>& members,
                 std::vector<RowsWritten*> written) {
  std::string with, counts;
  std::vector<std::uint64_t*> results;
  const auto add = [&](const std::string& statement, std::uint64_t& result) {
    if (statement.empty()) return;
    with += fmt::format("{}w{} AS ({})", with.empty() ? "WITH " : ", ", results.size(), statement);
    counts += fmt::format("{}(SELECT count(*) FROM w{})", counts.empty() ? " SELECT " : ", ",
                          results.size());
    results.push_back(&result);
  };
  for (std::size_t i = 0; i < members.size(); ++i)
    if (members[i]->writes_updates()) add(update_statement(*members[i]), written[i]->updated);
  for (std::size_t i = 0; i < members.size(); ++i)
    add(insert_statement(*members[i]), written[i]->inserted);
  const PgRow row = connection.query(with + counts).at(0);
  for (std::size_t i = 0; i < results.size(); ++i) *results[i] = std::stoull(row.at(i).value());
}

}  // namespace

std::map<std::size_t, RowsWritten> write_staged(PgConnection& connection,
                                                const DatabaseShape& shape,
                                                const StagedTables& tables) {
  std::vector<TableReference> references;
  for (const ForeignKeyShape& key : shape.foreign_keys)
    references.push_back({key.child, key.parent});
  std::map<std::size_t, RowsWritten> written;
  for (const auto& group : order_tables(shape.tables.size(), references).groups) {
    std::vector<const StagedTable*> members;
    std::vector<RowsWritten*> counts;
    std::string names;
    for (const std::size_t index : group) {
      const auto table = tables.find(index);
      if (table == tables.end()) continue;
      members.push_back(&table->second);
      counts.push_back(&written[index]);
      names += (names.empty() ? "" : ", ") + table->second.name();
    }
    if (members.empty()) continue;
    try {
      write_group(connection, members, counts);
    } catch (const Error& error) {
      throw error.within(fmt::format("cannot write to '{}'", names));
    }
  }
  return written;
}

std::map<std::string, RowsTouched> touched_rows(PgConnection& connection) {
  if (connection.query_value("SHOW track_counts") != "on")
    throw Error(ErrorCode::failed, "the server does not count the rows that are written",
                "set track_counts = on");
  std::map<std::string, RowsTouched> touched;
  for (const PgRow& row : connection.query(R"(
SELECT n.nspname, c.relname, sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del)
FROM pg_stat_xact_user_tables AS x
     JOIN pg_class AS c ON c.oid = coalesce(pg_partition_root(x.relid)::oid, x.relid)
     JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND n.nspname !~ '^pg_(toast_)?temp_'
GROUP BY n.nspname, c.relname)"))
    touched[qualified_name(row.at(0).value(), row.at(1).value())] = {
        std::stoull(row.at(2).value()), std::stoull(row.at(3).value()),
        std::stoull(row.at(4).value())};
  return touched;
}

}  // namespace bkp
