#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/name.h"
#include "recovery/merge_difference.h"

namespace bkp {
namespace {

// How long it waits for a row or table that a writer holds: behind it, others queue.
constexpr const char* kLockTimeout = "30s";

constexpr const char* kTryAgain =
    "nothing was changed; the database is in use: run it again, best when it is less so";

std::string listed(const std::vector<RowProblem>& problems) {
  std::string text;
  for (const RowProblem& problem : problems)
    text += fmt::format("{}{} ({} rows)", text.empty() ? "" : ", ", quoted_name(problem.constraint),
                        problem.rows);
  return text;
}

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::failed, message, kTryAgain);
}

}  // namespace

void MergeDifference::apply(MergeReport& report) {
  writer_.execute(
      fmt::format("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '{}';"
                  "SET CONSTRAINTS ALL DEFERRED",
                  kLockTimeout));
  try {
    prepare_writing(report);
    look_again(report);
    const std::map<std::size_t, RowsWritten> written = write_staged(writer_, now_shape_, staged_);
    for (const auto& [index, rows] : written) merged(report, index)->written = rows;
    writer_.execute("SET CONSTRAINTS ALL IMMEDIATE");
    merge_large_objects(then_, writer_, report.large_objects,
                        request_.on_conflict == OnConflict::overwrite);
    prove(written);
    check_interrupt();
    forward_sequences(writer_, report.sequences);
  } catch (const Error&) {
    const InterruptShield shield;
    try {
      writer_.execute("ROLLBACK");
    } catch (const std::exception&) {
      // The connection is gone, and the transaction with it.
    }
    throw;
  }
  try {
    const InterruptShield shield;
    writer_.execute("COMMIT");
  } catch (const Error& error) {
    throw Error(error.code(), "the merge could not be committed: " + error.message(),
                "with --dry-run, see whether rows are still missing");
  }
}

// Triggers silenced where there are any, and with them PostgreSQL's foreign keys: what rows refer
// to is held here instead, and looked at before the commit.
void MergeDifference::prepare_writing(const MergeReport& report) {
  for (const auto& [index, table] : staged_) {
    if (table.key() != nullptr) continue;
    writer_.execute(fmt::format("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", table.name()));
    if (!writer_.query(fmt::format("SELECT FROM {} LIMIT 1", table.live())).empty())
      refuse(fmt::format("table '{}' is no longer empty", table.name()));
  }
  if (report.triggers.empty() || request_.triggers == UserTriggers::fire) return;
  for (const auto& [index, table] : staged_)
    for (const TriggerShape& trigger : table.now().triggers)
      if (trigger.fires != TriggerShape::Fires::origin)
        throw Error(
            ErrorCode::failed,
            fmt::format("trigger {} on table '{}' cannot be silenced: it is enabled {}",
                        quoted_name(trigger.name), table.name(),
                        trigger.fires == TriggerShape::Fires::always ? "always" : "for replicas"),
            "use --triggers fire to let the database's triggers do what they do");
  try {
    writer_.execute("SET LOCAL session_replication_role = replica");
  } catch (const Error& error) {
    throw Error(ErrorCode::failed,
                fmt::format("role '{}' cannot silence the triggers of the tables ({}): {}",
                            writer_.user(), fmt::join(report.triggers, "; "), error.message()),
                "name a superuser in conninfo of [restore] of the configuration, or use "
                "--triggers fire");
  }
  lock_parents(writer_, now_shape_, staged_);
}

// What came since the difference was shown: rows that are there by now stay as they are; new
// obstacles are obstacles.
void MergeDifference::look_again(MergeReport& report) {
  std::vector<RowProblem> problems;
  for (const auto& [index, table] : staged_) {
    if (table.key() != nullptr) mark_present(writer_, table, staged::kKept);
    for (const RowProblem& clash : mark_clashes(writer_, table)) {
      merged(report, index)->clashes.push_back(clash);
      problems.push_back(clash);
    }
  }
  for (auto& [index, orphans] : mark_orphans(writer_, now_shape_, staged_))
    for (const RowProblem& orphan : orphans) {
      merged(report, index)->orphans.push_back(orphan);
      problems.push_back(orphan);
    }
  if (!problems.empty() && request_.on_obstacle == OnObstacle::refuse)
    refuse(
        fmt::format("rows cannot be merged any more as they could when the difference was "
                    "taken: {}",
                    listed(problems)));
}

void MergeDifference::prove(const std::map<std::size_t, RowsWritten>& written) {
  const std::vector<RowProblem> dangling = dangling_references(writer_, now_shape_, staged_);
  if (!dangling.empty()) refuse(fmt::format("foreign keys would not hold: {}", listed(dangling)));
  if (request_.triggers == UserTriggers::fire) return;  // they may make of rows what they want
  for (const auto& [index, table] : staged_) {
    if (table.key() == nullptr) continue;
    const std::uint64_t unlike = unlike_rows(writer_, table);
    const RowsWritten& rows = written.at(index);
    const std::uint64_t meant =
        table.count(writer_, staged::kInsert) + table.count(writer_, staged::kUpdate);
    if (unlike > meant - std::min(meant, rows.inserted + rows.updated))
      throw Error(ErrorCode::integrity,
                  fmt::format("table '{}': {} rows are not as in the backup", table.name(), unlike),
                  "nothing was changed");
  }
  prove_untouched(written);
}

// The server's own count of what this transaction did, to any table: no row but those that it was
// meant to write. (Between the partitions of a table, an update may move a row.)
void MergeDifference::prove_untouched(const std::map<std::size_t, RowsWritten>& written) {
  std::map<std::string, RowsTouched> touched = touched_rows(writer_);
  for (const auto& [index, rows] : written) {
    const StagedTable& table = staged_.at(index);
    const RowsTouched found = touched[table.name()];
    touched.erase(table.name());
    const std::uint64_t moved = table.now().partitioned ? found.deleted : 0;
    if (found.inserted != rows.inserted + moved || found.updated + moved != rows.updated ||
        found.deleted != moved)
      refuse(fmt::format(
          "table '{}': {} rows inserted, {} updated and {} deleted where {} were to "
          "be inserted and {} updated",
          table.name(), found.inserted, found.updated, found.deleted, rows.inserted, rows.updated));
  }
  for (const auto& [name, rows] : touched)
    refuse(
        fmt::format("table '{}', which was not to be written to, got {} rows inserted, {} "
                    "updated, {} deleted",
                    name, rows.inserted, rows.updated, rows.deleted));
}

}  // namespace bkp
