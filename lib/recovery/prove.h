// A test restore: a backup is restored into a scratch database, everything about it is looked into,
// and the scratch database is dropped, whatever comes of it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backup/context.h"
#include "recovery/proof_report.h"

namespace bkp {

struct ProofRequest {
  BackupRecord backup;
  std::optional<unsigned> jobs;       // default: [restore] jobs
  std::vector<std::string> storages;  // that the data may come from; empty: any
  std::string reason;
};

// Rows, digests and large objects against the manifest, objects counted, constraints, every foreign
// key, every btree index, sequences: all are looked into whatever the others brought. Kept in the
// catalog as a restore of mode "proof"; the backup's proved_at is set, or forgotten where a fault
// was found; the alert TEST_RESTORE of its database is raised or resolved. Never throws for what
// happens to the proof. One database is tried by one run at a time, whatever the host; what a
// killed one left is dropped by the next.
ProofReport prove(Context& context, const ProofRequest& request);

// The backups that are to be tried where none is named: of each database (or of one) the newest
// whole one; or one at random, `random` choosing among so many.
std::vector<BackupRecord> newest_to_prove(const Catalog& catalog,
                                          const std::optional<std::string>& database);
std::vector<BackupRecord> random_to_prove(const Catalog& catalog,
                                          const std::optional<std::string>& database,
                                          const std::function<std::size_t(std::size_t)>& random);

}  // namespace bkp
