// `bkp restore`: what its modes share. Each mode's doing is a file of its own: restore_full.cc, …
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/records.h"
#include "foreign_file.h"
#include "recovery/restore.h"
#include "recovery/restore_globals.h"
#include "session.h"

namespace bkp {

struct RestoreOptions {
  std::optional<std::string> id, into, database;
  std::optional<unsigned> jobs;
  std::string reason;
  std::optional<std::string> to_dir;  // absolute
  std::vector<std::string> only;
  bool swap = false, keep_old = false, drop_old = false;
  std::optional<std::string> mode, on_conflict, triggers;
  bool skip_conflicts = false;
  bool dry_run = false, yes = false;
  std::vector<std::string> tables, schemas;
  bool schema_only = false, data_only = false;
  ForeignFile file;
  bool globals = false, globals_only = false, no_tablespaces = false;
  std::shared_ptr<const GlobalsResult> made_globals;  // by --globals, before the restore

  bool merges() const { return mode == "merge"; }
};

// Fills what is missing by asking, or says what is missing where nobody can answer.
RestoreOptions completed_by_asking(RestoreOptions options, Session& session);

// The backup that the options (complete by now) mean.
BackupRecord backup_to_restore(const RestoreOptions& options, Session& session);

// How the rows of a restore were proved, for the line that reports it; what its backup leaves out
// is told by the log.
std::string proof_text(const RestoreResult& result, Session& session);

// One a mode.
int run_full_restore(const RestoreOptions& options, Session& session);
int run_partial_restore(const RestoreOptions& options, Session& session);
int run_file_restore(const RestoreOptions& options, Session& session);
int run_restore_to_dir(const RestoreOptions& options, Session& session);
int run_swap(const RestoreOptions& options, Session& session);
int run_merge(const RestoreOptions& options, Session& session);
int run_globals_only(const RestoreOptions& options, Session& session);

// --globals: before a restore that needs them.
std::shared_ptr<const GlobalsResult> make_globals(const RestoreOptions& options, Session& session);
// The document of the restore that followed, with what it made as "globals".
std::string document_with_globals(const std::string& document, const RestoreOptions& options);
// 3 where something of them was not to be had, else 0.
int code_of_globals(const RestoreOptions& options);

}  // namespace bkp
