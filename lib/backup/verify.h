// Whether the copies of backups are there and whole.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "backup/context.h"

namespace bkp {

struct VerifyRequest {
  std::vector<BackupRecord> backups;
  std::vector<std::string> storages;  // empty: all
  CheckDepth depth = CheckDepth::read;
};

struct VerifyResult {
  BackupRecord backup;            // as the catalog has it afterwards
  std::vector<CopyCheck> copies;  // in the storages' order
  bool good() const;              // every copy that is there is good
};

// Checks every copy, writes states, checked_at and verified_at to the catalog (VERIFIED when every
// copy that was made and not removed is good, back to COMPLETED when one is not) and raises or
// resolves the INTEGRITY_FAILURE alert of the copy. One that was never made in a storage is told as
// absent there: that is no damage.
std::vector<VerifyResult> verify(Context& context, const VerifyRequest& request);

// The depth to which a storage's copies are checked after a backup; nullopt: not at all.
std::optional<CheckDepth> depth_after_backup(const Config& config, std::string_view storage);

// Checks one backup's copies whose depth is given, and records what was found.
struct StorageDepth {
  std::string storage;
  CheckDepth depth;
};
VerifyResult verify_backup(Context& context, BackupRecord backup, const Manifest& manifest,
                           const std::vector<StorageDepth>& storages);

// 0, also for copies in a storage that was added after the backup; 4 when a copy is damaged or
// missing; 1 when a storage did not answer; 3 when a copy is absent that could not be written.
int verify_exit_code(const std::vector<VerifyResult>& results);

}  // namespace bkp
