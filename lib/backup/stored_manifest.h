// From a catalog row to the manifest that storages hold.
#pragma once

#include <vector>

#include "backup/context.h"

namespace bkp {

// [restore] read_order first, then the other storages; those of `bad` after all others: one that
// did not answer is not waited for again.
std::vector<std::string> read_order(const Context& context, const std::vector<CopyCheck>& bad = {});

// The manifest of a backup, from the first storage that has it whole. Copies found bad on the way
// are added to `bad`. Throws Error(integrity) naming what was found where, Error(failed) when no
// storage answered, Error(usage) for a row that never had data.
Manifest fetch_manifest(const Context& context, const BackupRecord& backup,
                        std::vector<CopyCheck>& bad);

}  // namespace bkp
