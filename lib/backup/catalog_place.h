// Whether the catalog lies inside what it is the catalog of: lost together, restored over itself.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "pg/connection.h"

namespace bkp {

// The name of the database of this very server that the catalog is in; nullopt: it is elsewhere, or
// its server does not answer now.
std::optional<std::string> catalog_on(PgConnection& server, const Config& config);

// What is told where a backup is asked for of the database that the catalog is in.
Error catalog_inside(const std::string& database);

}  // namespace bkp
