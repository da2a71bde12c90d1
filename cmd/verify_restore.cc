#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "base/fd.h"
#include "base/interrupt.h"
#include "base/units.h"
#include "describe.h"
#include "json.h"
#include "recovery/prove.h"
#include "verify.h"

namespace bkp {
namespace {

std::size_t at_random(std::size_t count) {
  std::random_device device;
  return std::uniform_int_distribution<std::size_t>(0, count - 1)(device);
}

std::vector<BackupRecord> chosen(const VerifyOptions& options, Session& session) {
  std::vector<BackupRecord> backups;
  for (const std::string& id : options.ids)
    backups.push_back(
        wanted_backup(session, {id, {BackupType::full_database}, options.database, {}}));
  if (!options.ids.empty()) return backups;
  backups = options.random ? random_to_prove(session.catalog(), options.database, at_random)
                           : newest_to_prove(session.catalog(), options.database);
  if (backups.empty())
    throw Error(ErrorCode::usage,
                options.database
                    ? fmt::format("there is no backup of database '{}'", *options.database)
                    : "there is no backup of a database",
                "'bkp list' shows what there is, 'bkp dump' makes one");
  return backups;
}

// Known before the work of hours.
void require_writable(const std::string& file) {
  std::filesystem::path directory = std::filesystem::absolute(file).parent_path();
  if (::access(directory.c_str(), W_OK | X_OK) != 0)
    throw_errno(fmt::format("cannot write '{}'", file));
}

Colour colour_of(ProofLevel level) {
  return level == ProofLevel::ok        ? Colour::good
         : level == ProofLevel::warning ? Colour::warn
                                        : Colour::bad;
}

void print(const ProofReport& report, Output& output) {
  const RestoreRecord& record = report.record;
  const std::string verdict =
      report.proved() ? output.paint("proved", Colour::good) : output.paint("FAILED", Colour::bad);
  output.line(fmt::format(
      "{}  {}: {}{}in {}", verdict, printable(backup_title(report.backup)),
      record.bytes == 0 ? "" : fmt::format("{} rows, {}, ", record.rows, format_size(record.bytes)),
      record.source_storage.empty() ? "" : fmt::format("from {}, ", record.source_storage),
      format_duration(std::chrono::duration<double>(record.duration_seconds))));
  if (!report.looked_into()) return;
  for (const ProofFinding& finding : report.findings)
    output.line(fmt::format(
        "        {}  {}: {}{}{}",
        output.paint(fmt::format("{:<7}", to_text(finding.level)), colour_of(finding.level)),
        finding.check, printable(finding.object), finding.object.empty() ? "" : ": ",
        printable(finding.text)));
}

// Faults have been told already, one by one.
Error failure_of(const ProofReport& report) {
  const std::string title = fmt::format("backup '{}' of database '{}' is not proved",
                                        report.backup.id, report.backup.database);
  if (!report.looked_into()) return report.error->within(title);
  const std::size_t faults = count(report.findings, ProofLevel::failed);
  return Error(report.error->code(),
               fmt::format("{}: {} fault{}", title, faults, faults == 1 ? "" : "s"),
               report.error->hint());
}

std::string told_in_one_line(const std::vector<ProofReport>& reports) {
  std::string line;
  for (const ProofReport& report : reports)
    line += fmt::format("{}'{}': {} {}", line.empty() ? "" : "; ", report.backup.database,
                        report.backup.id, report.proved() ? "proved" : report.error->message());
  return line;
}

}  // namespace

int run_prove(const VerifyOptions& options, Session& session) {
  for (const std::string& storage : options.storages) session.config().storage(storage);
  if (options.html) require_writable(*options.html);
  const std::vector<BackupRecord> backups = chosen(options, session);
  Context context = session.context();
  std::vector<ProofReport> reports;
  for (const BackupRecord& backup : backups) {
    reports.push_back(prove(context, {backup, options.jobs, options.storages, ""}));
    if (interrupt_signal() != 0) break;
    if (session.output().json()) continue;
    print(reports.back(), session.output());
    if (!reports.back().proved()) session.report(failure_of(reports.back()));
  }
  session.set_summary(told_in_one_line(reports));
  if (options.html)
    write_file_atomically(*options.html,
                          proof_html(reports, session.config().cluster, session.clock().now()));
  if (session.output().json()) session.output().document(proofs_json(reports));
  return proof_exit_code(reports);
}

}  // namespace bkp
