// A full backup merged into a database that is there: rows that are missing come back, rows that
// are there are kept or overwritten, rows that only the database has are never touched.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backup/context.h"
#include "policy/row_difference.h"
#include "recovery/merge_large_objects.h"
#include "tenant/sequences.h"
#include "tenant/staged_checks.h"
#include "tenant/staged_writes.h"

namespace bkp {

enum class OnConflict { keep, overwrite };  // a row that is there, and differs
// What stands in the way of single rows or tables: nothing is merged, or the rest is.
enum class OnObstacle { refuse, skip };
// The target's own triggers: rows come back as they were, or as the triggers make them.
enum class UserTriggers { silent, fire };

struct MergeReport;

struct MergeRequest {
  BackupRecord backup;
  std::string into;  // an existing database
  OnConflict on_conflict = OnConflict::keep;
  OnObstacle on_obstacle = OnObstacle::refuse;
  UserTriggers triggers = UserTriggers::silent;
  std::optional<unsigned> jobs;  // of the restore into the scratch database
  std::string reason;
  bool dry_run = false;
  std::function<void(const MergeReport&)> preview;  // told what would be done
  std::function<bool()> confirm;  // asked then, unless nothing would be; false: nothing is done
};

struct MergedTable {
  std::string schema, name;
  std::string blocked;              // why nothing of it can be merged
  std::vector<std::string> notes;   // what is remarkable, and no hindrance
  RowCounts counts;                 // backup beside database
  RowsWritten planned;              // what would be written
  RowsWritten written;              // what was
  std::vector<RowProblem> clashes;  // rows left out: a unique key of theirs is held by another row
  std::vector<RowProblem> orphans;  // rows left out: what they refer to is not there
};

struct MergeReport {
  OnConflict on_conflict = OnConflict::keep;
  std::vector<MergedTable> tables;  // those of the backup, parents first
  std::vector<SequenceMove> sequences;
  LargeObjectDifference large_objects;
  std::vector<std::string> triggers;  // "table shop.orders: audit", silenced or fired

  RowsWritten planned() const;  // in all tables
  RowsWritten written() const;
  bool changes_anything() const;
  // Tables and rows that cannot be merged, a line each; those of tables without missing rows are
  // none.
  std::vector<std::string> obstacles() const;
};

struct MergeResult {
  RestoreRecord record;  // as the catalog has it; of a dry run: not stored
  MergeReport report;
  bool applied = false;
  std::vector<std::string> warnings;
};

// Restores the backup into a scratch database (dropped however this ends; after a kill, by the next
// merge into the same target), proves it against the manifest, takes the difference table by table,
// and applies it in one transaction of the target. Takes the target's lock on the server. Throws
// Error: usage (no such database, obstacles), integrity (no copy is whole), failed.
MergeResult merge(Context& context, const MergeRequest& request);

}  // namespace bkp
