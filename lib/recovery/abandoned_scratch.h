// Scratch databases that killed runs left on the server.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace bkp {

// Drops those whose lock nobody holds, whatever host made them. Returns their names. Throws Error
// where the server cannot be asked.
std::vector<std::string> drop_abandoned_scratch(const Config& config);

}  // namespace bkp
