// One database put in the place of another while applications go on connecting.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pg/connection.h"

namespace bkp {

struct DatabaseReplacement {
  std::string name;         // that applications connect to
  std::string replacement;  // the database that is to have it
  std::string old_name;     // what the one that has it now is to be called
};

// Ends the sessions of the database and renames both in one transaction, sent at once: whatever is
// killed, the name is one of the two databases, whole and open. A client that connects meanwhile
// waits for the outcome (the rename holds the database's lock), is sent away once, and then gets
// what has the name. Interrupts wait until the outcome is known. `server` and `conninfo`: in
// another database of the server. Returns how many sessions were ended. Throws Error(failed) naming
// the sessions that did not end or the server's reason; then nothing is renamed.
std::size_t replace_database(PgConnection& server, const std::string& conninfo,
                             const DatabaseReplacement& names);

// What forbids to put another database in the place of `name`, each with its cure.
struct ReplacementObstacle {
  std::string what;  // "prepared transaction 'x'"
  std::string cure;  // SQL, and where to run it
};
std::vector<ReplacementObstacle> replacement_obstacles(PgConnection& server,
                                                       const std::string& name);

}  // namespace bkp
