// Which copies of backups have had their time, and why each of the others stays. Pure: facts and
// the time come in, decisions with reasons go out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "catalog/records.h"

namespace bkp {

// How long one kind is kept in one storage. Whichever keeps longer decides.
struct Keep {
  std::optional<Seconds> age;  // from the beginning of the backup; nullopt: for ever
  unsigned last = 0;           // this many of the newest good ones, however old
  friend bool operator==(const Keep&, const Keep&) = default;
};

// One storage's rules. A type without a rule is kept for ever.
struct StorageRetention {
  std::string storage;
  std::map<BackupType, Keep> keep;
};

struct RetentionCopy {
  std::string storage;
  bool good = true;      // known damaged ones, and those that lack objects, are not
  bool removed = false;  // its time was over, or someone removed it: it is not to come back
};

// One backup that has a manifest somewhere.
struct RetentionBackup {
  std::string id;
  BackupType type = BackupType::full_database;
  // What it is a backup of, within its type: the database, database and tenant, the host. The last
  // good copy of each subject stays in each storage.
  std::string subject;
  TimePoint created_at;
  bool verified = false;  // VERIFIED: every copy was good when last looked at
  bool held = false;
  std::vector<std::string> needs;  // ids of those without which it cannot be restored
  std::vector<RetentionCopy> copies;
};

enum class KeepReason {
  held,           // by `bkp hold`
  young,          // its time is not over
  grace,          // it is verified, and that time is not over
  newest,         // one of the newest that keep_last keeps
  last_good,      // no newer good copy of its subject is in this storage
  last_verified,  // no newer verified one is in this storage
  needed,         // by a backup that stays in this storage
  only_copy,      // another storage is to keep this backup and has no good copy yet
  no_rule,        // nothing says how long
};

struct CopyDecision {
  std::string backup;
  std::string storage;
  bool keep = true;
  KeepReason reason = KeepReason::young;  // why it stays
  std::string because_of;                 // the backup that needs it, the storage that lacks it
  Seconds age{};
  std::optional<Seconds> limit;  // of age, for this copy; with verified_grace where it has it
};

struct RetentionRules {
  std::vector<StorageRetention> storages;
  Seconds verified_grace{};  // a verified backup is kept this much longer
};

// One decision for each copy in a storage that has rules, oldest backup first, storages in the
// order of the rules; a copy elsewhere is nobody's to remove.
//
// A copy is kept while it is held or young, while it is among the newest `last` good ones of its
// subject, as the last good and the last verified one of its subject there, while a backup that is
// kept there needs it, and while a storage whose own rules keep this backup has no good copy of it
// and no other copy that stays is good. Time never outweighs the last: where backups have stopped,
// what there is stays.
std::vector<CopyDecision> plan_retention(const std::vector<RetentionBackup>& backups,
                                         const RetentionRules& rules, TimePoint now);

// A copy that a storage is to have and has not.
struct LackingCopy {
  std::string backup;
  std::string storage;
  friend bool operator==(const LackingCopy&, const LackingCopy&) = default;
};

// What `bkp sync` brings: for each backup of which a good copy is somewhere, the storages whose
// rules keep it, or whose newest of its subject it would be, and that have no good copy. Newest
// backup first: it is what a disaster would be answered with.
std::vector<LackingCopy> plan_sync(const std::vector<RetentionBackup>& backups,
                                   const RetentionRules& rules, TimePoint now);

// "the last good copy of its kind in this storage", for people.
std::string describe(const CopyDecision& decision);

}  // namespace bkp
