// The server that restores go to, and what it must have for one.
#pragma once

#include <string>

#include "config/config.h"
#include "pg/connection.h"
#include "pg/database_properties.h"
#include "repo/manifest.h"

namespace bkp {

// [restore] conninfo, else the owner of the cluster by the socket of [postgres] conninfo, else that
// conninfo; its dbname is replaced.
std::string restore_conninfo(const Config& config, const std::string& database);

// Throws Error(usage) for what cannot be a database's name: 1 to 63 bytes.
void require_database_name(const std::string& name);

// Every role that owns anything of the backup is there, and this session may give objects to all of
// them. Throws Error(failed) naming those that lack, with the cure.
void require_owners(PgConnection& server, const DatabaseProperties& properties,
                    const Manifest& manifest);

}  // namespace bkp
