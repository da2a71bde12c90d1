// What cleanup and sync print with --json.
#pragma once

#include <string>
#include <string_view>

#include "backup/cleanup.h"
#include "backup/sync.h"

namespace bkp {

std::string_view leftover_name(Leftover::Kind kind);  // "temporary file", "unfinished upload", …

// "copies" (backup, storage, action, reason, age_seconds), "rests", "leftovers", "unfinished",
// "gone", "forgotten", "problems", "refusal".
std::string cleanup_plan_json(const CleanupPlan& plan);
// "storages" (storage, deleted, failed, temporary, bytes), "records", "scratch", "errors",
// "seconds".
std::string cleanup_json(const CleanupResult& result);
// "copies" (backup, storage, size_bytes), "problems".
std::string sync_plan_json(const SyncPlan& plan);
// "copies" (backup, storage, from, bytes, error), "left", "problems".
std::string sync_json(const SyncResult& result);

}  // namespace bkp
