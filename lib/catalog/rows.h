// Records as rows: the columns of each table, in the order in which its values are written and
// read. Private to the catalog.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/records.h"
#include "catalog/sql_database.h"

namespace bkp {

// A table; the first `keys` columns identify a row.
struct Table {
  std::string_view name;
  std::size_t keys;
  std::span<const std::string_view> columns;
};
extern const Table kBackups;
extern const Table kCopies;
extern const Table kRestores;
extern const Table kAlerts;
extern const Table kRuns;

// "SELECT a, b FROM name", to be gone on with.
std::string select_from(const Table& table);
// Inserts a row, or replaces the one with the same keys.
std::string upsert_into(const Table& table);

SqlValue to_sql(TimePoint time);
SqlValue to_sql(const std::optional<TimePoint>& time);
SqlValue to_sql(std::uint64_t number);
SqlValue to_sql(std::string_view text);

// In the order of the table's columns.
std::vector<SqlValue> to_row(const BackupRecord& backup);
std::vector<SqlValue> to_row(std::string_view backup_id, const CopyRecord& copy);
std::vector<SqlValue> to_row(const RestoreRecord& restore);
std::vector<SqlValue> to_row(const AlertRecord& alert);
std::vector<SqlValue> to_row(const RunRecord& run);

// The reverse. Throw Error(failed) for a row that holds something else.
BackupRecord to_backup(const SqlRow& row);  // without its copies
std::pair<std::string, CopyRecord> to_copy(const SqlRow& row);
RestoreRecord to_restore(const SqlRow& row);
AlertRecord to_alert(const SqlRow& row);
RunRecord to_run(const SqlRow& row);

}  // namespace bkp
