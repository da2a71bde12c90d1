// How many objects of each kind a database holds, of those that pg_dump takes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "pg/connection.h"

namespace bkp {

// "tables": 12, "foreign keys": 3 …; a kind that is not named has none. Members of extensions,
// system schemas and schema public itself are left out, and so is what belongs to no dump: invalid
// indexes, temporary tables, what the server makes of one object beside it (array types,
// constraints cloned to partitions).
std::map<std::string, std::uint64_t> take_census(PgConnection& connection);

}  // namespace bkp
