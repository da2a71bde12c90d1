// What the rules of retention look at, from the catalog and what storages hold.
#pragma once

#include <vector>

#include "catalog/records.h"
#include "config/config.h"
#include "policy/retention.h"
#include "repo/inventory.h"

namespace bkp {

// keep and keep_last of every storage, and verified_grace.
RetentionRules retention_rules(const Config& config);

// Whole backups. A copy counts as good when the catalog has it so and its manifest lies in its
// storage: one in a storage that did not answer cannot be relied on.
std::vector<RetentionBackup> retention_facts(const std::vector<BackupRecord>& backups,
                                             const Inventory& inventory);

}  // namespace bkp
