#include "recovery/restore_globals.h"

#include <fmt/format.h>

#include "backup/stored_manifest.h"
#include "base/error.h"
#include "pg/connection.h"
#include "pg/globals.h"
#include "recovery/restore_log.h"
#include "recovery/restore_server.h"
#include "recovery/server_lock.h"
#include "repo/globals_json.h"

namespace bkp {
namespace {

constexpr const char* kTarget = "(globals)";  // in the restore log, where others have a database

// While a statement with a verifier runs, the server's log and views get no text of it.
constexpr const char* kQuiet =
    "SET LOCAL log_statement = 'none'; SET LOCAL log_min_duration_statement = -1;"
    "SET LOCAL log_min_duration_sample = -1; SET LOCAL log_transaction_sample_rate = 0;"
    "SET LOCAL log_min_error_statement = 'panic'; SET LOCAL track_activities = off;"
    "SET LOCAL pg_stat_statements.track_utility = off";

Globals wanted_globals(Context& context, const GlobalsRequest& request, GlobalsResult& result) {
  std::vector<CopyCheck> bad;
  ManifestGlobals stored = globals_of(fetch_manifest(context, request.backup, bad));
  for (const CopyCheck& copy : bad)
    result.warnings.push_back(fmt::format("copy in '{}': {}", copy.storage, copy.problem));
  if (!stored.globals)
    throw Error(ErrorCode::usage,
                fmt::format("backup '{}' has no roles and tablespaces: {}",
                            request.backup.id.substr(0, 8), stored.problem),
                "restore without --globals, or from a backup that has them: 'bkp show ID' tells");
  return std::move(*stored.globals);
}

bool is_superuser(PgConnection& server) {
  return server.query_value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "t";
}

// Null: there is none. A role that may not look finds out when it makes the tablespace.
bool is_missing(PgConnection& server, const std::string& directory) {
  if (!directory.starts_with('/') || !is_superuser(server)) return false;
  const auto rows = server.query("SELECT FROM pg_stat_file($1, true) WHERE isdir", {directory});
  return rows.empty();
}

void require_directories(PgConnection& server, const GlobalsPlan& plan) {
  std::string missing, cure;
  for (const TablespacePlan& tablespace : plan.tablespaces)
    if (is_missing(server, tablespace.location)) {
      missing += fmt::format("{}'{}' for tablespace '{}'", missing.empty() ? "" : ", ",
                             tablespace.location, tablespace.name);
      cure += fmt::format("{}install -d -o postgres -m 700 '{}'", cure.empty() ? "" : "; ",
                          tablespace.location);
    }
  if (!missing.empty())
    throw Error(ErrorCode::failed, "the server has no directory " + missing,
                "on its host: " + cure +
                    "\nor --no-tablespaces: everything goes into the database's default");
}

void run(PgConnection& server, const GlobalsStatement& statement) {
  if (statement.hidden.empty())
    server.execute(statement.sql);
  else
    server.execute(statement.hidden.reveal_text());
}

void run_or_tell(PgConnection& server, const GlobalsStatement& statement,
                 std::vector<std::string>& refused) {
  server.execute("SAVEPOINT one");
  try {
    run(server, statement);
    server.execute("RELEASE SAVEPOINT one");
  } catch (const Error& error) {
    server.execute("ROLLBACK TO SAVEPOINT one");
    refused.push_back(statement.about + ": " + error.message());
  }
}

void run_together(PgConnection& server, const GlobalsStatements& statements,
                  std::vector<std::string>& refused) {
  if (statements.empty()) return;
  const bool superuser = is_superuser(server);
  bool quiet = false;
  server.execute("BEGIN");
  try {
    for (const GlobalsStatement& statement : statements) {
      if (!statement.hidden.empty() && superuser && !quiet) {
        server.execute(kQuiet);
        quiet = true;
      }
      if (statement.may_fail)
        run_or_tell(server, statement, refused);
      else
        run(server, statement);
    }
    server.execute("COMMIT");
  } catch (const Error&) {
    server.execute("ROLLBACK");
    throw;
  }
}

void make_tablespace(PgConnection& server, const TablespacePlan& tablespace,
                     std::vector<std::string>& refused) {
  for (const GlobalsStatement& statement : tablespace.before) run(server, statement);
  run(server, tablespace.create);
  run_together(server, tablespace.then, refused);
}

void make(PgConnection& server, GlobalsResult& result) {
  try {
    run_together(server, result.plan.statements, result.refused);
  } catch (const Error& error) {
    const Error told = error.within("no role was made");
    if (!told.hint().empty() || is_superuser(server)) throw told;
    throw Error(told.code(), told.message(),
                "name a superuser in conninfo of [restore] of the configuration");
  }
  for (const TablespacePlan& tablespace : result.plan.tablespaces) {
    try {
      make_tablespace(server, tablespace, result.refused);
    } catch (const Error& error) {
      throw Error(error.code(),
                  fmt::format("tablespace '{}' was not made (the roles are): {}", tablespace.name,
                              error.message()),
                  "make it as 'bkp restore ID --globals-only --dry-run' shows, or "
                  "--no-tablespaces");
    }
  }
  result.done = true;
}

// A restore that cannot follow has no need of roles.
void require_free_name(PgConnection& server, const std::string& into) {
  if (into.empty()) return;
  require_database_name(into);
  if (database_exists(server, into))
    throw Error(ErrorCode::usage, fmt::format("database '{}' exists already", into),
                "choose another name for --into, or put the backup in its place with --swap");
}

void plan_and_make(Context& context, const GlobalsRequest& request, GlobalsResult& result,
                   RestoreRecord* record) {
  const Globals wanted = wanted_globals(context, request, result);
  result.passwords = wanted.passwords;
  PgConnection server(restore_conninfo(context.config, "postgres"));
  const ServerLock lock(server, "globals", "another restore of globals is running", context.wait);
  if (record != nullptr) close_killed_restores(context, *record);
  require_free_name(server, request.into);
  result.plan = plan_globals(wanted, read_globals(server));
  if (request.tablespaces == Tablespaces::left_out) result.plan.tablespaces.clear();
  require_directories(server, result.plan);
  if (!request.dry_run) make(server, result);
}

}  // namespace

GlobalsResult restore_globals(Context& context, const GlobalsRequest& request) {
  GlobalsResult result;
  if (request.dry_run)
    plan_and_make(context, request, result, nullptr);
  else
    result.record = logged_restore(
        context, {request.backup.id, "globals", kTarget, request.reason},
        [&](RestoreRecord& record) { plan_and_make(context, request, result, &record); });
  return result;
}

}  // namespace bkp
