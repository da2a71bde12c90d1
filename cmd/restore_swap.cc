#include "recovery/restore_swap.h"

#include <fmt/format.h>

#include "base/units.h"
#include "describe.h"
#include "json.h"
#include "prompt.h"
#include "restore.h"

namespace bkp {
namespace {

void require_consent(const RestoreOptions& options) {
  if (!options.drop_old || options.dry_run || options.yes) return;
  if (!can_ask())
    throw Error(ErrorCode::usage, "'--drop-old' destroys a database and wants '--yes' here",
                "without it the old database is kept under another name");
  if (!confirm("drop the present '" + *options.into + "' when the backup has taken its place"))
    throw Error(ErrorCode::failed, "not confirmed: nothing was done");
}

int print_plan(const SwapPlan& plan, const RestoreOptions& options, Output& output) {
  if (output.json()) {
    output.document(swap_plan_json(plan));
    return 0;
  }
  output.line(fmt::format("would restore {} ({}) beside '{}' ({}), and prove it",
                          printable(backup_title(plan.build.backup)),
                          format_size(plan.build.manifest.plain_size), printable(plan.name),
                          format_size(plan.old_size)));
  output.line(fmt::format("would end the sessions of '{}' (now {}) and rename it to '{}'",
                          printable(plan.name), plan.sessions, printable(plan.old_database)));
  if (options.drop_old)
    output.line(fmt::format("would drop '{}' then", printable(plan.old_database)));
  for (const std::string& change : plan.changes) output.line(printable(change));
  for (const std::string& note : plan.notes) output.line(printable(note));
  return 0;
}

void print_result(const SwapResult& result, const BackupRecord& backup, const std::string& proof,
                  Output& output) {
  const RestoreRecord& record = result.restored.record;
  output.line(fmt::format("swapped in {} as '{}': {} tables, {} rows, {}, {}, from {}, in {}",
                          printable(backup_title(backup)), printable(record.target),
                          result.restored.tables, record.rows, format_size(record.bytes),
                          printable(proof), record.source_storage,
                          format_duration(std::chrono::duration<double>(record.duration_seconds))));
  if (!result.old_database.empty())
    output.line(fmt::format("the old database is '{}', with what was written since the backup",
                            printable(result.old_database)));
}

}  // namespace

int run_swap(const RestoreOptions& options, Session& session) {
  require_consent(options);
  const BackupRecord backup = backup_to_restore(options, session);
  Context context = session.context();
  const SwapRequest request{{backup, *options.into, options.jobs, options.reason,
                             options.no_tablespaces ? Tablespaces::left_out : Tablespaces::wanted},
                            options.drop_old ? OldDatabase::drop : OldDatabase::keep};
  if (options.dry_run) return print_plan(swap_dry_run(context, request), options, session.output());
  const SwapResult result = swap(context, request);
  session.set_summary(fmt::format("{} in the place of '{}'", backup.id, *options.into));
  for (const std::string& warning : result.restored.warnings) session.log().warning(warning);
  const std::string proof = proof_text(result.restored, session);
  if (session.output().json())
    session.output().document(document_with_globals(swap_json(result), options));
  else
    print_result(result, backup, proof, session.output());
  const bool undone = options.drop_old && !result.old_database.empty();
  return undone ? static_cast<int>(ErrorCode::partial) : code_of_globals(options);
}

}  // namespace bkp
