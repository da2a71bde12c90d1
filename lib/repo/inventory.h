// What storages hold, told by the names of objects alone: no data object and no manifest is opened,
// so that it is affordable at any time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "repo/repository.h"

namespace bkp {

// One backup: something with a manifest.
struct FoundBackup {
  std::vector<std::string> storages;  // that hold its manifest
  bool held = false;                  // a hold lies beside it in one of them
};

struct StoredAmount {
  std::string storage;
  std::string error;  // it did not answer, or is not this cluster's; the rest is 0 then
  std::size_t backups = 0;
  std::uint64_t bytes = 0;  // of all that belongs to backups
};

// Objects of one stem in a storage that has no manifest of it: of a run that is at work or was
// killed, or of a copy that lost its manifest.
struct StoredRest {
  std::string storage;
  std::string stem;
  std::vector<std::string> objects;
  std::uint64_t bytes = 0;
  TimePoint newest;  // the last of them to be written, a heartbeat among them
};

struct Inventory {
  std::map<std::string, FoundBackup> backups;  // by stem
  std::vector<StoredAmount> storages;          // in the order asked for
  std::vector<StoredRest> rests;               // by storage and stem
  bool answered(const std::string& storage) const;
};

// All storages at once. One that is not marked as this cluster's counts as one that did not answer:
// its disk may not be mounted. `type`: backups of this type alone; `stem`: this one alone.
Inventory take_inventory(const Repository& repository, const std::vector<std::string>& storages,
                         std::optional<BackupType> type = {}, const std::string& stem = {});

}  // namespace bkp
