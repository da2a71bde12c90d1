// Manifests that are there get key slots for the keys that new backups are sealed for: the active
// one and the escrow keys. No data object is read or written.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/log.h"
#include "repo/repository.h"

namespace bkp {

enum class Doing { really, only_tell };

struct RewrapResult {
  std::size_t backups = 0;            // found in any storage
  std::size_t changed = 0;            // of which a manifest was written, or would be
  std::size_t written = 0;            // manifests
  std::vector<std::string> problems;  // storages and copies that were left as they are, and why
};

// Every manifest in every storage; each backup's is made once and replaces those that are others,
// one at a time, each at once: however this ends, every copy opens by what opened it before, and
// the next run goes on. A storage that does not answer is left to that run.
RewrapResult rewrap_backups(Repository& repository, Log& log, Doing doing);

}  // namespace bkp
