#include "recovery/restore_swap.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/replace_database.h"
#include "recovery/restore_log.h"
#include "recovery/restore_server.h"
#include "recovery/server_lock.h"

namespace bkp {
namespace {

// A database without statistics is slow at its first queries, which here come at once.
void analyze(Context& context, const std::string& database) {
  context.log.info("collecting statistics");
  PgConnection connection(restore_conninfo(context.config, database));
  connection.execute("ANALYZE");
}

void drop_old(PgConnection& server, SwapResult& result) {
  try {
    drop_database(server, result.old_database);
    result.old_database.clear();
  } catch (const Error& error) {
    result.restored.warnings.push_back(fmt::format("the old database '{}' is still there: {}",
                                                   result.old_database, error.message()));
  }
}

std::string details_of(const SwapResult& result) {
  nlohmann::ordered_json details;
  details["old_database"] = nullptr;
  if (!result.old_database.empty()) details["old_database"] = result.old_database;
  details["sessions_ended"] = result.sessions_ended;
  return details.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void carry_out(Context& context, const SwapRequest& request, SwapResult& result,
               RestoreRecord& record) {
  const std::string& name = request.restore.into;
  const std::string postgres = restore_conninfo(context.config, "postgres");
  PgConnection server(postgres);
  const TargetLock lock(server, name, context.wait);
  close_killed_restores(context, record);
  SwapPlan plan = plan_swap(context, server, request.restore.backup, name, request.restore.jobs);
  if (request.restore.tablespaces == Tablespaces::left_out) leave_out_tablespaces(plan.build);
  for (const std::string& note : plan.notes) context.log.info(note);
  for (const std::string& change : plan.changes) context.log.info(change);
  const std::string scratch = scratch_name("restore", name);
  BuiltDatabase built = build_database(context, server, plan.build, scratch, record);
  for (std::string& refused : apply_properties(server, scratch, plan.build.properties))
    built.warnings.push_back(std::move(refused));
  if (plan.build.properties.allow_connections) analyze(context, scratch);
  check_interrupt();
  context.log.info(fmt::format("swapping: '{}' becomes '{}'", name, plan.old_database));
  const InterruptShield shield;  // from here it is as good as done
  result.sessions_ended = replace_database(server, postgres, {name, scratch, plan.old_database});
  built.database->give_away();
  result.old_database = plan.old_database;
  result.restored.tables = built.tables;
  result.restored.coverage = coverage_of(plan.build.manifest);
  result.restored.warnings = std::move(built.warnings);
  if (request.old == OldDatabase::drop) drop_old(server, result);
  record.details = details_of(result);
}

}  // namespace

SwapPlan swap_dry_run(Context& context, const SwapRequest& request) {
  PgConnection server(restore_conninfo(context.config, "postgres"));
  return plan_swap(context, server, request.restore.backup, request.restore.into,
                   request.restore.jobs);
}

SwapResult swap(Context& context, const SwapRequest& request) {
  SwapResult result;
  const RestoreRequest& restore = request.restore;
  result.restored.record =
      logged_restore(context, {restore.backup.id, "swap", restore.into, restore.reason},
                     [&](RestoreRecord& record) { carry_out(context, request, result, record); });
  return result;
}

}  // namespace bkp
