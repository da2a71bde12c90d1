// The JSON documents of commands that look after catalog and storages; as json.h has those of the
// others.
#pragma once

#include <string>
#include <vector>

#include "backup/rebuild.h"
#include "backup/remove.h"
#include "monitor/status.h"

namespace bkp {

// What would be removed, and what came of it: each backup with "storages", "relies_on" and
// "refusal", or with "removals", one a storage.
std::string removals_json(const std::vector<Removal>& removals);
std::string removed_json(const std::vector<RemoveResult>& results);
std::string rebuild_json(const RebuildResult& result);
// "before" and "version" of the schema.
std::string migration_json(int before, int version);
std::string status_json(const Status& status);

}  // namespace bkp
