// Health at a glance: what the last good backups are, how the storages stand, what is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backup/context.h"

namespace bkp {

// The newest whole backup of one database; of a tenant, of a type, where those are backed up.
struct SeriesStatus {
  BackupType type = BackupType::full_database;
  std::string database;
  std::string tenant;
  std::optional<BackupRecord> last_good;
  std::optional<BackupRecord> failed_since;  // the newest FAILED one after it
  std::optional<TimePoint> proved_at;        // when a backup of it was last restored to prove it
};

struct StorageStatus {
  std::string name;
  std::string location;
  std::string error;  // empty: it answers and is this cluster's
  std::size_t backups = 0;
  std::size_t unknown = 0;                // of these, that the catalog does not know
  std::uint64_t bytes = 0;                // of backups
  std::optional<std::uint64_t> capacity;  // as configured, else the file system's
  std::optional<std::uint64_t> used;
  std::optional<std::uint64_t> available;
};

struct Status {
  TimePoint now;
  std::string cluster;
  std::vector<SeriesStatus> series;  // by type, database, tenant
  std::vector<StorageStatus> storages;
  std::vector<AlertRecord> alerts;  // open and acknowledged, the newest first
  std::string active_key;           // its id
  TimePoint key_created_at;
};

// Asks every storage once, all at once; one that does not answer is part of the result.
Status take_status(Context& context);

}  // namespace bkp
