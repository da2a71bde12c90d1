// Roles, memberships, settings and tablespaces of a backup's cluster, made where the server lacks
// them. What is there stays as it is; what differs is listed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/context.h"
#include "policy/globals_plan.h"
#include "recovery/restore.h"

namespace bkp {

struct GlobalsRequest {
  BackupRecord backup;
  std::string into;  // the database that is to be restored next, or empty
  Tablespaces tablespaces = Tablespaces::wanted;
  bool dry_run = false;  // plans, and does nothing
  std::string reason;
};

struct GlobalsResult {
  GlobalsPlan plan;
  bool passwords = true;                // whether the backup has them
  bool done = false;                    // false: a dry run
  std::vector<std::string> refused;     // settings and labels that the server does not take
  std::vector<std::string> warnings;    // copies found bad on the way
  std::optional<RestoreRecord> record;  // as the catalog has it; none of a dry run
};

// Roles come first, in one transaction, then each tablespace (PostgreSQL takes none in a
// transaction). Throws Error: usage (the backup has no globals), failed (a tablespace's directory
// is not there, told before anything is made; the server's own words), locked.
GlobalsResult restore_globals(Context& context, const GlobalsRequest& request);

}  // namespace bkp
