// A full restore of a logical backup into a database that does not exist yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backup/context.h"
#include "backup/coverage.h"

namespace bkp {

enum class Tablespaces { wanted, left_out };

struct RestoreRequest {
  BackupRecord backup;
  std::string into;              // the new database's name
  std::optional<unsigned> jobs;  // default: [restore] jobs; 1: streamed, needs no spool space
  std::string reason;
  Tablespaces tablespaces = Tablespaces::wanted;  // left_out: all is in the default one
};

struct RestoreResult {
  RestoreRecord record;  // as the catalog has it
  std::uint64_t tables = 0;
  std::vector<std::string> warnings;  // copies found bad on the way, settings not applied
  Coverage coverage;                  // what the backup leaves out, and how it was compared
};

// Builds the database under a scratch name, restores into it, compares rows and digests of every
// table with the manifest, and only then gives it its name: killed at any moment, there is no half
// database under that name. The scratch database is dropped on failure (and at the next restore to
// the same name, after a kill). Takes the lock of its target on the server. Throws Error: usage
// (the name is taken, roles are missing, no room for the spool), locked, integrity (no copy is
// whole, or rows differ), failed; the restore log and a RESTORE_FAILURE alert have it too.
RestoreResult restore(Context& context, const RestoreRequest& request);

}  // namespace bkp
