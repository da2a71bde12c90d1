// Tables, keys, foreign keys, triggers and sequences of a live database, from its system catalogs.
#pragma once

#include "pg/connection.h"
#include "policy/table_shape.h"

namespace bkp {

// Every ordinary table and every root of partitions outside of the system's schemas, by schema and
// name; partitions are under their root. `connection`: after set_text_session, so that names in
// expressions are qualified. Only reads.
DatabaseShape read_shape(PgConnection& connection);

}  // namespace bkp
