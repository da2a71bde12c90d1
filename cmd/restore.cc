#include "restore.h"

#include <memory>

#include "commands.h"
#include "describe.h"
#include "options.h"

namespace bkp {
namespace {

// An option that means something only beside another.
void require_beside(bool given, const char* option, bool there, const char* others) {
  if (given && !there)
    throw Error(ErrorCode::usage,
                std::string("'") + option + "' says something only with " + others);
}

void require_sense(const RestoreOptions& options) {
  if (options.keep_old && options.drop_old)
    throw Error(ErrorCode::usage, "'--keep-old' and '--drop-old' are each other's opposite");
  require_beside(options.keep_old, "--keep-old", options.swap, "--swap");
  require_beside(options.drop_old, "--drop-old", options.swap, "--swap");
  require_beside(options.dry_run, "--dry-run", options.swap, "--swap");
}

int run_restore(const RestoreOptions& given, Session& session) {
  require_sense(given);
  const RestoreOptions options = completed_by_asking(given, session);
  if (options.swap) return run_swap(options, session);
  return run_full_restore(options, session);
}

}  // namespace

BackupRecord backup_to_restore(const RestoreOptions& options, Session& session) {
  return wanted_backup(session, {*options.id, {BackupType::full_database}, options.database, {}});
}

Run declare_restore(CLI::App& app) {
  const auto options = std::make_shared<RestoreOptions>();
  add_text(app, "ID", options->id, "ID",
           "UUID, its beginning, file name, or 'latest'; asked for on a terminal");
  add_text(app, "--into", options->into, "NAME",
           "the new database; it must not exist, but for --swap");
  add_text(app, "--database,--db", options->database, "DATABASE", "of which 'latest' is meant");
  add_count(app, "--jobs", options->jobs,
            "connections at once; 1 restores as the data comes and needs no spool");
  add_text(app, "--reason", options->reason, "TEXT", "why, for the record");
  app.add_flag("--swap", options->swap, "put it in the place of the database that has the name");
  app.add_flag("--keep-old", options->keep_old, "keep that one as NAME_before_TIME (the default)");
  app.add_flag("--drop-old", options->drop_old, "drop that one afterwards");
  app.add_flag("--dry-run", options->dry_run, "say what would happen, and do nothing");
  app.add_flag("--yes", options->yes, "do not ask before something is destroyed");
  return [options](Session& session) { return run_restore(*options, session); };
}

}  // namespace bkp
