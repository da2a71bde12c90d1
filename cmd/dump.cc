#include "backup/dump.h"

#include <fmt/format.h>

#include <memory>

#include "base/units.h"
#include "commands.h"
#include "describe.h"
#include "failure.h"
#include "json.h"
#include "options.h"
#include "session.h"

namespace bkp {
namespace {

using DumpOptions = DumpRequest;

std::string summary(const BackupRecord& backup) {
  return fmt::format("{} {} of '{}': {} stored, {:.1f}x smaller, {} on {}, in {}",
                     backup.id.substr(0, 8), to_text(backup.status), printable(backup.database),
                     format_size(backup.size_bytes), backup.compression_ratio, backup.filename,
                     copies_text(backup),
                     format_duration(std::chrono::duration<double>(backup.duration_seconds)));
}

// For the record of runs.
std::string told_in_one_line(const std::vector<StoredBackup>& results) {
  std::string line;
  for (const StoredBackup& result : results) {
    if (!line.empty()) line += "; ";
    line += "'" + result.backup.database + "': ";
    line += result.error ? result.error->message()
                         : result.backup.id + " " + std::string(to_text(result.backup.status));
  }
  return line;
}

int run_dump(const DumpOptions& options, Session& session) {
  if (options.all && !options.databases.empty())
    throw Error(ErrorCode::usage, "'--all' and '--db' exclude each other");
  Context context = session.context();
  const std::vector<StoredBackup> results = dump(context, options);
  session.set_summary(told_in_one_line(results));
  if (session.output().json()) {
    session.output().document(stored_json(results));
    return stored_exit_code(results);
  }
  for (const StoredBackup& result : results) {
    for (const std::string& warning : result.warnings) session.log().warning(warning);
    if (result.error)
      session.report(result.error->within("backup of '" + result.backup.database + "'"));
    else
      session.output().line(summary(result.backup));
  }
  return stored_exit_code(results);
}

}  // namespace

Run declare_dump(CLI::App& app) {
  const auto options = std::make_shared<DumpOptions>();
  add_texts(app, "--database,--db", options->databases, "DATABASE",
            "databases to dump; the conninfo's own if none is named");
  app.add_flag("--all", options->all, "every database that allows connections, but templates");
  add_text(app, "--note", options->note, "TEXT", "kept with the backup, shown by list");
  return [options](Session& session) { return run_dump(*options, session); };
}

}  // namespace bkp
