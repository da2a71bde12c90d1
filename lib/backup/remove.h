// Removes backups, or copies of them, on purpose; holds them against it.
#pragma once

#include <string>
#include <vector>

#include "backup/context.h"
#include "policy/removal.h"

namespace bkp {

struct CopyRemoval {
  std::string storage;
  std::string problem;  // empty: it is gone
};

struct RemoveResult {
  BackupRecord backup;  // as the catalog has it afterwards
  std::vector<CopyRemoval> copies;
  bool done() const;
};

// Asks the storages themselves: a hold that another host placed refuses a removal, and one that
// relies on copies elsewhere is refused when no such storage shows one now.
void confirm_with_storages(Context& context, std::vector<Removal>& plan, LastCopy last_copy);

// The mark in the catalog, then manifest, then data. A storage where it fails keeps its copy's row,
// DELETING; asking again finishes it. Refused ones are left out.
std::vector<RemoveResult> remove_backups(Context& context, const std::vector<Removal>& plan);

// Writes the hold beside the manifest in every storage that has it, then the catalog. Throws
// Error(failed) when no storage took it. Returned: storages that did not, with their reason.
std::vector<std::string> hold_backup(Context& context, BackupRecord& backup,
                                     const std::string& reason);
// The reverse. While one storage keeps the hold, the backup counts as held.
std::vector<std::string> release_backup(Context& context, BackupRecord& backup);

}  // namespace bkp
