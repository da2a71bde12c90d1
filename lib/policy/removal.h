// Which copies a removal on purpose takes, and what it must not take.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/records.h"

namespace bkp {

// What a person may take away only when saying so.
enum class LastCopy { keep, may_go };

struct RemovalRequest {
  std::vector<BackupRecord> backups;
  std::vector<std::string> storages;    // the copies in these; empty: the backups, everywhere
  std::vector<std::string> configured;  // every storage there is
  LastCopy last_copy = LastCopy::keep;
};

struct Removal {
  BackupRecord backup;
  std::vector<std::string> storages;   // to remove from
  std::vector<std::string> relies_on;  // that keep a good copy; empty: nothing is left of it
  std::string refusal;                 // why it is not done; empty: it may be
  std::string cure;                    // what would let it
};

// One for each backup asked for, in that order, twice named ones once. `known`: every backup of the
// cluster. Refused: one that is held, one that is being written, and what would take the last good
// copy of the newest good backup of a database (or tenant, of its type).
std::vector<Removal> plan_removal(const std::vector<BackupRecord>& known,
                                  const RemovalRequest& request);

}  // namespace bkp
