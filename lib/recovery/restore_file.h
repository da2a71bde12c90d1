// A restore of a file that bkp did not write, into a database that does not exist yet.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backup/context.h"
#include "stream/stream.h"

namespace bkp {

struct FileRestoreRequest {
  std::string file;                               // for the record
  std::function<std::unique_ptr<Source>()> open;  // its plain bytes
  std::string into;                               // the new database's name
  std::string reason;
};

// An archive of pg_dump -Fc goes through pg_restore, anything else through psql as one transaction
// of plain SQL. Built under a scratch name; the database has it only when all of it ended well.
// There is no manifest: rows cannot be proved, and the record says so. Throws Error as restore().
RestoreRecord restore_file(Context& context, const FileRestoreRequest& request);

}  // namespace bkp
