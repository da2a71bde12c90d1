// Records as JSON, as --json prints them: fields in the order in which they are told, times in
// RFC 3339 and UTC, null for what is not there.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "catalog/records.h"

namespace bkp {

// The result holds valid UTF-8 only, so that its dump() does not throw.
nlohmann::ordered_json to_json(const BackupRecord& backup);
nlohmann::ordered_json to_json(const CopyRecord& copy);
nlohmann::ordered_json to_json(const RestoreRecord& restore);
nlohmann::ordered_json to_json(const AlertRecord& alert);
nlohmann::ordered_json to_json(const RunRecord& run);

}  // namespace bkp
