// What one storage tells to a host that knows nothing but the key.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "crypto/key.h"
#include "repo/cluster_file.h"
#include "storage/storage.h"

namespace bkp {

// The clusters whose backups a storage holds, by name. Lists all of it.
std::vector<ClusterFile> find_clusters(Storage& storage);

struct ClusterDescription {
  std::vector<StorageConfig> storages;  // as they were configured, without secrets
  std::string database;                 // of the newest backup; empty: there is none
};

// From the newest manifest that opens; empty where there is no backup. Throws what the newest says
// where none of the newest few opens: another cluster's key file, or damage.
ClusterDescription describe_cluster(Storage& storage, const std::string& cluster,
                                    const KeyRing& keys);

}  // namespace bkp
