#include <fmt/format.h>

#include "base/units.h"
#include "describe.h"
#include "json.h"
#include "pg/name.h"
#include "prompt.h"
#include "recovery/merge.h"
#include "restore.h"

namespace bkp {
namespace {

Cell number(std::uint64_t value, Colour colour) {
  return {std::to_string(value), value > 0 ? colour : Colour::faint};
}

std::uint64_t left_out(const MergedTable& table) {
  std::uint64_t rows = table.blocked.empty() ? 0 : table.counts.missing;
  for (const auto* problems : {&table.clashes, &table.orphans})
    for (const RowProblem& problem : *problems) rows += problem.rows;
  return rows;
}

// What the database lacks and has otherwise; tables without a difference are counted only.
std::string difference_text(const MergeReport& report, bool colours, std::size_t width) {
  Table table({{"TABLE"},
               {"MISSING", Align::right},
               {"CHANGED", Align::right},
               {"SAME", Align::right},
               {"ONLY THERE", Align::right},
               {"LEFT OUT", Align::right}});
  std::size_t equal = 0;
  for (const MergedTable& each : report.tables) {
    if (each.counts.missing + each.counts.changed + each.counts.extra == 0) {
      ++equal;
      continue;
    }
    table.add({{printable(qualified_name(each.schema, each.name))},
               number(each.counts.missing, Colour::good),
               number(each.counts.changed, Colour::warn),
               number(each.counts.same, Colour::plain),
               number(each.counts.extra, Colour::plain),
               number(left_out(each), Colour::bad)});
  }
  std::string text = table.empty() ? "" : table.render(colours, width);
  if (equal > 0) text += fmt::format("{} tables are as in the backup\n", equal);
  if (!report.large_objects.missing.empty() || !report.large_objects.changed.empty())
    text += fmt::format("large objects: {} missing, {} changed\n",
                        report.large_objects.missing.size(), report.large_objects.changed.size());
  for (const MergedTable& each : report.tables)
    for (const std::string& note : each.notes)
      if (each.counts.missing > 0)
        text += fmt::format("table {}: {}\n", printable(qualified_name(each.schema, each.name)),
                            printable(note));
  for (const std::string& obstacle : report.obstacles())
    text += "left out: " + printable(obstacle) + "\n";
  return text;
}

std::string plan_text(const MergeReport& report, const std::string& into) {
  const RowsWritten planned = report.planned();
  std::string text = fmt::format("{} rows would be added to '{}'", planned.inserted, into);
  if (report.on_conflict == OnConflict::overwrite)
    text += fmt::format(" and {} overwritten", planned.updated);
  if (!report.sequences.empty())
    text += fmt::format(", {} sequences moved forward", report.sequences.size());
  return text;
}

MergeRequest request_of(const RestoreOptions& options, const BackupRecord& backup) {
  MergeRequest request;
  request.backup = backup;
  request.into = *options.into;
  request.on_conflict =
      options.on_conflict.value_or("keep") == "keep" ? OnConflict::keep : OnConflict::overwrite;
  request.on_obstacle = options.skip_conflicts ? OnObstacle::skip : OnObstacle::refuse;
  request.triggers =
      options.triggers.value_or("silent") == "silent" ? UserTriggers::silent : UserTriggers::fire;
  request.jobs = options.jobs;
  request.reason = options.reason;
  request.dry_run = options.dry_run;
  return request;
}

void print_result(const MergeResult& result, const MergeRequest& request, Output& output) {
  const RowsWritten written = result.report.written();
  output.line(fmt::format(
      "merged {} into '{}': {} rows added, {} overwritten, {} large objects added, {} sequences "
      "moved forward, in {}",
      printable(backup_title(request.backup)), printable(request.into), written.inserted,
      written.updated, result.report.large_objects.missing.size(), result.report.sequences.size(),
      format_duration(std::chrono::duration<double>(result.record.duration_seconds))));
}

}  // namespace

int run_merge(const RestoreOptions& options, Session& session) {
  if (!options.dry_run && !options.yes && !can_ask())
    throw Error(ErrorCode::usage, "'--mode merge' changes a database and wants '--yes' here",
                "with --dry-run it says what it would do");
  const BackupRecord backup = backup_to_restore(options, session);
  Context context = session.context();
  Output& output = session.output();
  MergeRequest request = request_of(options, backup);
  const std::string into = printable(request.into);
  request.preview = [&](const MergeReport& report) {
    if (output.json()) return;
    if (request.dry_run) {
      output.text(difference_text(report, wants_colours(stdout, false), 0));
      output.line(plan_text(report, into));
    } else {
      session.log().info(difference_text(report, false, 0) + plan_text(report, into));
    }
  };
  if (!options.yes) request.confirm = [&] { return confirm("merge this into '" + into + "'"); };
  const MergeResult result = merge(context, request);
  for (const std::string& warning : result.warnings) session.log().warning(warning);
  session.set_summary(fmt::format("{} merged into '{}'", backup.id, request.into));
  if (!request.dry_run && !result.applied)
    throw Error(ErrorCode::failed, "not confirmed: nothing was done");
  if (output.json())
    output.document(merge_json(result, request.dry_run));
  else if (!request.dry_run)
    print_result(result, request, output);
  return request.dry_run || result.report.obstacles().empty()
             ? 0
             : static_cast<int>(ErrorCode::partial);
}

}  // namespace bkp
