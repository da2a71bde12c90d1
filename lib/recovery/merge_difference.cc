#include "recovery/merge_difference.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/name.h"
#include "pg/text_session.h"
#include "policy/table_order.h"
#include "tenant/database_shape.h"
#include "tenant/stage_difference.h"

namespace bkp {
namespace {

constexpr const char* kSnapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

// The tables of the backup that rows come from, with their rows: partitions are under their root.
std::map<std::size_t, ManifestTable> tables_with_rows(const Manifest& manifest,
                                                      const DatabaseShape& shape) {
  std::map<std::size_t, ManifestTable> tables;
  for (const ManifestTable& each : manifest.tables) {
    const auto root = shape.root_of(each.schema, each.name);
    if (!root) continue;  // a foreign table's or a view's rows are elsewhere
    ManifestTable& table = tables[*root];
    table.schema = shape.tables[*root].schema;
    table.name = shape.tables[*root].name;
    table.rows += each.rows;
  }
  return tables;
}

std::vector<std::size_t> parents_first(const DatabaseShape& shape) {
  std::vector<TableReference> references;
  for (const ForeignKeyShape& key : shape.foreign_keys)
    references.push_back({key.child, key.parent});
  std::vector<std::size_t> order;
  for (const auto& group : order_tables(shape.tables.size(), references).groups)
    order.insert(order.end(), group.begin(), group.end());
  return order;
}

bool has_rows(const StagedTable& table, PgConnection& connection) {
  return connection.query_value(fmt::format("SELECT EXISTS (SELECT FROM {} WHERE what IN ({}))",
                                            table.stage(), table.written())) == "t";
}

}  // namespace

MergeDifference::MergeDifference(const std::string& then, const std::string& now,
                                 const MergeRequest& request, Log& log)
    : request_(request), log_(log), then_(then), now_(now), writer_(now) {
  for (PgConnection* connection : {&then_, &now_, &writer_}) set_text_session(*connection);
}

MergeReport MergeDifference::look(const Manifest& manifest) {
  MergeReport report;
  report.on_conflict = request_.on_conflict;
  then_.execute(kSnapshot);
  now_.execute(kSnapshot);
  then_shape_ = read_shape(then_);
  now_shape_ = read_shape(now_);
  if (then_shape_.encoding != now_shape_.encoding)
    throw Error(ErrorCode::usage,
                fmt::format("the backup is in encoding {} and database '{}' in {}",
                            then_shape_.encoding, request_.into, now_shape_.encoding),
                "restore it into a new database, and move rows by hand");
  const std::map<std::size_t, ManifestTable> tables = tables_with_rows(manifest, then_shape_);
  std::uint64_t done = 0;
  for (const std::size_t index : parents_first(then_shape_)) {
    const auto table = tables.find(index);
    if (table == tables.end()) continue;
    check_interrupt();
    log_.progress("compare " + qualified_name(table->second.schema, table->second.name), ++done,
                  std::nullopt);
    report.tables.push_back(look_at(table->second, index));
    if (const auto live = now_shape_.root_of(table->second.schema, table->second.name))
      index_in_report_[*live] = report.tables.size() - 1;
  }
  find_obstacles(report);
  report.sequences = sequences_behind(then_, then_shape_, writer_, now_shape_, staged_);
  if (manifest.large_objects > 0) report.large_objects = diff_large_objects(then_, now_);
  find_triggers(report);
  // The rows to write are staged: what goes on in the live database is not held up any longer.
  now_.execute("COMMIT");
  return report;
}

MergedTable MergeDifference::look_at(const ManifestTable& rows, std::size_t then_index) {
  const TableShape& then = then_shape_.tables[then_index];
  MergedTable result;
  result.schema = rows.schema;
  result.name = rows.name;
  const auto live = now_shape_.root_of(rows.schema, rows.name);
  const bool partition = live && now_shape_.tables[*live].name != rows.name;
  TableMatch match = match_table(then, live ? &now_shape_.tables[*live] : nullptr);
  if (partition) match.blocked = "it is a partition of another table in the database";
  result.notes = match.notes;
  if (rows.rows > 0) result.blocked = match.blocked;
  if (!match.blocked.empty()) {
    result.counts.missing = rows.rows;
    return result;
  }
  try {
    stage(result, then, *live, std::move(match), rows.rows);
  } catch (const Error& error) {
    throw error.within(
        fmt::format("cannot compare table '{}'", qualified_name(rows.schema, rows.name)));
  }
  return result;
}

void MergeDifference::stage(MergedTable& result, const TableShape& then, std::size_t index,
                            TableMatch match, std::uint64_t rows) {
  const bool overwrite = request_.on_conflict == OnConflict::overwrite;
  const DifferenceSources sources{then_, now_, writer_, then_shape_.encoding};
  StagedTable table(now_shape_.tables[index], std::move(match), index);
  table.create(writer_, overwrite && table.key() != nullptr);
  if (table.key() == nullptr) {
    result.counts = compare_unkeyed(sources, then, table);
    if (rows > 0 && result.counts.missing > 0 && result.counts.extra > 0)
      result.blocked = "it has no primary key by which rows could be told apart, and holds others";
    else if (result.counts.missing > 0)
      stage_all(sources, then, table);
  } else {
    result.counts =
        stage_difference(sources, then, table, overwrite ? DiffMode::overwrite : DiffMode::keep);
    // Keys that are equal for the server, though they are written differently: 1.0 and 1.00.
    const std::uint64_t present =
        result.counts.missing == 0
            ? 0
            : mark_present(writer_, table, overwrite ? staged::kUpdate : staged::kKept);
    result.counts.missing -= std::min(present, result.counts.missing);
    result.counts.extra -= std::min(present, result.counts.extra);
    result.counts.changed += present;
  }
  if (!has_rows(table, writer_)) return table.drop(writer_);
  table.analyze(writer_);
  staged_.emplace(index, std::move(table));
}

MergedTable* MergeDifference::merged(MergeReport& report, std::size_t index) {
  const auto found = index_in_report_.find(index);
  return found == index_in_report_.end() ? nullptr : &report.tables[found->second];
}

void MergeDifference::find_obstacles(MergeReport& report) {
  for (const auto& [index, table] : staged_)
    merged(report, index)->clashes = mark_clashes(writer_, table);
  for (auto& [index, problems] : mark_orphans(writer_, now_shape_, staged_))
    merged(report, index)->orphans = std::move(problems);
  for (const auto& [index, table] : staged_)
    merged(report, index)->planned = {table.count(writer_, staged::kInsert),
                                      table.count(writer_, staged::kUpdate)};
}

void MergeDifference::find_triggers(MergeReport& report) {
  for (const auto& [index, table] : staged_)
    for (const TriggerShape& trigger : table.now().triggers)
      if (trigger.fires != TriggerShape::Fires::replica)
        report.triggers.push_back(
            fmt::format("table {}: {}", table.name(), quoted_name(trigger.name)));
}

}  // namespace bkp
