// What a server has otherwise than a backup's globals say, of what both have.
#pragma once

#include <string>
#include <vector>

#include "policy/globals_plan.h"

namespace bkp {

// From this major version on a grantor of a membership needs the admin option, and a membership has
// options of its own.
inline constexpr int kGrantorsMatter = 16;

// "SUPERUSER", "NOINHERIT", …, "CONNECTION LIMIT 3": all but validity and password.
std::vector<std::string> role_attributes(const GlobalRole& role);

// Roles that the server lacks are no difference, nor are roles that only the server has.
std::vector<GlobalsDifference> globals_differences(const Globals& wanted, const Globals& there);

}  // namespace bkp
