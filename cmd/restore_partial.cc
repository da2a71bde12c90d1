#include "recovery/restore_partial.h"

#include <fmt/format.h>

#include "base/units.h"
#include "describe.h"
#include "json.h"
#include "restore.h"

namespace bkp {
namespace {

PartialPattern wanted_part(const RestoreOptions& options) {
  return {options.tables, options.schemas,
          options.schema_only ? PartialContent::schema
          : options.data_only ? PartialContent::data
                              : PartialContent::all};
}

// What was proved, and how.
std::string proof(const PartialResult& result, const std::string& compared) {
  if (result.restored.tables == 0) return "no rows";
  if (result.counted.empty())
    return fmt::format("{} rows, {}", result.restored.record.rows, compared);
  return fmt::format("{} rows ({} of the tables proved by their number of rows alone: {})",
                     result.restored.record.rows, result.counted.size(),
                     fmt::join(result.counted, ", "));
}

}  // namespace

int run_partial_restore(const RestoreOptions& options, Session& session) {
  const BackupRecord backup = backup_to_restore(options, session);
  Context context = session.context();
  const PartialResult result =
      restore_partial(context, {{backup, *options.into, {}, options.reason}, wanted_part(options)});
  session.set_summary("a part of " + backup.id + " into '" + *options.into + "'");
  for (const std::string& warning : result.restored.warnings) session.log().warning(warning);
  const std::string compared = proof_text(result.restored, session);
  Output& output = session.output();
  if (output.json()) {
    output.document(partial_json(result));
    return 0;
  }
  const RestoreRecord& record = result.restored.record;
  output.line(
      fmt::format("restored {} objects of {} into {} '{}': {} tables with {}, from {}, in {}",
                  result.objects, printable(backup_title(backup)),
                  result.created ? "the new database" : "database", printable(*options.into),
                  result.restored.tables, printable(proof(result, compared)), record.source_storage,
                  format_duration(std::chrono::duration<double>(record.duration_seconds))));
  return 0;
}

}  // namespace bkp
