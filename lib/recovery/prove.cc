#include "recovery/prove.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <set>

#include "backup/coverage.h"
#include "backup/selection.h"
#include "base/interrupt.h"
#include "pg/connection.h"
#include "pg/text_session.h"
#include "recovery/build_database.h"
#include "recovery/proof_findings.h"
#include "recovery/restore_log.h"
#include "recovery/restore_server.h"
#include "repo/soundness_json.h"

namespace bkp {
namespace {

constexpr std::size_t kNamedFaults = 20;

Soundness read_restored(const std::string& conninfo) {
  PgConnection connection(conninfo);
  set_text_session(connection);
  connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  return read_soundness(connection, Effort::whole);
}

// amcheck is last: it installs itself.
void look_into(Context& context, const BuildPlan& plan, const std::string& scratch,
               ProofReport& report) {
  ProofFindings& findings = report.findings;
  const std::string conninfo = restore_conninfo(context.config, scratch);
  const Coverage coverage = coverage_of(plan.manifest);
  judge_rows(compare_built(context, plan, scratch, report.record), plan.manifest.tables.size(),
             coverage, findings);
  const std::optional<Soundness> source = soundness_of(plan.manifest);
  context.log.info("looking into objects, constraints, foreign keys, sequences and indexes");
  const Soundness found = read_restored(conninfo);
  judge_objects(source, found, coverage, findings);
  judge_constraints(source, found, findings);
  judge_foreign_keys(source, check_foreign_keys(conninfo, plan.jobs), findings);
  judge_sequences(source, found, findings);
  judge_indexes(source, found, check_indexes(conninfo, plan.jobs), findings);
}

void require_no_fault(const ProofFindings& findings) {
  const std::size_t faults = count(findings, ProofLevel::failed);
  if (faults == 0) return;
  std::string message = "what was restored is not sound";
  std::size_t named = 0;
  for (const ProofFinding& finding : findings) {
    if (finding.level != ProofLevel::failed || named == kNamedFaults) continue;
    ++named;
    message += fmt::format("; {}{}{}: {}", finding.check, finding.object.empty() ? "" : ": ",
                           finding.object, finding.text);
  }
  if (faults > named) message += fmt::format("; and {} more", faults - named);
  throw Error(ErrorCode::integrity, message,
              "the backup is untouched; try another with 'bkp verify --restore ID'");
}

// Of the storages that are left, in the order in which they are read.
void keep_only(const std::vector<std::string>& storages, BuildPlan& plan) {
  if (storages.empty()) return;
  std::erase_if(plan.read_order, [&storages](const std::string& name) {
    return std::find(storages.begin(), storages.end(), name) == storages.end();
  });
}

void carry_out(Context& context, const ProofRequest& request, ProofReport& report) {
  RestoreRecord& record = report.record;
  PgConnection server(restore_conninfo(context.config, "postgres"));
  report.server = fmt::format("PostgreSQL {}.{}", server.major(), server.server_version() % 10000);
  BuildPlan plan = plan_build(context, server, request.backup, request.jobs);
  keep_only(request.storages, plan);
  const BuiltDatabase built = build_unproved(context, server, plan, record.target, record);
  close_killed_restores(context, record);
  for (const std::string& warning : built.warnings)
    report.findings.push_back({ProofLevel::warning, "copies", "", warning});
  look_into(context, plan, built.database->name(), report);
  require_no_fault(report.findings);
}

// As it is now: others may have changed it meanwhile.
void settle(Context& context, ProofReport& report) {
  const bool faulty = report.error && report.error->code() == ErrorCode::integrity;
  if (report.error && !faulty) return;
  context.catalog.transaction([&] {
    if (auto now = context.catalog.backup(report.backup.id)) report.backup = std::move(*now);
    report.backup.proved_at = faulty ? std::nullopt : std::optional<TimePoint>(context.clock.now());
    context.catalog.put_backup(report.backup);
  });
}

std::vector<BackupRecord> whole_backups(const Catalog& catalog,
                                        const std::optional<std::string>& database) {
  BackupFilter filter;
  filter.type = BackupType::full_database;
  filter.database = database;
  std::vector<BackupRecord> backups = catalog.backups(filter);  // newest first
  std::erase_if(backups, [](const BackupRecord& backup) { return !is_whole(backup); });
  return backups;
}

}  // namespace

ProofReport prove(Context& context, const ProofRequest& request) {
  ProofReport report;
  report.backup = request.backup;
  // One name a database, not one a backup: the next run finds what a killed one left.
  const std::string scratch =
      scratch_name("verify", context.config.cluster + '\0' + request.backup.database);
  const RestoreSubject subject{request.backup.id, "proof", scratch, request.reason,
                               request.backup.database};
  const LoggedRestore logged = try_logged_restore(context, subject, [&](RestoreRecord& record) {
    report.record = record;
    try {
      carry_out(context, request, report);
    } catch (const Error& error) {
      report.error = error;
      if (count(report.findings, ProofLevel::failed) == 0)
        report.findings.push_back({ProofLevel::failed, "restore", "", error.message()});
    }
    report.record.details = details_json(report).dump();
    record = report.record;
    if (report.error) throw Error(*report.error);
  });
  report.record = logged.record;
  if (logged.failure && !report.error) std::rethrow_exception(logged.failure);
  const InterruptShield shield;
  settle(context, report);
  return report;
}

std::vector<BackupRecord> newest_to_prove(const Catalog& catalog,
                                          const std::optional<std::string>& database) {
  std::vector<BackupRecord> newest;
  std::set<std::string> seen;
  for (BackupRecord& backup : whole_backups(catalog, database))
    if (seen.insert(backup.database).second) newest.push_back(std::move(backup));
  std::sort(newest.begin(), newest.end(),
            [](const BackupRecord& a, const BackupRecord& b) { return a.database < b.database; });
  return newest;
}

std::vector<BackupRecord> random_to_prove(const Catalog& catalog,
                                          const std::optional<std::string>& database,
                                          const std::function<std::size_t(std::size_t)>& random) {
  const std::vector<BackupRecord> backups = whole_backups(catalog, database);
  if (backups.empty()) return {};
  return {backups.at(random(backups.size()))};
}

}  // namespace bkp
