// Clears away what killed runs of this host left, in catalog and storages, before it can be
// mistaken for anything; a backup whose manifest had been written is taken into the catalog
// instead.
#pragma once

#include <string>
#include <vector>

#include "backup/context.h"

namespace bkp {

// The caller holds this host's lock of that type. Trouble is a warning in the log: it keeps nothing
// from running, and the next run tries again.
void sweep(Context& context, BackupType type, const std::vector<std::string>& storages);

// Rows of this host that say IN_PROGRESS while nothing runs become FAILED. The same lock is held.
void close_interrupted(Context& context, BackupType type);

}  // namespace bkp
