#include "recovery/restore.h"

#include <fmt/format.h>

#include <memory>

#include "backup/selection.h"
#include "base/units.h"
#include "commands.h"
#include "describe.h"
#include "json.h"
#include "options.h"
#include "prompt.h"
#include "session.h"

namespace bkp {
namespace {

struct RestoreOptions {
  std::optional<std::string> id, into, database;
  std::optional<unsigned> jobs;
  std::string reason;
};

constexpr std::size_t kOffered = 20;

// What can be restored, the newest first, and which of it is wanted.
std::string ask_which(const RestoreOptions& options, Session& session) {
  BackupFilter filter;
  filter.type = BackupType::full_database;
  filter.database = options.database;
  std::vector<BackupRecord> backups = session.catalog().backups(filter);
  std::erase_if(backups, [](const BackupRecord& backup) { return !is_whole(backup); });
  if (backups.empty())
    throw Error(ErrorCode::usage, "there is no backup to restore", "'bkp dump' makes one");
  if (backups.size() > kOffered) backups.resize(kOffered);
  for (const BackupRecord& backup : backups)
    session.log().info(fmt::format("  {}, {}, on {}", backup_title(backup),
                                   format_size(backup.size_bytes), copies_text(backup)));
  const std::string wanted = ask("restore which", backups.front().id.substr(0, 8));
  // Told at once when there is none, not after the other questions.
  select_backup(session.catalog(), {wanted, {BackupType::full_database}, options.database, {}});
  return wanted;
}

// Fills what is missing by asking, or says what is missing where nobody can answer.
RestoreOptions completed(RestoreOptions options, Session& session) {
  const bool asking = !options.id && can_ask();
  if (!options.id && !asking)
    throw Error(ErrorCode::usage, "'bkp restore' needs ID or 'latest'", "see 'bkp restore -h'");
  if (asking) options.id = ask_which(options, session);
  if (!options.into && asking) options.into = ask("into which new database");
  if (!options.into)
    throw Error(ErrorCode::usage, "'bkp restore' needs --into",
                "name a database that does not exist yet");
  if (asking && options.reason.empty()) options.reason = ask("why, for the record", "not said");
  if (asking && !confirm("restore " + *options.id + " into '" + *options.into + "'"))
    throw Error(ErrorCode::failed, "not confirmed: nothing was done");
  return options;
}

int run_restore(const RestoreOptions& given, Session& session) {
  const RestoreOptions options = completed(given, session);
  const BackupRecord backup =
      wanted_backup(session, {*options.id, {BackupType::full_database}, options.database, {}});
  Context context = session.context();
  const RestoreResult result =
      restore(context, {backup, *options.into, options.jobs, options.reason});
  session.set_summary(backup.id + " into '" + *options.into + "'");
  for (const std::string& warning : result.warnings) session.log().warning(warning);
  Output& output = session.output();
  if (output.json()) {
    output.document(restore_json(result));
    return 0;
  }
  output.line(fmt::format(
      "restored {} into '{}': {} tables, {} rows, {}, every one as in the backup, from {}, in {}",
      printable(backup_title(backup)), printable(*options.into), result.tables, result.record.rows,
      format_size(result.record.bytes), result.record.source_storage,
      format_duration(std::chrono::duration<double>(result.record.duration_seconds))));
  return 0;
}

}  // namespace

Run declare_restore(CLI::App& app) {
  const auto options = std::make_shared<RestoreOptions>();
  add_text(app, "ID", options->id, "ID",
           "UUID, its beginning, file name, or 'latest'; asked for on a terminal");
  add_text(app, "--into", options->into, "NAME", "the new database; it must not exist yet");
  add_text(app, "--database,--db", options->database, "DATABASE", "of which 'latest' is meant");
  add_count(app, "--jobs", options->jobs,
            "connections at once; 1 restores as the data comes and needs no spool");
  add_text(app, "--reason", options->reason, "TEXT", "why, for the record");
  return [options](Session& session) { return run_restore(*options, session); };
}

}  // namespace bkp
