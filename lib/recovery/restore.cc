#include "recovery/restore.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/connection.h"
#include "pg/database_properties.h"
#include "recovery/build_database.h"
#include "recovery/restore_log.h"
#include "recovery/restore_server.h"
#include "recovery/server_lock.h"

namespace bkp {
namespace {

void carry_out(Context& context, const RestoreRequest& request, RestoreResult& result,
               RestoreRecord& record) {
  PgConnection server(restore_conninfo(context.config, "postgres"));
  const TargetLock lock(server, request.into, context.wait);
  close_killed_restores(context, record);
  require_database_name(request.into);
  if (database_exists(server, request.into))
    throw Error(ErrorCode::usage, fmt::format("database '{}' exists already", request.into),
                "choose another name for --into, or put the backup in its place with --swap");
  BuildPlan plan = plan_build(context, server, request.backup, request.jobs);
  if (request.tablespaces == Tablespaces::left_out) leave_out_tablespaces(plan);
  const std::string scratch = scratch_name("restore", request.into);
  BuiltDatabase built = build_database(context, server, plan, scratch, record);
  for (std::string& refused : apply_properties(server, scratch, plan.properties))
    built.warnings.push_back(std::move(refused));
  check_interrupt();
  built.database->rename_to(request.into);
  result.tables = built.tables;
  result.coverage = coverage_of(plan.manifest);
  result.warnings = std::move(built.warnings);
}

}  // namespace

RestoreResult restore(Context& context, const RestoreRequest& request) {
  RestoreResult result;
  result.record =
      logged_restore(context, {request.backup.id, "full", request.into, request.reason},
                     [&](RestoreRecord& record) { carry_out(context, request, result, record); });
  return result;
}

}  // namespace bkp
