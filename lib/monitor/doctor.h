// Everything that a backup or a restore will need, checked before: pure findings, each with its
// cure. Nothing here throws for what it looks for; what cannot be looked at is a finding too.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"

namespace bkp {

enum class FindingLevel { ok, warn, fail };

struct Finding {
  FindingLevel level = FindingLevel::ok;
  std::string subject;  // "key file", "storage 'r2'"
  std::string message;
  std::string cure;  // what to type or change; several lines of SQL where they are; empty for ok
};
using Findings = std::vector<Finding>;

// An active key that is older should be rotated.
inline constexpr std::chrono::hours kOldKey{90 * 24};
// The key file: there, private, one active key that is not old, the escrow keys.
Findings check_keys(const Config& config, const Clock& clock);
// The server: reachable, a version that this program knows, pg_dump and pg_restore of its major;
// what the role may read of each database that `dump --all` takes; whether it may read passwords.
Findings check_server(const Config& config);
// The role that restores: may create databases, and give what is in the newest backup to its
// owners.
Findings check_restore_role(const Config& config, const Clock& clock);
// The catalog: opens, takes writes, is undamaged.
Findings check_catalog(const Config& config);
// Each storage, all at once: answers, is this cluster's, takes, returns and removes an object,
// refuses to overwrite one, its clock, its space against the last whole backup's size;
// the newest backups in it open by the key file.
Findings check_storages(const Config& config, const Clock& clock);
// Room for a restore's spool: against the largest backup's plain size.
Findings check_spool(const Config& config);

// All of the above in that order.
Findings examine(const Config& config, const Clock& clock);

}  // namespace bkp
