// What the catalog keeps: plain data whose field names are those of --json. Times are UTC, sizes
// bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace bkp {

enum class BackupType { full_database, tenant_backup, base, configuration };
enum class BackupStatus { pending, in_progress, completed, verified, failed, deleted };
// deleting: its removal was begun and is not done. absent: was never made there; so it is told, and
// not kept.
enum class CopyState { writing, good, missing, damaged, failed, deleting, deleted, absent };
enum class AlertSeverity { info, warning, critical };
enum class AlertState { open, acknowledged, resolved };

// "FULL_DATABASE", "COMPLETED", "GOOD", "CRITICAL", "OPEN" … and back (throw Error(failed)).
std::string_view to_text(BackupType);
std::string_view to_text(BackupStatus);
std::string_view to_text(CopyState);
std::string_view to_text(AlertSeverity);
std::string_view to_text(AlertState);
BackupType parse_backup_type(std::string_view);
BackupStatus parse_backup_status(std::string_view);
CopyState parse_copy_state(std::string_view);
AlertSeverity parse_alert_severity(std::string_view);
AlertState parse_alert_state(std::string_view);

// One backup in one storage.
struct CopyRecord {
  std::string storage;
  std::string path;  // the first data object's name
  CopyState state = CopyState::writing;
  std::uint64_t size_bytes = 0;
  std::string etag;  // of the first data object
  std::optional<TimePoint> checked_at;
  std::string error;  // why it is not GOOD
};

struct BackupRecord {
  std::string id;  // UUID
  std::string cluster;
  BackupType type = BackupType::full_database;
  BackupStatus status = BackupStatus::pending;
  std::string database;
  std::string tenant;
  std::string filename;          // the first data object's file name, without directories
  std::uint64_t size_bytes = 0;  // stored, one copy
  std::uint64_t plain_size_bytes = 0;
  std::string
      checksum;  // SHA-256 of the stored bytes, hexadecimal; of several objects: of their digests
  std::string plain_checksum;
  double compression_ratio = 0;  // plain / stored
  double duration_seconds = 0;
  TimePoint created_at;
  std::optional<TimePoint> completed_at;
  std::optional<TimePoint> verified_at;  // every copy was good then
  std::optional<TimePoint> proved_at;    // restored and compared then
  std::optional<TimePoint> deleted_at;
  std::string created_by;  // the actor
  std::string host;
  std::string job_id;  // the run that made it
  std::string note;
  std::string error;  // why FAILED
  bool held = false;
  std::string metadata = "{}";     // a JSON object: versions, tables, …
  std::vector<CopyRecord> copies;  // in no particular order
};

// One restore, begun or ended.
struct RestoreRecord {
  std::string id;
  std::string backup_id;
  std::string mode;            // "full", …
  std::string source_storage;  // the copy that served, several joined by ','
  std::string target;          // database
  std::string reason;
  std::string actor;
  std::string host;
  TimePoint started_at;
  std::optional<TimePoint> finished_at;
  std::string outcome;  // "RUNNING", "DONE", "FAILED", "DECLINED"
  std::string error;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  double duration_seconds = 0;
  std::string details = "{}";  // a JSON object
};

// What is wrong and since when; the same thing again raises the count of the open alert.
struct AlertRecord {
  std::string id;
  std::string dedup_key;  // one open or acknowledged alert a key
  std::string type;       // "INTEGRITY_FAILURE", "BACKUP_FAILURE", …
  AlertSeverity severity = AlertSeverity::warning;
  AlertState state = AlertState::open;
  std::string message;
  std::string backup_id;
  std::string storage;
  std::string run_id;
  std::uint64_t count = 1;
  TimePoint first_at;
  TimePoint last_at;
  std::optional<TimePoint> resolved_at;
  std::string details = "{}";
};

// One execution of a command that changes something.
struct RunRecord {
  std::string id;
  std::string command;
  std::string arguments;  // as typed, secrets never among them
  std::string host;
  std::string actor;
  std::int64_t pid = 0;
  TimePoint started_at;
  std::optional<TimePoint> finished_at;
  std::optional<int> exit_code;
  std::string message;  // the error, or a summary
  std::string statistics = "{}";
};

struct BackupFilter {
  std::optional<BackupType> type;
  std::optional<BackupStatus> status;
  std::optional<std::string> database;
  std::optional<std::string> tenant;
  std::optional<TimePoint> since;      // created_at ≥
  std::optional<TimePoint> until;      // created_at <
  std::optional<std::string> storage;  // has a copy there that is not DELETED
  bool include_deleted = false;
  enum class Sort { created, size, duration, database } sort = Sort::created;
  bool ascending = false;
  std::optional<std::size_t> limit;
};

}  // namespace bkp
