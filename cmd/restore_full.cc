#include <fmt/format.h>

#include "base/units.h"
#include "describe.h"
#include "json.h"
#include "recovery/restore.h"
#include "restore.h"

namespace bkp {

int run_full_restore(const RestoreOptions& options, Session& session) {
  const BackupRecord backup = backup_to_restore(options, session);
  Context context = session.context();
  const RestoreResult result =
      restore(context, {backup, *options.into, options.jobs, options.reason,
                        options.no_tablespaces ? Tablespaces::left_out : Tablespaces::wanted});
  session.set_summary(backup.id + " into '" + *options.into + "'");
  for (const std::string& warning : result.warnings) session.log().warning(warning);
  const std::string proof = proof_text(result, session);
  Output& output = session.output();
  if (output.json()) {
    output.document(document_with_globals(restore_json(result), options));
    return code_of_globals(options);
  }
  output.line(fmt::format(
      "restored {} into '{}': {} tables, {} rows, {}, {}, from {}, in {}",
      printable(backup_title(backup)), printable(*options.into), result.tables, result.record.rows,
      format_size(result.record.bytes), printable(proof), result.record.source_storage,
      format_duration(std::chrono::duration<double>(result.record.duration_seconds))));
  return code_of_globals(options);
}

}  // namespace bkp
