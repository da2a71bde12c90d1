// Many independent queries to one database, over several connections at once.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "pg/connection.h"

namespace bkp {

// Calls `work` for each number below `count`, in about that order, over up to `jobs` connections to
// `conninfo`, each in a text session (text_session.h) and used by one thread. What one call throws
// ends the others as soon as they are done with theirs, and is thrown on.
void query_in_parallel(const std::string& conninfo, unsigned jobs, std::size_t count,
                       const std::function<void(PgConnection&, std::size_t)>& work);

}  // namespace bkp
