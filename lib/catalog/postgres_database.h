// The catalog in a PostgreSQL database: one for any number of hosts.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "catalog/sql_database.h"

namespace bkp {

// `url`: what is_postgresql_url (config/conninfo.h) takes. Connects; makes the schema "bkp" that
// all tables are in when there is none and the role may. Writers of one catalog come one after the
// other; a transaction that others are in the way of is done again, and so is what was under way
// when the connection was lost, over a new one (so `work` of a transaction may run twice). `tell`
// gets a line about each such loss. Throws CatalogUnreachable, and Error(failed) with the GRANT
// where the role may not.
std::unique_ptr<SqlDatabase> open_postgres_database(
    const std::string& url, std::function<void(const std::string& line)> tell = {},
    SqlAccess access = SqlAccess::write);

}  // namespace bkp
