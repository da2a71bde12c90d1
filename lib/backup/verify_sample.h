// Which copies a check that is done again and again looks at, so that all get their turn.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "catalog/records.h"

namespace bkp {

struct SampledBackup {
  BackupRecord backup;
  std::vector<std::string> storages;  // in which its copy's turn has come
};

// Of each storage's copies `percent` (at least one, at most `limit`), those whose last check there
// is longest ago first. Each storage has a sample of its own: one that does not answer keeps no
// other waiting. Copies that were never made or are deleted are nobody's turn. In the order of
// `backups`.
std::vector<SampledBackup> sample_for_verify(const std::vector<BackupRecord>& backups,
                                             const std::vector<std::string>& storages,
                                             double percent, std::size_t limit);

}  // namespace bkp
