// <cluster>/cluster.json: says that a storage is this cluster's, and which cluster it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"

namespace bkp {

struct ClusterFile {
  int format = 1;
  std::string name;
  Uuid uuid;
  std::vector<std::string> system_identifiers;  // oldest first
  std::vector<std::string> hosts;               // that write
  friend bool operator==(const ClusterFile&, const ClusterFile&) = default;
};

std::string encode_cluster_file(const ClusterFile& file);
// Throws Error(integrity) for what is not one, Error(failed) for a newer format.
ClusterFile decode_cluster_file(std::string_view text);

}  // namespace bkp
