#include "backup/discover.h"

#include <algorithm>
#include <array>
#include <exception>

#include "base/error.h"
#include "base/interrupt.h"
#include "repo/layout.h"
#include "repo/manifest.h"
#include "repo/storage_definitions.h"

namespace bkp {
namespace {

constexpr std::size_t kTries = 5;
constexpr std::size_t kMaxClusterFile = 1 << 20;

// Newest first: dumps, which name a database to connect to, before other types.
std::vector<std::string> newest_manifests(Storage& storage, const std::string& cluster) {
  constexpr std::array kTypes = {BackupType::full_database, BackupType::tenant_backup,
                                 BackupType::base, BackupType::configuration};
  std::vector<std::string> names;
  for (const BackupType type : kTypes) {
    std::vector<std::string> some;
    for (const Object& object : storage.list(type_prefix(cluster, type)))
      if (role_of(object.name) == ObjectRole::manifest) some.push_back(object.name);
    names.insert(names.end(), some.rbegin(), some.rend());  // names sort by time
  }
  if (names.size() > kTries) names.resize(kTries);
  return names;
}

}  // namespace

std::vector<ClusterFile> find_clusters(Storage& storage) {
  std::vector<ClusterFile> clusters;
  for (const Object& object : storage.list("")) {
    const std::size_t slash = object.name.find('/');
    if (slash == std::string::npos) continue;
    const std::string name = object.name.substr(0, slash);
    if (object.name != cluster_file_name(name)) continue;
    const auto text = read_object(storage, object.name, kMaxClusterFile);
    if (text) clusters.push_back(decode_cluster_file(as_text(*text)));
  }
  return clusters;
}

ClusterDescription describe_cluster(Storage& storage, const std::string& cluster,
                                    const KeyRing& keys) {
  std::exception_ptr first;
  for (const std::string& name : newest_manifests(storage, cluster)) {
    try {
      const auto text = read_object(storage, name, kMaxManifest);
      if (!text) continue;
      const Manifest manifest = decode_manifest(as_text(*text), keys);
      return {decode_storages(manifest.storages), manifest.database};
    } catch (const Error& error) {
      check_interrupt();
      if (!first) first = std::make_exception_ptr(error.within("manifest '" + name + "'"));
    }
  }
  if (first) std::rethrow_exception(first);
  return {};
}

}  // namespace bkp
