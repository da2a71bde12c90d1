#include "backup/retention_facts.h"

#include <algorithm>

#include "backup/record.h"
#include "backup/selection.h"

namespace bkp {
namespace {

Keep keep_of(const KeepConfig& keep) { return {keep.age, keep.last}; }

// What a backup of this type is the last of.
std::string subject_of(const BackupRecord& backup) {
  switch (backup.type) {
    case BackupType::full_database:
      return backup.database;
    case BackupType::tenant_backup:
      return backup.database + '\0' + backup.tenant;
    case BackupType::configuration:
      return backup.host;
    case BackupType::base:
      break;  // one cluster has one data directory
  }
  return {};
}

bool lies_in(const Inventory& inventory, const BackupRecord& backup, const std::string& storage) {
  const auto stored = inventory.backups.find(stem_of(backup));
  return stored != inventory.backups.end() &&
         std::find(stored->second.storages.begin(), stored->second.storages.end(), storage) !=
             stored->second.storages.end();
}

}  // namespace

RetentionRules retention_rules(const Config& config) {
  RetentionRules rules;
  rules.verified_grace = config.verified_grace;
  for (const StorageConfig& storage : config.storages)
    rules.storages.push_back({storage.name,
                              {{BackupType::full_database, keep_of(storage.keep.dump)},
                               {BackupType::tenant_backup, keep_of(storage.keep.tenant)},
                               {BackupType::configuration, keep_of(storage.keep.configuration)},
                               {BackupType::base, keep_of(storage.keep.base)}}});
  return rules;
}

std::vector<RetentionBackup> retention_facts(const std::vector<BackupRecord>& backups,
                                             const Inventory& inventory) {
  std::vector<RetentionBackup> facts;
  for (const BackupRecord& backup : backups) {
    if (!is_whole(backup)) continue;
    RetentionBackup fact;
    fact.id = backup.id;
    fact.type = backup.type;
    fact.subject = subject_of(backup);
    fact.created_at = backup.created_at;
    fact.verified = backup.status == BackupStatus::verified || backup.proved_at.has_value();
    fact.held = backup.held;
    for (const CopyRecord& copy : backup.copies) {
      const bool removed = copy.state == CopyState::deleting || copy.state == CopyState::deleted;
      // What could not be written is not a copy, unless it lies there after all.
      const bool there = lies_in(inventory, backup, copy.storage);
      if (!removed && !there && copy.state == CopyState::failed) continue;
      fact.copies.push_back({copy.storage, copy.state == CopyState::good && there, removed});
    }
    facts.push_back(std::move(fact));
  }
  return facts;
}

}  // namespace bkp
