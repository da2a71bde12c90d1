#include "recovery/build_database.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "backup/selection.h"
#include "backup/stored_manifest.h"
#include "base/error.h"
#include "base/units.h"
#include "pg/tools.h"
#include "recovery/archive_restore.h"
#include "recovery/restore_server.h"
#include "repo/properties_json.h"

namespace bkp {
namespace {

constexpr std::size_t kNamedDifferences = 20;

void require_whole(const BackupRecord& backup) {
  if (is_whole(backup)) return;
  throw Error(
      ErrorCode::usage,
      fmt::format("backup '{}' is {} and cannot be restored", backup.id, to_text(backup.status)),
      "'bkp list' shows those that can");
}

}  // namespace

void require_equal(const Comparison& comparison, const std::string& target,
                   const std::string& outcome) {
  if (comparison.differences.empty()) return;
  std::string message = fmt::format("what was restored for '{}' is not what was dumped", target);
  for (std::size_t i = 0; i < comparison.differences.size() && i < kNamedDifferences; ++i)
    message +=
        fmt::format("; {}: {}", comparison.differences[i].object, comparison.differences[i].text);
  if (comparison.differences.size() > kNamedDifferences)
    message += fmt::format("; and {} more", comparison.differences.size() - kNamedDifferences);
  throw Error(ErrorCode::integrity, message, outcome + "; the backup is untouched");
}

BuildPlan plan_build(Context& context, PgConnection& server, const BackupRecord& backup,
                     std::optional<unsigned> jobs) {
  require_whole(backup);
  BuildPlan plan;
  plan.backup = backup;
  plan.jobs = std::max(1U, jobs.value_or(context.config.restore_jobs));
  if (plan.jobs > kMostRestoreJobs)
    throw Error(ErrorCode::usage, fmt::format("{} jobs are more than the {} that a restore may use",
                                              plan.jobs, kMostRestoreJobs));
  plan.manifest = fetch_manifest(context, backup, plan.bad_copies);
  plan.read_order = read_order(context, plan.bad_copies);
  plan.properties = decode_properties(plan.manifest.properties);
  require_owners(server, plan.properties, plan.manifest);
  const int dumped_by = std::atoi(plan.manifest.tool_version.c_str());
  plan.tools = find_tools(std::max(server.major(), dumped_by), context.config.bin_dir);
  if (plan.jobs > 1) require_spool_room(context.config.spool_dir, plan.manifest.plain_size);
  return plan;
}

void leave_out_tablespaces(BuildPlan& plan) {
  plan.properties.tablespace = "pg_default";
  plan.selection.emplace_back("--no-tablespaces");
}

BuiltDatabase build_unproved(Context& context, PgConnection& server, const BuildPlan& plan,
                             const std::string& scratch, RestoreRecord& record) {
  BuiltDatabase built;
  built.database = std::make_unique<ScratchDatabase>(server, scratch, plan.properties);
  context.log.info(fmt::format("restoring backup '{}' of database '{}' ({})",
                               plan.backup.id.substr(0, 8), plan.manifest.database,
                               format_size(plan.manifest.plain_size)));
  const std::string conninfo = restore_conninfo(context.config, scratch);
  const GetResult got = restore_archive(
      context, plan.manifest, {plan.read_order, plan.tools, conninfo, plan.jobs, plan.selection});
  record.bytes = got.bytes;
  record.source_storage = fmt::format("{}", fmt::join(got.served_by, ","));
  for (const std::vector<CopyCheck>* bad : {&plan.bad_copies, &got.bad_copies})
    for (const CopyCheck& copy : *bad)
      built.warnings.push_back(fmt::format("copy in '{}': {}", copy.storage, copy.problem));
  built.tables = plan.manifest.tables.size();
  return built;
}

Comparison compare_built(Context& context, const BuildPlan& plan, const std::string& scratch,
                         RestoreRecord& record) {
  context.log.info("comparing rows and digests of every table with the manifest");
  Comparison comparison =
      compare_database(restore_conninfo(context.config, scratch), plan.manifest, plan.jobs);
  record.rows = comparison.rows;
  return comparison;
}

BuiltDatabase build_database(Context& context, PgConnection& server, const BuildPlan& plan,
                             const std::string& scratch, RestoreRecord& record) {
  BuiltDatabase built = build_unproved(context, server, plan, scratch, record);
  require_equal(compare_built(context, plan, scratch, record), record.target,
                "the database was dropped");
  return built;
}

}  // namespace bkp
