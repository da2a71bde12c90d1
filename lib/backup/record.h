// The catalog's row of a backup, from its manifest: what is written after a dump, and when a
// manifest is met that the catalog does not know.
#pragma once

#include <optional>
#include <string>

#include "catalog/records.h"
#include "repo/hold.h"
#include "repo/manifest.h"

namespace bkp {

// COMPLETED, without copies.
BackupRecord record_of(const Manifest& manifest);

// What the names of all its objects begin with.
std::string stem_of(const BackupRecord& backup);

// Marks the backup as held, with why, by whom and since when in its metadata; or as not held.
void describe_hold(BackupRecord& backup, const std::optional<Hold>& hold);

}  // namespace bkp
