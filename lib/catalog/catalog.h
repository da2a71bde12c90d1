// The catalog: an index of manifests plus history (restores, alerts, runs). It can be rebuilt from
// any one storage; losing it loses no backup.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/records.h"
#include "catalog/sql_database.h"

namespace bkp {

// The catalog knows no backup by that name; a storage may.
class NoSuchBackup : public Error {
 public:
  using Error::Error;
};

// Not thread-safe: one a thread. Several processes may use the same database at once. Everything
// throws Error(failed).
class Catalog {
 public:
  // Brings the schema to this program's version (migrations are numbered, each in a transaction);
  // a database of a newer program is refused. Several clusters may share a catalog: backups are
  // found and listed of this `cluster` alone; empty: of all.
  explicit Catalog(std::unique_ptr<SqlDatabase> database, std::string cluster = {});
  ~Catalog();
  Catalog(Catalog&&) noexcept;
  Catalog& operator=(Catalog&&) noexcept;

  // Backups, with their copies. put_* inserts or replaces by id (copies: by id and storage; a copy
  // that the record does not name stays as it is, and its end is the state DELETED).
  void put_backup(const BackupRecord& backup);
  void put_copy(std::string_view backup_id, const CopyRecord& copy);
  void remove_backup(std::string_view id);
  std::optional<BackupRecord> backup(std::string_view id) const;
  std::vector<BackupRecord> backups(const BackupFilter& filter) const;
  // By UUID, unambiguous prefix of one (4 characters or more), or file name; not DELETED ones
  // unless the UUID is whole. Throws NoSuchBackup, or Error(usage) naming them when several match.
  BackupRecord find_backup(std::string_view id_or_name) const;

  void put_restore(const RestoreRecord& restore);
  std::vector<RestoreRecord> restores(std::size_t limit) const;  // newest first

  // The open or acknowledged alert of this dedup_key gets count + 1, the new message with what it
  // is about (backup, storage, run, details), the new time and the higher severity; without one it
  // is inserted. Returns what is stored then.
  AlertRecord raise_alert(const AlertRecord& alert);
  // One that another catalog, or an earlier one, had: inserted, or in place of the one of its id.
  // An unresolved one of a key that another unresolved alert here has is left out: false.
  bool put_alert(const AlertRecord& alert);
  // Resolves the open or acknowledged alert of that key, if there is one.
  void resolve_alert(std::string_view dedup_key, TimePoint now);
  std::vector<AlertRecord> alerts(std::optional<AlertState> state) const;  // newest first

  void put_run(const RunRecord& run);
  std::vector<RunRecord> runs(std::size_t limit) const;  // newest first

  // Several changes as one.
  void transaction(const std::function<void()>& work);
  std::string describe() const;

 private:
  std::unique_ptr<SqlDatabase> database_;
  std::string cluster_;
};

// To look at the catalog of a URL, or to change it. One of an older bkp is brought up to date for
// looking too.
Catalog open_catalog(std::string_view url, SqlAccess access, std::string cluster = {});
// The version of the schema that a database has; 0: none yet.
int catalog_version(std::string_view url);

}  // namespace bkp
