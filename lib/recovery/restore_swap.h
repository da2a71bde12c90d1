// A full restore in the place of a live database.
#pragma once

#include <string>
#include <vector>

#include "recovery/restore.h"
#include "recovery/swap_plan.h"

namespace bkp {

enum class OldDatabase { keep, drop };

struct SwapRequest {
  RestoreRequest restore;  // `into`: the database that is replaced
  OldDatabase old = OldDatabase::keep;
};

struct SwapResult {
  RestoreResult restored;
  std::string old_database;  // the replaced one's name now; empty: dropped
  std::size_t sessions_ended = 0;
};

// What swap() would do; changes nothing. Throws as it does.
SwapPlan swap_dry_run(Context& context, const SwapRequest& request);

// Builds the backup beside the database, proves it, and gives it the database's name in the one
// transaction that renames the old one: killed at any moment, the name is one of the two, whole and
// open to connections. What was written to the old database since the backup is in the old one
// only. Failing, it leaves everything as it was (the new database is dropped). An old database that
// could not be dropped is a warning. Throws as plan_swap(), build_database(), replace_database().
SwapResult swap(Context& context, const SwapRequest& request);

}  // namespace bkp
