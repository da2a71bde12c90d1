// What has to be there before the first backup: a key, a catalog, and this cluster's mark in every
// storage. What is there already stays.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "config/config.h"

namespace bkp {

struct SetupStep {
  std::string what;   // "key file", "catalog", "storage 'r2'"
  std::string where;  // a path, or endpoint and bucket
  enum class Outcome { made, kept, failed } outcome = Outcome::made;
  std::string problem;  // of a failed one
};

struct SetupResult {
  std::vector<SetupStep> steps;
  Uuid cluster;                                 // from cluster.json
  std::vector<std::string> system_identifiers;  // as PostgreSQL gave them
  // The catalog is new and a storage is not: its backups are to be adopted.
  bool found_backups = false;
};

// Makes the key file (0600), the catalog, each local storage's directory (0700), and cluster.json
// where there is none. A storage that does not answer is a failed step; the others go on.
// Throws Error(usage), having changed nothing, when storages hold different clusters of this name,
// when a storage holds this name's backups and the key file that opens them is not here, and when
// the catalog knows copies in a storage that has lost its mark (a disk that is not mounted).
// `system_identifier`: the server's, or empty; `host`: put on record as one that writes.
// With Identity::existing it is refused too when no storage has a mark and one did not answer: that
// one may have it, and a second identity would split the cluster.
enum class Identity { existing, may_be_new };
SetupResult set_up(const Config& config, const Clock& clock, const std::string& system_identifier,
                   const std::string& host, Identity identity = Identity::existing);

}  // namespace bkp
