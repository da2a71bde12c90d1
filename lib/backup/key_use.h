// What would not open any more without one key: asked before a key is retired.
#pragma once

#include <string>
#include <vector>

#include "catalog/records.h"
#include "repo/repository.h"

namespace bkp {

struct KeyUse {
  // Copies that open by this key and by no other that is in use: manifests, and objects that have
  // none, by the slots in their header.
  std::vector<std::string> needed_by;
  // What could not be told: storages that do not answer, manifests that do not read, backups that
  // are being written.
  std::vector<std::string> unknown;
};

// Looks at everything in every storage, whether the catalog knows it or not; `known`: what the
// catalog does know, for copies in storages that the configuration has no more.
KeyUse uses_of_key(Repository& repository, const Uuid& id, const std::vector<BackupRecord>& known);

// Throws Error(usage) where a storage or the catalog holds backups, or may hold them: they are
// sealed with another key than one that is made now. For a configuration whose key file is missing.
void refuse_unrelated_key(const Config& config);

}  // namespace bkp
