// A full logical backup: pg_dump's archive of one database, into every storage at once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/context.h"
#include "base/error.h"

namespace bkp {

struct DumpRequest {
  std::vector<std::string> databases;  // empty: the conninfo's own
  bool all = false;                    // every database that allows connections, templates excepted
  std::string note;
};

struct DumpResult {
  BackupRecord backup;                // as the catalog has it: VERIFIED, COMPLETED or FAILED
  std::optional<Error> error;         // why there is no backup
  std::vector<std::string> warnings;  // copies that could not be written or do not verify
};

// One result a database, in the order asked for; one that fails does not keep the others. Failure
// is in the catalog and in an alert. Throws only for what concerns all of them (no server, a
// signal).
std::vector<DumpResult> dump(Context& context, const DumpRequest& request);

// What the command ends with: 0, 1 when all failed with that code, 3 when some did or copies are
// missing, 4 when a fresh copy does not verify.
int dump_exit_code(const std::vector<DumpResult>& results);

}  // namespace bkp
