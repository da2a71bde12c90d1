#include "backup/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"

namespace bkp {
namespace {

bool takes(const Selection& selection, BackupType type) {
  return selection.types.empty() ||
         std::find(selection.types.begin(), selection.types.end(), type) != selection.types.end();
}

BackupRecord select_latest(const Catalog& catalog, const Selection& selection) {
  BackupFilter filter;
  filter.database = selection.database;
  filter.tenant = selection.tenant;
  std::optional<BackupRecord> newest, configuration;
  std::set<std::string> databases;
  for (const BackupRecord& backup : catalog.backups(filter)) {  // newest first
    if (!is_whole(backup) || !takes(selection, backup.type)) continue;
    // Of any type: one of a database is meant, as long as there is one.
    if (selection.types.empty() && backup.type == BackupType::configuration) {
      if (!configuration) configuration = backup;
      continue;
    }
    databases.insert(backup.database);
    if (!newest) newest = backup;
  }
  if (!newest && configuration && !selection.database) return *configuration;
  if (!newest && selection.types == std::vector{BackupType::configuration})
    throw Error(ErrorCode::usage, "there is no snapshot of the configuration",
                "'bkp config-snapshot' makes one");
  if (!newest)
    throw Error(ErrorCode::usage,
                selection.database
                    ? fmt::format("there is no backup of database '{}'", *selection.database)
                    : "there is no backup",
                "'bkp list' shows what there is, 'bkp dump' makes one");
  if (databases.size() > 1)
    throw Error(ErrorCode::usage,
                fmt::format("'latest' could be of databases {}", fmt::join(databases, ", ")),
                fmt::format("say which: --db {}", *databases.begin()));
  return *newest;
}

}  // namespace

bool is_whole(const BackupRecord& backup) {
  const bool complete =
      backup.status == BackupStatus::completed || backup.status == BackupStatus::verified;
  // One whose removal was begun everywhere is none, even while it is not done.
  return complete &&
         (backup.copies.empty() ||
          std::any_of(backup.copies.begin(), backup.copies.end(), [](const CopyRecord& copy) {
            return copy.state != CopyState::deleting && copy.state != CopyState::deleted;
          }));
}

BackupRecord select_backup(const Catalog& catalog, const Selection& selection) {
  if (selection.which == "latest") return select_latest(catalog, selection);
  BackupRecord backup = catalog.find_backup(selection.which);
  if (!takes(selection, backup.type))
    throw Error(ErrorCode::usage,
                fmt::format("backup '{}' is of type {}, which this command does "
                            "not take",
                            backup.id, to_text(backup.type)),
                backup.type == BackupType::configuration
                    ? "its files are restored into a directory: --to-dir DIR"
                    : "");
  return backup;
}

}  // namespace bkp
