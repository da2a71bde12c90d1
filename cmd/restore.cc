#include "restore.h"

#include <memory>

#include "commands.h"
#include "describe.h"
#include "options.h"

namespace bkp {
namespace {

int run_restore(const RestoreOptions& given, Session& session) {
  return run_full_restore(completed_by_asking(given, session), session);
}

}  // namespace

BackupRecord backup_to_restore(const RestoreOptions& options, Session& session) {
  return wanted_backup(session, {*options.id, {BackupType::full_database}, options.database, {}});
}

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
