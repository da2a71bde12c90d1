// A database's properties as the JSON that manifests carry.
#pragma once

#include <string>
#include <string_view>

#include "pg/database_properties.h"

namespace bkp {

std::string encode_properties(const DatabaseProperties& properties);
// Throws Error(integrity) for text that encode_properties did not write.
DatabaseProperties decode_properties(std::string_view json);

}  // namespace bkp
