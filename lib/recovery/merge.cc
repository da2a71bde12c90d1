#include "recovery/merge.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/database_properties.h"
#include "pg/name.h"
#include "recovery/build_database.h"
#include "recovery/merge_difference.h"
#include "recovery/restore_log.h"
#include "recovery/restore_server.h"
#include "recovery/server_lock.h"

namespace bkp {
namespace {

constexpr std::size_t kNamedObstacles = 10;

void require_no_obstacles(const MergeReport& report, const std::string& into) {
  const std::vector<std::string> obstacles = report.obstacles();
  if (obstacles.empty()) return;
  std::string message = fmt::format("not all of the backup can be merged into '{}'", into);
  for (std::size_t i = 0; i < obstacles.size() && i < kNamedObstacles; ++i)
    message += "; " + obstacles[i];
  if (obstacles.size() > kNamedObstacles)
    message += fmt::format("; and {} more", obstacles.size() - kNamedObstacles);
  throw Error(ErrorCode::failed, message,
              "use --skip-conflicts to leave these out and merge the rest");
}

std::string details_of(const MergeRequest& request, const MergeReport& report) {
  const RowsWritten written = report.written();
  nlohmann::ordered_json json;
  json["on_conflict"] = request.on_conflict == OnConflict::keep ? "keep" : "overwrite";
  json["inserted"] = written.inserted;
  json["overwritten"] = written.updated;
  json["left_out"] = report.obstacles();
  return json.dump();
}

void carry_out(Context& context, const MergeRequest& request, MergeResult& result,
               RestoreRecord& record) {
  PgConnection server(restore_conninfo(context.config, "postgres"));
  const TargetLock lock(server, request.into, context.wait);
  require_database_name(request.into);
  if (!database_exists(server, request.into))
    throw Error(ErrorCode::usage, fmt::format("there is no database '{}'", request.into),
                "a merge needs one that is there; without --mode merge a restore makes one");
  const BuildPlan plan = plan_build(context, server, request.backup, request.jobs);
  const BuiltDatabase built =
      build_database(context, server, plan, scratch_name("merge", request.into), record);
  result.warnings = built.warnings;
  record.rows = 0;

  context.log.info(fmt::format("comparing every table with database '{}'", request.into));
  MergeDifference difference(restore_conninfo(context.config, built.database->name()),
                             restore_conninfo(context.config, request.into), request, context.log);
  result.report = difference.look(plan.manifest);
  if (request.preview) request.preview(result.report);
  if (request.dry_run) return;
  if (request.on_obstacle == OnObstacle::refuse) require_no_obstacles(result.report, request.into);
  if (result.report.changes_anything()) {
    if (request.confirm && !request.confirm()) {
      record.outcome = "DECLINED";
      return;
    }
    difference.apply(result.report);
  }
  result.applied = true;
  const RowsWritten written = result.report.written();
  record.rows = written.inserted + written.updated;
  record.details = details_of(request, result.report);
}

}  // namespace

RowsWritten MergeReport::planned() const {
  RowsWritten sum;
  for (const MergedTable& table : tables) {
    sum.inserted += table.planned.inserted;
    sum.updated += table.planned.updated;
  }
  return sum;
}

RowsWritten MergeReport::written() const {
  RowsWritten sum;
  for (const MergedTable& table : tables) {
    sum.inserted += table.written.inserted;
    sum.updated += table.written.updated;
  }
  return sum;
}

bool MergeReport::changes_anything() const {
  return planned() != RowsWritten{} || !sequences.empty() || !large_objects.missing.empty() ||
         (on_conflict == OnConflict::overwrite && !large_objects.changed.empty());
}

std::vector<std::string> MergeReport::obstacles() const {
  std::vector<std::string> lines;
  for (const MergedTable& table : tables) {
    const std::string name = qualified_name(table.schema, table.name);
    if (!table.blocked.empty()) lines.push_back(fmt::format("table {}: {}", name, table.blocked));
    for (const RowProblem& clash : table.clashes)
      lines.push_back(fmt::format("table {}: {} rows whose value of {} another row holds", name,
                                  clash.rows, quoted_name(clash.constraint)));
    for (const RowProblem& orphan : table.orphans)
      lines.push_back(fmt::format("table {}: {} rows that refer by {} to rows that are not there",
                                  name, orphan.rows, quoted_name(orphan.constraint)));
  }
  return lines;
}

MergeResult merge(Context& context, const MergeRequest& request) {
  MergeResult result;
  if (request.dry_run) {  // nothing to keep on record
    result.record.mode = "merge";
    result.record.backup_id = request.backup.id;
    result.record.target = request.into;
    carry_out(context, request, result, result.record);
    return result;
  }
  result.record =
      logged_restore(context, {request.backup.id, "merge", request.into, request.reason},
                     [&](RestoreRecord& record) { carry_out(context, request, result, record); });
  return result;
}

}  // namespace bkp
