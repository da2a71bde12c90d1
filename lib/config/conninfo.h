// A libpq connection string, looked into without connecting.
#pragma once

#include <string>
#include <string_view>

namespace bkp {

// Throws Error(usage) with libpq's own words when it is not one.
void check_conninfo(const std::string& conninfo);
// Is it a catalog in PostgreSQL: "postgresql://…", "postgres://…", or words ("host=db2
// dbname=bkp")?
bool is_postgresql_url(std::string_view url);
// The same connection in words, without any password: for people.
std::string shown_conninfo(const std::string& conninfo);
// Does it hold a password? (Of the server's user or of the client's key.)
bool has_password(const std::string& conninfo);

}  // namespace bkp
