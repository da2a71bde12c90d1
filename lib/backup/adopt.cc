#include "backup/adopt.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "backup/record.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "repo/hold.h"
#include "repo/layout.h"
#include "repo/storage_definitions.h"

namespace bkp {
namespace {

bool unfinished(const BackupRecord& backup) {
  return backup.status == BackupStatus::in_progress || backup.status == BackupStatus::failed ||
         backup.status == BackupStatus::pending;
}

CopyRecord copy_of(const BackupRecord& backup, const std::string& stem,
                   const std::string& storage) {
  CopyRecord copy;
  copy.storage = storage;
  const std::size_t slash = stem.rfind('/');
  copy.path = stem.substr(0, slash + 1) + backup.filename;
  copy.state = CopyState::good;
  copy.size_bytes = backup.size_bytes;
  return copy;
}

// Why and by whom, from the first storage that tells.
void read_hold(const Context& context, const std::string& stem, const FoundBackup& stored,
               BackupRecord& backup) {
  backup.held = stored.held;
  if (!stored.held) return;
  for (const std::string& storage : stored.storages) {
    try {
      const auto text = read_object(context.repository.storage(storage), hold_name(stem), kMaxHold);
      if (!text) continue;
      describe_hold(backup, decode_hold(as_text(*text), context.repository.keys()));
      return;
    } catch (const Error&) {
      check_interrupt();  // it holds, whether it can be read or not
    }
  }
}

// A storage that was configured when the backup was made and answers without it: sync will tell.
void note_absent(const Manifest& manifest, const Inventory& inventory, BackupRecord& backup) {
  for (const StorageConfig& storage : decode_storages(manifest.storages)) {
    const bool known =
        std::any_of(backup.copies.begin(), backup.copies.end(),
                    [&](const CopyRecord& copy) { return copy.storage == storage.name; });
    if (known || !inventory.answered(storage.name)) continue;
    CopyRecord copy;
    copy.storage = storage.name;
    copy.path = manifest.objects.front().name;
    copy.state = CopyState::failed;
    copy.error = "not there when the backup was taken into the catalog";
    backup.copies.push_back(std::move(copy));
  }
}

void adopt(Context& context, const std::string& stem, const FoundBackup& stored,
           AdoptResult& result) {
  std::vector<CopyCheck> bad;
  const std::optional<Manifest> manifest = context.repository.manifest(stem, stored.storages, &bad);
  for (const CopyCheck& copy : bad)
    result.problems.push_back(fmt::format("in storage '{}': {}", copy.storage, copy.problem));
  if (!manifest) return;
  if (manifest->cluster_uuid != context.repository.cluster_uuid()) {
    result.problems.push_back(fmt::format("'{}' is of another cluster", stem));
    return;
  }
  BackupRecord record = record_of(*manifest);
  for (const std::string& storage : stored.storages) {
    CopyRecord copy = copy_of(record, stem, storage);
    for (const CopyCheck& check : bad)
      if (check.storage == storage) copy.state = check.state;
    record.copies.push_back(std::move(copy));
  }
  note_absent(*manifest, result.inventory, record);
  read_hold(context, stem, stored, record);
  context.catalog.put_backup(record);
  ++result.adopted;
}

const CopyRecord* copy_in(const BackupRecord& backup, const std::string& storage) {
  for (const CopyRecord& copy : backup.copies)
    if (copy.storage == storage) return &copy;
  return nullptr;
}

// A copy that the catalog has no word of, or took for one that was never made; or for one that had
// gone, and is there again. A manifest is no proof of data that was missed: that is looked at.
bool is_news(const Context& context, const std::string& stem, const BackupRecord& backup,
             const std::string& storage) {
  const CopyRecord* copy = copy_in(backup, storage);
  if (copy == nullptr || copy->state == CopyState::failed) return true;
  if (copy->state != CopyState::missing) return false;
  const std::optional<Manifest> manifest = context.repository.manifest(stem, {storage});
  return manifest &&
         context.repository.check(*manifest, storage, CheckDepth::stat).state == CopyState::good;
}

// Nobody removed it, no storage had it any more, and now one has.
bool came_back(const BackupRecord& backup, const FoundBackup& stored) {
  if (backup.status != BackupStatus::deleted) return false;
  return std::any_of(stored.storages.begin(), stored.storages.end(),
                     [&](const std::string& storage) {
                       const CopyRecord* copy = copy_in(backup, storage);
                       return copy != nullptr && copy->state == CopyState::missing;
                     });
}

void refresh(Context& context, const std::string& stem, const FoundBackup& stored,
             const BackupRecord& known) {
  if (known.status == BackupStatus::deleted) return;
  for (const std::string& storage : stored.storages)
    if (is_news(context, stem, known, storage))
      context.catalog.put_copy(known.id, copy_of(known, stem, storage));
  if (!stored.held || known.held) return;
  BackupRecord held = known;
  held.copies.clear();
  read_hold(context, stem, stored, held);
  context.catalog.put_backup(held);
}

std::map<std::string, BackupRecord> known_backups(const Context& context,
                                                  std::optional<BackupType> type) {
  BackupFilter filter;
  filter.type = type;
  filter.include_deleted = true;
  std::map<std::string, BackupRecord> known;
  for (BackupRecord& backup : context.catalog.backups(filter))
    if (backup.cluster == context.config.cluster) known.emplace(stem_of(backup), std::move(backup));
  return known;
}

}  // namespace

AdoptResult adopt_backups(Context& context, const AdoptRequest& request) {
  AdoptResult result;
  result.inventory = take_inventory(
      context.repository,
      request.storages.empty() ? context.repository.storage_names() : request.storages,
      request.type);
  for (const StoredAmount& storage : result.inventory.storages)
    if (!storage.error.empty()) result.problems.push_back(storage.error);
  const std::map<std::string, BackupRecord> known = known_backups(context, request.type);
  for (const auto& [stem, stored] : result.inventory.backups) {
    check_interrupt();
    if (request.wanted && !request.wanted(stem)) continue;
    const auto row = known.find(stem);
    if (row == known.end() || unfinished(row->second) || came_back(row->second, stored))
      adopt(context, stem, stored, result);
    else
      refresh(context, stem, stored, row->second);
  }
  return result;
}

bool may_mean(std::string_view id_or_name, const std::string& stem) {
  constexpr std::size_t kShort = 8;
  std::string wanted(id_or_name.substr(id_or_name.rfind('/') + 1));
  if (wanted.find('.') != std::string::npos)
    return stem.substr(stem.rfind('/') + 1) == wanted.substr(0, wanted.find('.'));
  std::transform(wanted.begin(), wanted.end(), wanted.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : static_cast<char>(c);
  });
  return wanted.size() >= kShort && stem.ends_with("_" + wanted.substr(0, kShort));
}

}  // namespace bkp
