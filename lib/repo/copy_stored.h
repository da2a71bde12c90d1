// One more copy of a backup, made of another copy's stored bytes: nothing is opened, so it is the
// same to the byte.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/log.h"
#include "repo/repository.h"

namespace bkp {

// Writes data objects and then the manifest of `manifest`'s backup to storage `to`, over whatever
// lies there under these names. Every object's SHA-256 is compared with the manifest before it is
// finished; where a storage of `from` (best first) does not have it whole, the next one is asked,
// and `bad` gets what was found. In memory is a block at a time. No heartbeat is needed: another
// storage has the manifest, so nobody takes for an orphan what a killed run leaves, and the next
// one overwrites it.
// Returns the storages that served. Throws Error: integrity when no storage has an object whole,
// failed when none answered, or when `to` does not take it.
std::vector<std::string> copy_stored(const Repository& repository, const Manifest& manifest,
                                     const std::vector<std::string>& from, const std::string& to,
                                     Log& log, std::vector<CopyCheck>& bad);

}  // namespace bkp
