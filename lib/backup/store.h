// How a backup of any kind comes about: on record, streamed into every storage, made to exist by
// its manifest, told to the catalog, read back. What is backed up is a stream; all promises are
// here.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup/context.h"
#include "base/error.h"
#include "stream/stream.h"

namespace bkp {

struct BackupSubject {
  BackupType type = BackupType::full_database;
  std::string database;  // empty where it is of none
  std::string tenant;
  Compression compression;
  std::string note;
  std::string title;  // in messages: "database 'shop'"
  std::string work;   // in the progress bar: "dump shop"
};

// The plain bytes of one backup. 0 from read() only when all of them came and were good.
class BackupStream : public Source {
 public:
  // Fills what the manifest says of the source. Called once, after read() returned 0.
  virtual void describe(Manifest& manifest) const = 0;
  // What the backup should have and has not, though it is good: the run's exit status is 3 then.
  virtual std::vector<std::string> shortcomings() const { return {}; }
  // What is being read, for the progress bar; or empty.
  virtual std::string current_part() const { return {}; }
};

struct StoredBackup {
  BackupRecord backup;                // as the catalog has it: VERIFIED, COMPLETED or FAILED
  std::optional<Error> error;         // why there is no backup
  std::vector<std::string> warnings;  // copies that are not there or do not verify; shortcomings
};

// Opens the stream; `begun` has the backup's id, cluster and times.
using OpenStream = std::function<std::unique_ptr<BackupStream>(const Manifest& begun)>;

// Never throws for what happens to the backup: a failure is in the result, in the catalog and in an
// alert, which the next good backup of the same resolves.
StoredBackup store_backup(Context& context, const BackupSubject& subject, const OpenStream& open);

// The key of the alert that a backup has fewer copies than storages: one a type and subject.
std::string copy_missing_key(const BackupRecord& backup);

// Around a run's backups of one type; the caller holds that type's lock. What killed runs left
// nearby is cleared away before, because it takes the room that this run needs; in other storages
// after, and only in those that were seen to answer, because nothing may wait for them.
void begin_run(Context& context, BackupType type);
void end_run(Context& context, BackupType type, const std::vector<StoredBackup>& results);

// What a command that made these ends with: 0, 1 when all failed with that code, 3 when some did or
// copies are missing, 4 when a fresh copy does not verify.
int stored_exit_code(const std::vector<StoredBackup>& results);

}  // namespace bkp
