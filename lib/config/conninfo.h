// A libpq connection string, looked into without connecting.
#pragma once

#include <string>

namespace bkp {

// Throws Error(usage) with libpq's own words when it is not one.
void check_conninfo(const std::string& conninfo);
// Does it hold a password? (Of the server's user or of the client's key.)
bool has_password(const std::string& conninfo);

}  // namespace bkp
