// The recovery kit: one text that, with any one storage, brings the company back on a new machine.
// It holds the key file, so whoever has it and a storage can read every backup.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "config/config.h"

namespace bkp {

struct RecoveryKit {
  TimePoint made_at;
  std::string host;
  Uuid cluster;
  std::vector<std::string> system_identifiers;
  std::string server;    // "PostgreSQL 15.20 at /var/run/postgresql", no password; may be empty
  std::string key_text;  // the key file's content
};

// No secret of a storage: those are asked of whoever runs it.
std::string recovery_kit_text(const Config& config, const RecoveryKit& kit);

}  // namespace bkp
