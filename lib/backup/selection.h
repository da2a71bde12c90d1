// Which backup an ID, a file name or "latest" means.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"

namespace bkp {

struct Selection {
  std::string which;                    // UUID, prefix, file name or "latest"
  std::vector<BackupType> types;        // that the command takes; empty: all
  std::optional<std::string> database;  // for "latest"
  std::optional<std::string> tenant;
};

// "latest" is the newest COMPLETED or VERIFIED backup; where the command takes all types, a
// configuration is meant only when there is nothing else. Throws Error(usage) when there is none,
// when several match a prefix, when "latest" could mean two databases (named), and for a type that
// the command does not take.
BackupRecord select_backup(const Catalog& catalog, const Selection& selection);

// True for a backup that can be restored: COMPLETED or VERIFIED, and not being removed.
bool is_whole(const BackupRecord& backup);

}  // namespace bkp
