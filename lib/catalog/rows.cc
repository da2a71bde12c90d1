#include "catalog/rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/utf8.h"

namespace bkp {

namespace {

constexpr std::string_view kBackupColumns[] = {"id",
                                               "cluster",
                                               "type",
                                               "status",
                                               "database",
                                               "tenant",
                                               "filename",
                                               "size_bytes",
                                               "plain_size_bytes",
                                               "checksum",
                                               "plain_checksum",
                                               "compression_ratio",
                                               "duration_seconds",
                                               "created_at",
                                               "completed_at",
                                               "verified_at",
                                               "proved_at",
                                               "deleted_at",
                                               "created_by",
                                               "host",
                                               "job_id",
                                               "note",
                                               "error",
                                               "held",
                                               "metadata"};
constexpr std::string_view kCopyColumns[] = {"backup_id",  "storage", "path",       "state",
                                             "size_bytes", "etag",    "checked_at", "error"};
constexpr std::string_view kRestoreColumns[] = {
    "id",      "backup_id", "mode",          "source_storage", "target",
    "reason",  "actor",     "host",          "started_at",     "finished_at",
    "outcome", "error",     "rows_restored", "bytes_restored", "duration_seconds",
    "details"};
constexpr std::string_view kAlertColumns[] = {
    "id",      "dedup_key", "type",        "severity", "state",   "message",     "backup_id",
    "storage", "run_id",    "occurrences", "first_at", "last_at", "resolved_at", "details"};
constexpr std::string_view kRunColumns[] = {"id",        "command", "arguments",  "host",
                                            "actor",     "pid",     "started_at", "finished_at",
                                            "exit_code", "message", "statistics"};

SqlValue whole(std::int64_t number) { return number; }

// The values of one row, asked for one after the other.
class RowReader {
 public:
  explicit RowReader(const SqlRow& row) : row_(row) {}

  std::string text() { return take<std::string>(); }
  std::int64_t integer() { return take<std::int64_t>(); }
  std::uint64_t size() { return static_cast<std::uint64_t>(integer()); }
  bool flag() { return integer() != 0; }
  double real() {
    // A database may give a whole number back as an integer.
    const SqlValue& value = next();
    if (const auto* number = std::get_if<double>(&value)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return double(*number);
    throw damaged();
  }
  TimePoint time() { return parse_rfc3339(text()); }
  std::optional<TimePoint> optional_time() {
    if (is_null()) return std::nullopt;
    return time();
  }
  std::optional<int> optional_integer() {
    if (is_null()) return std::nullopt;
    return static_cast<int>(integer());
  }

 private:
  static Error damaged() {
    return {ErrorCode::failed, "a row of the catalog does not hold what it should"};
  }
  const SqlValue& next() {
    if (at_ >= row_.size()) throw damaged();
    return row_[at_++];
  }
  bool is_null() {
    const bool null = std::holds_alternative<std::nullptr_t>(next());
    if (!null) --at_;
    return null;
  }
  template <typename T>
  const T& take() {
    const auto* value = std::get_if<T>(&next());
    if (!value) throw damaged();
    return *value;
  }

  const SqlRow& row_;
  std::size_t at_ = 0;
};

}  // namespace

const Table kBackups{"backups", 1, kBackupColumns};
const Table kCopies{"copies", 2, kCopyColumns};
const Table kRestores{"restores", 1, kRestoreColumns};
const Table kAlerts{"alerts", 1, kAlertColumns};
const Table kRuns{"runs", 1, kRunColumns};

std::string select_from(const Table& table) {
  return fmt::format("SELECT {} FROM {}", fmt::join(table.columns, ", "), table.name);
}

std::string upsert_into(const Table& table) {
  std::vector<std::string> places;
  std::vector<std::string> changes;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    places.push_back(fmt::format("${}", i + 1));
    if (i >= table.keys) changes.push_back(fmt::format("{0} = excluded.{0}", table.columns[i]));
  }
  return fmt::format("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}",
                     table.name, fmt::join(table.columns, ", "), fmt::join(places, ", "),
                     fmt::join(table.columns.first(table.keys), ", "), fmt::join(changes, ", "));
}

SqlValue to_sql(TimePoint time) { return format_utc(time); }
SqlValue to_sql(const std::optional<TimePoint>& time) {
  return time ? to_sql(*time) : SqlValue(nullptr);
}
SqlValue to_sql(std::uint64_t number) { return static_cast<std::int64_t>(number); }
SqlValue to_sql(std::string_view text) { return valid_utf8(text); }

std::vector<SqlValue> to_row(const BackupRecord& b) {
  return {to_sql(b.id),
          to_sql(b.cluster),
          to_sql(to_text(b.type)),
          to_sql(to_text(b.status)),
          to_sql(b.database),
          to_sql(b.tenant),
          to_sql(b.filename),
          to_sql(b.size_bytes),
          to_sql(b.plain_size_bytes),
          to_sql(b.checksum),
          to_sql(b.plain_checksum),
          b.compression_ratio,
          b.duration_seconds,
          to_sql(b.created_at),
          to_sql(b.completed_at),
          to_sql(b.verified_at),
          to_sql(b.proved_at),
          to_sql(b.deleted_at),
          to_sql(b.created_by),
          to_sql(b.host),
          to_sql(b.job_id),
          to_sql(b.note),
          to_sql(b.error),
          whole(b.held ? 1 : 0),
          to_sql(b.metadata)};
}

BackupRecord to_backup(const SqlRow& row) {
  RowReader from(row);
  BackupRecord b;
  b.id = from.text();
  b.cluster = from.text();
  b.type = parse_backup_type(from.text());
  b.status = parse_backup_status(from.text());
  b.database = from.text();
  b.tenant = from.text();
  b.filename = from.text();
  b.size_bytes = from.size();
  b.plain_size_bytes = from.size();
  b.checksum = from.text();
  b.plain_checksum = from.text();
  b.compression_ratio = from.real();
  b.duration_seconds = from.real();
  b.created_at = from.time();
  b.completed_at = from.optional_time();
  b.verified_at = from.optional_time();
  b.proved_at = from.optional_time();
  b.deleted_at = from.optional_time();
  b.created_by = from.text();
  b.host = from.text();
  b.job_id = from.text();
  b.note = from.text();
  b.error = from.text();
  b.held = from.flag();
  b.metadata = from.text();
  return b;
}

std::vector<SqlValue> to_row(std::string_view backup_id, const CopyRecord& c) {
  return {to_sql(backup_id),    to_sql(c.storage), to_sql(c.path),       to_sql(to_text(c.state)),
          to_sql(c.size_bytes), to_sql(c.etag),    to_sql(c.checked_at), to_sql(c.error)};
}

std::pair<std::string, CopyRecord> to_copy(const SqlRow& row) {
  RowReader from(row);
  std::string id = from.text();
  CopyRecord c;
  c.storage = from.text();
  c.path = from.text();
  c.state = parse_copy_state(from.text());
  c.size_bytes = from.size();
  c.etag = from.text();
  c.checked_at = from.optional_time();
  c.error = from.text();
  return {std::move(id), std::move(c)};
}

std::vector<SqlValue> to_row(const RestoreRecord& r) {
  return {to_sql(r.id),         to_sql(r.backup_id),   to_sql(r.mode),     to_sql(r.source_storage),
          to_sql(r.target),     to_sql(r.reason),      to_sql(r.actor),    to_sql(r.host),
          to_sql(r.started_at), to_sql(r.finished_at), to_sql(r.outcome),  to_sql(r.error),
          to_sql(r.rows),       to_sql(r.bytes),       r.duration_seconds, to_sql(r.details)};
}

RestoreRecord to_restore(const SqlRow& row) {
  RowReader from(row);
  RestoreRecord r;
  r.id = from.text();
  r.backup_id = from.text();
  r.mode = from.text();
  r.source_storage = from.text();
  r.target = from.text();
  r.reason = from.text();
  r.actor = from.text();
  r.host = from.text();
  r.started_at = from.time();
  r.finished_at = from.optional_time();
  r.outcome = from.text();
  r.error = from.text();
  r.rows = from.size();
  r.bytes = from.size();
  r.duration_seconds = from.real();
  r.details = from.text();
  return r;
}

std::vector<SqlValue> to_row(const AlertRecord& a) {
  return {to_sql(a.id),
          to_sql(a.dedup_key),
          to_sql(a.type),
          to_sql(to_text(a.severity)),
          to_sql(to_text(a.state)),
          to_sql(a.message),
          to_sql(a.backup_id),
          to_sql(a.storage),
          to_sql(a.run_id),
          to_sql(a.count),
          to_sql(a.first_at),
          to_sql(a.last_at),
          to_sql(a.resolved_at),
          to_sql(a.details)};
}

AlertRecord to_alert(const SqlRow& row) {
  RowReader from(row);
  AlertRecord a;
  a.id = from.text();
  a.dedup_key = from.text();
  a.type = from.text();
  a.severity = parse_alert_severity(from.text());
  a.state = parse_alert_state(from.text());
  a.message = from.text();
  a.backup_id = from.text();
  a.storage = from.text();
  a.run_id = from.text();
  a.count = from.size();
  a.first_at = from.time();
  a.last_at = from.time();
  a.resolved_at = from.optional_time();
  a.details = from.text();
  return a;
}

std::vector<SqlValue> to_row(const RunRecord& r) {
  return {to_sql(r.id),
          to_sql(r.command),
          to_sql(r.arguments),
          to_sql(r.host),
          to_sql(r.actor),
          whole(r.pid),
          to_sql(r.started_at),
          to_sql(r.finished_at),
          r.exit_code ? whole(*r.exit_code) : SqlValue(nullptr),
          to_sql(r.message),
          to_sql(r.statistics)};
}

RunRecord to_run(const SqlRow& row) {
  RowReader from(row);
  RunRecord r;
  r.id = from.text();
  r.command = from.text();
  r.arguments = from.text();
  r.host = from.text();
  r.actor = from.text();
  r.pid = from.integer();
  r.started_at = from.time();
  r.finished_at = from.optional_time();
  r.exit_code = from.optional_integer();
  r.message = from.text();
  r.statistics = from.text();
  return r;
}

}  // namespace bkp
