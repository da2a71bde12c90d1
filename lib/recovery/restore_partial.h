// A part of a logical backup into a database, new or existing, in one transaction.
#pragma once

#include <string>
#include <vector>

#include "recovery/partial_load.h"
#include "recovery/restore.h"

namespace bkp {

struct PartialRequest {
  RestoreRequest restore;  // jobs are for the proof's sake of no use here
  PartialPattern wanted;
};

struct PartialResult {
  RestoreResult restored;            // tables: those that got rows
  std::size_t objects = 0;           // entries of the archive that were restored
  bool created = false;              // the database is new
  std::vector<std::string> counted;  // tables proved by their row count alone
};

// Restores what is chosen with what hangs on it and what it needs. What is there already is refused
// by name before anything is done; with rows alone, they are added to the tables that are there.
// Rows and digests of tables that were empty or new are compared with the manifest before the
// commit, and the number of added rows for the others. Large objects are not restored. A database
// that does not exist is created, and given its name when all is proved. Throws Error: usage
// (nothing matches, something is in the way or missing), locked, integrity, failed; then nothing is
// changed.
PartialResult restore_partial(Context& context, const PartialRequest& request);

}  // namespace bkp
