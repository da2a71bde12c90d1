#include "restore.h"

#include <filesystem>
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

bool is_partial(const RestoreOptions& options) {
  return !options.tables.empty() || !options.schemas.empty() || options.schema_only ||
         options.data_only;
}

void require_sense(const RestoreOptions& options) {
  if (options.schema_only && options.data_only)
    throw Error(ErrorCode::usage, "'--schema-only' and '--data-only' are each other's opposite");
  if (options.swap && is_partial(options))
    throw Error(ErrorCode::usage, "'--swap' is for a whole database, not for a part of one");
  if (options.jobs && is_partial(options))
    throw Error(ErrorCode::usage, "'--jobs' is for a whole database: a part is one transaction");
  if (options.merges() && is_partial(options))
    throw Error(ErrorCode::usage, "'--mode merge' is for a whole database, not for a part of one");
  if (options.keep_old && options.drop_old)
    throw Error(ErrorCode::usage, "'--keep-old' and '--drop-old' are each other's opposite");
  if (options.swap && options.merges())
    throw Error(ErrorCode::usage, "'--swap' and '--mode merge' are two ways to restore");
  require_beside(options.keep_old, "--keep-old", options.swap, "--swap");
  require_beside(options.drop_old, "--drop-old", options.swap, "--swap");
  require_beside(options.on_conflict.has_value(), "--on-conflict", options.merges(),
                 "--mode merge");
  require_beside(options.skip_conflicts, "--skip-conflicts", options.merges(), "--mode merge");
  require_beside(options.triggers.has_value(), "--triggers", options.merges(), "--mode merge");
  if (options.globals_only && options.into)
    throw Error(ErrorCode::usage, "'--globals-only' restores no database, so it takes no '--into'",
                "with a database it is '--globals'");
  if (options.globals && options.dry_run)
    throw Error(ErrorCode::usage, "'--globals' and '--dry-run' exclude each other",
                "'--globals-only --dry-run' shows what '--globals' would make");
  if (options.file.path && (options.globals || options.globals_only || options.no_tablespaces))
    throw Error(ErrorCode::usage, "a file of '--from-file' has no roles and tablespaces to make",
                "leave out '--globals', '--globals-only' and '--no-tablespaces'");
  if ((options.globals || options.no_tablespaces) && (is_partial(options) || options.merges()))
    throw Error(ErrorCode::usage,
                "'--globals' and '--no-tablespaces' are for a whole database that is made",
                "'--globals-only' makes roles and tablespaces before anything else");
  require_beside(options.dry_run, "--dry-run",
                 options.swap || options.merges() || options.globals_only,
                 "--swap, --mode merge or --globals-only");
  require_beside(!options.only.empty(), "--only", options.to_dir.has_value(), "--to-dir");
  const bool of_database = options.into || options.database || options.jobs || options.swap ||
                           options.mode || options.file.path || options.globals ||
                           options.globals_only || options.no_tablespaces || is_partial(options);
  if (options.to_dir && of_database)
    throw Error(ErrorCode::usage,
                "'--to-dir' restores a configuration: options of databases do not go with it");
}

int run_restore(const RestoreOptions& given, Session& session) {
  require_sense(given);
  require_sense(given.file, is_partial(given));
  if (given.file.path) return run_file_restore(given, session);
  RestoreOptions options = completed_by_asking(given, session);
  if (options.to_dir) return run_restore_to_dir(options, session);
  if (options.globals_only) return run_globals_only(options, session);
  if (options.globals) options.made_globals = make_globals(options, session);
  if (options.swap) return run_swap(options, session);
  if (options.merges()) return run_merge(options, session);
  if (is_partial(options)) return run_partial_restore(options, session);
  return run_full_restore(options, session);
}

}  // namespace

std::string proof_text(const RestoreResult& result, Session& session) {
  const Coverage& coverage = result.coverage;
  if (!coverage.left_out.empty())
    session.log().warning("the backup was made without " + coverage.left_out);
  return coverage.digests ? "every one as in the backup"
                          : "as many in each table as in the backup, which has no digests";
}

BackupRecord backup_to_restore(const RestoreOptions& options, Session& session) {
  return wanted_backup(session, {*options.id, {BackupType::full_database}, options.database, {}});
}

Run declare_restore(CLI::App& app) {
  const auto options = std::make_shared<RestoreOptions>();
  add_text(app, "ID", options->id, "ID",
           "UUID, its beginning, file name, or 'latest'; a terminal is asked");
  add_text(app, "--into", options->into, "NAME",
           "the new database; an existing one for --swap, --mode merge or a part");
  add_text(app, "--database,--db", options->database, "DATABASE", "of which 'latest' is meant");
  add_count(app, "--jobs", options->jobs, "connections at once; 1 streams and needs no spool");
  app.add_option_function<std::string>(
         "--to-dir",
         // Absolute at once: leaving root may change the working directory.
         [options](const std::string& text) {
           if (text.empty()) throw Error(ErrorCode::usage, "'--to-dir' needs a directory's name");
           options->to_dir = std::filesystem::absolute(text).lexically_normal().string();
         },
         "of a configuration: where its files go; empty or not there")
      ->type_name("DIR");
  add_texts(app, "--only", options->only, "GLOB", "of a configuration: only these paths");
  add_text(app, "--reason", options->reason, "TEXT", "why, for the record");
  add_choice(app, "--mode", options->mode, "full|merge",
             "full: a new database; merge: add what an existing one lacks");
  add_choice(app, "--on-conflict", options->on_conflict, "keep|overwrite",
             "a merged row that differs there: keep it (the default)");
  app.add_flag("--skip-conflicts", options->skip_conflicts,
               "leave out what cannot be merged, instead of refusing");
  add_choice(app, "--triggers", options->triggers, "silent|fire",
             "a merge's triggers: silent (the default) or as in any other change");
  add_texts(app, "--tables", options->tables, "PATTERN",
            "only these, as pg_dump -t has them, with all that hangs on them");
  add_texts(app, "--schema", options->schemas, "NAME", "only these schemas");
  app.add_flag("--schema-only", options->schema_only, "no rows");
  app.add_flag("--data-only", options->data_only, "only rows, into tables that are there");
  app.add_flag("--swap", options->swap, "put it in the place of the database that has the name");
  app.add_flag("--keep-old", options->keep_old, "keep that one as NAME_before_TIME (the default)");
  app.add_flag("--drop-old", options->drop_old, "drop that one afterwards");
  add_foreign_file(app, options->file);
  app.add_flag("--dry-run", options->dry_run, "say what would happen, and do nothing");
  app.add_flag("--yes", options->yes, "do not ask before something is destroyed");
  app.add_flag("--globals", options->globals,
               "before it, make the roles and tablespaces of the backup that the server lacks");
  app.add_flag("--globals-only", options->globals_only, "make these, and restore no database");
  app.add_flag("--no-tablespaces", options->no_tablespaces,
               "make none, and put everything into the default one");
  return [options](Session& session) { return run_restore(*options, session); };
}

}  // namespace bkp
