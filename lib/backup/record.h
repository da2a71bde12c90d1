// The catalog's row of a backup, from its manifest: what is written after a dump, and when a
// manifest is met that the catalog does not know.
#pragma once

#include "catalog/records.h"
#include "repo/manifest.h"

namespace bkp {

// COMPLETED, without copies.
BackupRecord record_of(const Manifest& manifest);

}  // namespace bkp
