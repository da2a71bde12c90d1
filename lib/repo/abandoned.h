// What runs that were killed left in a storage, told by their heartbeat objects.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "repo/heartbeat.h"
#include "repo/repository.h"

namespace bkp {

struct AbandonedRun {
  std::string storage;
  std::string stem;
  Heartbeat heartbeat;
  bool committed = false;  // its manifest is there: only the heartbeat was left
};

// Heartbeats of `type` in one storage that nobody renews: those of this host (the caller holds this
// host's lock of that type, so they are not running), and those without a sign for a day in any
// storage. `begun_here`: whether this host's history knows a backup; a clone of this host has its
// name, and what it writes is another's. Throws Error, also where the storage's clock and `now`
// differ so much that a day cannot be told.
std::vector<AbandonedRun> find_abandoned(const Repository& repository, const std::string& storage,
                                         BackupType type, TimePoint now,
                                         const std::function<bool(const Uuid&)>& begun_here);

// Removes what the run left in that storage: data without a manifest, unfinished writes, and last
// the heartbeat. A run that was committed loses its heartbeat only. False: it was committed since
// it was found, and all of it stays. Throws Error.
bool remove_abandoned(const Repository& repository, const AbandonedRun& run);

}  // namespace bkp
