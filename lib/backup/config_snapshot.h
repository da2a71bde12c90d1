// The configuration of a host and of its server as a backup: files, and what the server says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/configuration_source.h"
#include "backup/store.h"

namespace bkp {

struct SnapshotResult {
  // The new backup; or the one before, where nothing has changed since (`unchanged`).
  StoredBackup stored;
  bool unchanged = false;
  Configuration configuration;  // what was found now
};

// Everything that the configuration and the server name, found on this host. Throws Error(usage)
// when secrets_key_file is set and cannot be read.
ConfigurationPlan plan_configuration(const Config& config, const KeyRing& keys, Log& log);

// Takes a snapshot, unless the newest one has the same content and all its copies are there: then
// that is on record, and nothing is stored twice. What could not be taken is in the result.
// The caller holds the lock of the type.
SnapshotResult config_snapshot(Context& context, WorkerPool& pool, const std::string& note);

// 0; 3 when something was left out that counts, or as stored_exit_code() has it.
int snapshot_exit_code(const SnapshotResult& result);

}  // namespace bkp
