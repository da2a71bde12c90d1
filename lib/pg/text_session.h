// A session in which values are written as pg_dump writes them.
#pragma once

#include "pg/connection.h"

namespace bkp {

// What pg_dump sets itself, and what bkp makes it have (fixed_text_settings): two sessions set so
// write the same row as the same text. The search path is empty, and where row-level security
// would hide rows from the role, reading is an error.
void set_text_session(PgConnection& connection);

}  // namespace bkp
