// Every JSON document that --json prints. Field names are those of the catalog; times RFC 3339 in
// UTC, sizes bytes, what is not there null.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "backup/config_diff.h"
#include "backup/config_snapshot.h"
#include "backup/rewrap.h"
#include "backup/setup.h"
#include "backup/store.h"
#include "backup/verify.h"
#include "base/error.h"
#include "catalog/records.h"
#include "crypto/key.h"
#include "monitor/doctor.h"
#include "pg/globals.h"
#include "recovery/merge.h"
#include "recovery/proof_report.h"
#include "recovery/restore.h"
#include "recovery/restore_files.h"
#include "recovery/restore_partial.h"
#include "recovery/restore_swap.h"

namespace bkp {

std::string backups_json(const std::vector<BackupRecord>& backups);
// Each backup with what became of it: "failure" (an error, as error_json has it) and "warnings".
std::string stored_json(const std::vector<StoredBackup>& results);
// Each backup with "checks", one a storage.
std::string verify_json(const std::vector<VerifyResult>& results);
// The backup with "tables" and "globals": names only, null where there are none.
std::string shown_json(const BackupRecord& backup, const std::vector<ManifestTable>& tables,
                       const Globals* globals);
// Each backup with "proof": the record of its test restore with "outcome", "findings", "failure".
std::string proofs_json(const std::vector<ProofReport>& reports);
// The record of the restore with "tables" (how many), "warnings", "left_out" (what the backup was
// made without) and "digests" (whether rows were compared by them).
std::string restore_json(const RestoreResult& result);
// restore_json with "old_database" (null: dropped) and "sessions_ended".
std::string swap_json(const SwapResult& result);
// restore_json with "objects", "created" and "counted".
std::string partial_json(const PartialResult& result);
// What a swap would do: "dry_run" is true.
std::string swap_plan_json(const SwapPlan& plan);
// The record of the merge with "dry_run", "applied", the tables with their counts, "left_out".
std::string merge_json(const MergeResult& result, bool dry_run);
// The backup as dump has it, with "unchanged", "entries" (how many), "problems" and "left_out".
std::string snapshot_json(const SnapshotResult& result);
// "since" (the snapshot's id), "changes" and "left_out".
std::string changes_json(const BackupRecord& since, const std::vector<ConfigurationChange>& changes,
                         const std::vector<LeftOut>& left_out);
// What a snapshot holds: its entries and what was left out.
std::string shown_configuration_json(const BackupRecord& backup, const Configuration& shown);
// The record of the restore with "files" (how many), "sealed", "owners" and "warnings".
std::string files_json(const RestoreFilesResult& result);
std::string setup_json(const SetupResult& result);
// Ids, states, creation; no secret.
std::string keys_json(const std::vector<MasterKey>& keys);
// "keys" as above, "hosts" that need the file, "rewrap" (null where none was done).
std::string rotation_json(const KeyRing& keys, const std::vector<std::string>& hosts,
                          const RewrapResult* rewrap);
std::string rewrap_json(const RewrapResult& result);
std::string findings_json(const Findings& findings);
std::string error_json(const Error& error);

// The members of the metadata, values as text, in order; nested ones as JSON.
std::vector<std::pair<std::string, std::string>> facts_of(const BackupRecord& backup);

}  // namespace bkp
