// Brings the copies that storages should have and have not: those that could not be written when
// the backup was made, those that are missing or damaged, those in a storage that was added since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backup/context.h"
#include "policy/retention.h"

namespace bkp {

struct SyncRequest {
  std::vector<std::string> storages;   // that are to get copies; empty: all
  std::vector<std::string> ids;        // only these backups; empty: all
  std::optional<std::uint64_t> limit;  // of bytes: none is begun once so many were brought
};

// One copy that was to be brought.
struct SyncedCopy {
  BackupRecord backup;            // as the catalog has it afterwards
  std::string storage;            // that was to get it
  std::vector<std::string> from;  // storages that served
  std::uint64_t bytes = 0;        // stored
  std::string error;              // empty: it is there, looked at, and on record
};

struct SyncResult {
  std::vector<SyncedCopy> copies;     // in the order they were taken up
  std::size_t left = 0;               // not begun, because of the limit
  std::vector<std::string> problems;  // storages that did not answer
};

// What is lacking where, the newest backup first. Takes up manifests that the catalog did not know.
// A copy whose time in its storage is over, or that was removed on purpose, is not lacking.
struct SyncPlan {
  std::vector<LackingCopy> copies;
  std::vector<BackupRecord> backups;  // that these are of
  std::vector<std::string> problems;
};
SyncPlan make_sync_plan(Context& context, const SyncRequest& request);

// Stored bytes go from a good copy (another where that turns out to be bad) to where they are
// lacking, are read back as [verify] after says, and catalog and alerts have it. Killed at any
// moment, the next run goes on. The caller holds the locks of the storages that get copies.
SyncResult sync(Context& context, const SyncRequest& request);

// 0; 3 when some could not be brought or a storage did not answer.
int sync_exit_code(const SyncResult& result);

}  // namespace bkp
