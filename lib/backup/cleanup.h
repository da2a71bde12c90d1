// Retention: what has had its time goes, with everything that belongs to nobody. The decisions are
// those of policy/; this looks, asks them, and carries them out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "backup/context.h"
#include "base/error.h"
#include "policy/orphans.h"
#include "policy/retention.h"

namespace bkp {

struct CleanupRequest {
  std::vector<std::string> storages;  // to clean; empty: all
};

struct CleanupPlan {
  std::vector<CopyDecision> copies;   // of every copy, oldest backup first
  std::vector<BackupRecord> backups;  // that these are of, in the same order
  std::vector<RestDecision> rests;
  std::vector<LeftoverDecision> leftovers;
  std::vector<BackupRecord> unfinished;  // removals that were begun and are not done
  std::vector<BackupRecord> gone;        // whole to the catalog, and in no storage
  std::vector<BackupRecord> forgotten;   // rows that keep_deleted keeps no longer
  std::vector<std::string> problems;     // storages that did not answer, manifests that do not open
  std::string refusal;                   // why nothing at all may be removed; empty: it may
  std::string cure;
};

// Takes up what the catalog did not know first. Nothing may be removed when this host's clock is
// off by more than 5 minutes from a storage's or the server's, and when the catalog did not know
// backups of days ago: it has lost its memory, and what it says of others is not to be trusted in
// the same run.
CleanupPlan plan_cleanup(Context& context, const CleanupRequest& request);

struct StorageStatistics {
  std::string storage;
  std::size_t deleted = 0;  // copies and orphans
  std::size_t failed = 0;
  std::uint64_t bytes = 0;    // freed
  std::size_t temporary = 0;  // files, uploads and versions that nobody reads
};

struct CleanupResult {
  std::vector<StorageStatistics> storages;  // in the configuration's order
  std::size_t records = 0;                  // rows marked as gone or forgotten
  std::size_t scratch = 0;                  // scratch databases of dead runs; the caller's to fill
  std::vector<std::string> errors;
  double seconds = 0;
};

// Carries out a plan whose refusal is empty, going on after what fails. The mark in the catalog,
// then manifest, then data: killed at any moment, the next run finishes it. The caller holds the
// locks of the storages.
CleanupResult cleanup(Context& context, const CleanupPlan& plan);

// Raises or resolves the alert CLEANUP: INFO is on record and resolved at once, WARNING where
// something could not be removed or a storage did not answer, CRITICAL where nothing was removed.
void tell_cleanup(Context& context, const CleanupPlan& plan, const CleanupResult& result);

// 0; 3 when something failed or a storage did not answer.
int cleanup_exit_code(const CleanupPlan& plan, const CleanupResult& result);

}  // namespace bkp
