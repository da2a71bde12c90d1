#include "monitor/status.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "backup/record.h"
#include "backup/selection.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "repo/inventory.h"

namespace bkp {
namespace {

std::vector<SeriesStatus> series_of(const std::vector<BackupRecord>& newest_first) {
  std::map<std::tuple<BackupType, std::string, std::string>, SeriesStatus> all;
  for (const BackupRecord& backup : newest_first) {
    SeriesStatus& series = all[{backup.type, backup.database, backup.tenant}];
    series.type = backup.type;
    series.database = backup.database;
    series.tenant = backup.tenant;
    series.proved_at = std::max(series.proved_at, backup.proved_at);
    if (series.last_good) continue;
    if (is_whole(backup))
      series.last_good = backup;
    else if (backup.status == BackupStatus::failed && !series.failed_since)
      series.failed_since = backup;
  }
  std::vector<SeriesStatus> list;
  for (auto& [key, series] : all) list.push_back(std::move(series));
  return list;
}

void read_room(const Config& config, Storage& storage, StorageStatus& status) {
  const StorageInfo info = storage.info();
  status.location = info.location;
  status.capacity = info.capacity;
  status.available = info.available;
  if (info.capacity && info.available) status.used = *info.capacity - *info.available;
  if (const auto limit = config.storage(status.name).capacity) {
    // A part of a disk or of a bucket: what the backups in it take counts.
    status.capacity = limit;
    status.used = status.bytes;
    const std::uint64_t left = *limit > status.bytes ? *limit - status.bytes : 0;
    status.available = info.available ? std::min(*info.available, left) : left;
  }
}

std::vector<StorageStatus> storages_of(Context& context, const std::set<std::string>& known) {
  const Inventory inventory =
      take_inventory(context.repository, context.repository.storage_names());
  std::vector<StorageStatus> list;
  for (const StoredAmount& amount : inventory.storages) {
    StorageStatus status;
    status.name = amount.storage;
    status.error = amount.error;
    status.backups = amount.backups;
    status.bytes = amount.bytes;
    for (const auto& [stem, backup] : inventory.backups)
      if (known.count(stem) == 0 && std::find(backup.storages.begin(), backup.storages.end(),
                                              amount.storage) != backup.storages.end())
        ++status.unknown;
    try {
      if (status.error.empty())
        read_room(context.config, context.repository.storage(amount.storage), status);
    } catch (const Error& error) {
      check_interrupt();
      status.error = error.message();
    }
    list.push_back(std::move(status));
  }
  return list;
}

}  // namespace

Status take_status(Context& context) {
  Status status;
  status.now = context.clock.now();
  status.cluster = context.config.cluster;
  BackupFilter filter;
  filter.include_deleted = true;
  const std::vector<BackupRecord> backups = context.catalog.backups(filter);
  status.series = series_of(backups);
  std::erase_if(status.series, [](const SeriesStatus& series) {
    return !series.last_good && !series.failed_since;
  });
  std::set<std::string> known;
  for (const BackupRecord& backup : backups) known.insert(stem_of(backup));
  status.storages = storages_of(context, known);
  for (AlertRecord& alert : context.catalog.alerts({}))
    if (alert.state != AlertState::resolved) status.alerts.push_back(std::move(alert));
  const MasterKey& key = context.repository.keys().active();
  status.active_key = key.id.text();
  status.key_created_at = key.created_at;
  return status;
}

}  // namespace bkp
