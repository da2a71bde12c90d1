// Whether a database has the objects that an archive tells of.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "pg/archive_reader.h"
#include "pg/connection.h"

namespace bkp {

// True where the database of `connection` has an object of the entry's name: relations, indexes,
// functions, types, schemas, extensions, collations. False for anything else.
bool object_exists(PgConnection& connection, const ArchiveEntry& entry);

// Those of `entries` whose schema and name match a pattern of pg_dump ("app.order*"); one without a
// schema matches in any. Throws Error(usage) for what is no pattern.
std::vector<const ArchiveEntry*> matching_entries(PgConnection& connection,
                                                  const std::vector<const ArchiveEntry*>& entries,
                                                  const std::string& pattern);

}  // namespace bkp
