// The catalog's schema, as numbered steps in the SQL that SQLite and PostgreSQL both understand.
// A step that was once released is never changed: the next one is added behind it.
#pragma once

#include "catalog/sql_database.h"

namespace bkp {

// The schema that this program writes and reads.
extern const int kCatalogVersion;

// The schema that the database has; 0: none yet.
int stored_version(SqlDatabase& database);

// Brings the schema to kCatalogVersion, all in one transaction; costs one small read when it is
// there already. Several processes may do it at once. Throws Error(failed) for a newer schema.
void migrate(SqlDatabase& database);

}  // namespace bkp
