#include <fmt/format.h>

#include "backup/selection.h"
#include "base/units.h"
#include "describe.h"
#include "prompt.h"
#include "restore.h"

namespace bkp {
namespace {

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

}  // namespace

RestoreOptions completed_by_asking(RestoreOptions options, Session& session) {
  if (options.to_dir && options.id) return options;
  if (options.to_dir)
    throw Error(ErrorCode::usage, "'bkp restore --to-dir' needs ID or 'latest'",
                "'bkp list --type CONFIGURATION' shows what there is");
  const bool asking = !options.id && can_ask();
  if (!options.id && !asking)
    throw Error(ErrorCode::usage, "'bkp restore' needs ID or 'latest'", "see 'bkp restore -h'");
  if (asking) options.id = ask_which(options, session);
  if (options.globals_only) return options;
  if (!options.into && asking)
    options.into = ask(options.swap       ? "in the place of which database"
                       : options.merges() ? "into which database"
                                          : "into which new database");
  if (!options.into)
    throw Error(ErrorCode::usage, "'bkp restore' needs --into",
                options.swap       ? "name the database that is to be replaced"
                : options.merges() ? "name the database that rows are to come back into"
                                   : "name a database that does not exist yet");
  if (asking && options.reason.empty()) options.reason = ask("why, for the record", "not said");
  if (asking && !confirm("restore " + *options.id + " into '" + *options.into + "'"))
    throw Error(ErrorCode::failed, "not confirmed: nothing was done");
  return options;
}

}  // namespace bkp
