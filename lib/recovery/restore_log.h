// Every restore is on record in the catalog, whatever becomes of it; one that fails raises an
// alert (unless another run was there first), which the next good one to its target resolves.
#pragma once

#include <exception>
#include <functional>
#include <string>

#include "backup/context.h"

namespace bkp {

struct RestoreSubject {
  std::string backup_id;
  std::string mode;    // "full", "swap", …
  std::string target;  // database
  std::string reason;
  // Of a test restore, whose target is thrown away: the database that it tells about. Its failure
  // is an alert of its own, TEST_RESTORE, one a database.
  std::string proof_of = {};
};

// What became of it: the record as it is stored, and what was thrown, if anything was.
struct LoggedRestore {
  RestoreRecord record;
  std::exception_ptr failure;
};

// Begins the record (RUNNING), does `work`, which fills in rows, bytes, source and details, and
// ends the record: DONE (or what work made of the outcome: DECLINED), or FAILED with the error,
// which is thrown on by the second of these. Returns what is stored.
LoggedRestore try_logged_restore(Context& context, const RestoreSubject& subject,
                                 const std::function<void(RestoreRecord&)>& work);
RestoreRecord logged_restore(Context& context, const RestoreSubject& subject,
                             const std::function<void(RestoreRecord&)>& work);

// Ends the records that killed restores of this host to the same target left RUNNING. To be called
// when the target's lock is held: nobody else can be running then.
void close_killed_restores(Context& context, const RestoreRecord& own);

}  // namespace bkp
