// A full logical backup: pg_dump's archive of one database, into every storage at once.
#pragma once

#include <string>
#include <vector>

#include "backup/context.h"
#include "backup/store.h"

namespace bkp {

struct DumpRequest {
  std::vector<std::string> databases;  // empty: the conninfo's own
  bool all = false;                    // every database that allows connections, templates excepted
  std::string note;
};

// One result a database, in the order asked for; one that fails does not keep the others. Failure
// is in the catalog and in an alert. Throws only for what concerns all of them (no server, a
// signal).
std::vector<StoredBackup> dump(Context& context, const DumpRequest& request);

}  // namespace bkp
