#include "catalog/record_json.h"

#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace bkp {

namespace {

using Json = nlohmann::ordered_json;

Json text(std::string_view value) { return valid_utf8(value); }
Json time(TimePoint value) { return format_utc(value); }
Json time(const std::optional<TimePoint>& value) { return value ? time(*value) : Json(); }

// What the program itself stored as an object; anything else is shown as it is.
Json object(const std::string& stored) {
  Json parsed = Json::parse(valid_utf8(stored), nullptr, false);
  return parsed.is_object() ? parsed : Json{{"text", text(stored)}};
}

}  // namespace

nlohmann::ordered_json to_json(const CopyRecord& copy) {
  return {{"storage", text(copy.storage)},
          {"path", text(copy.path)},
          {"state", to_text(copy.state)},
          {"size_bytes", copy.size_bytes},
          {"checked_at", time(copy.checked_at)},
          {"etag", text(copy.etag)},
          {"error", text(copy.error)}};
}

nlohmann::ordered_json to_json(const BackupRecord& backup) {
  Json copies = Json::array();
  for (const CopyRecord& copy : backup.copies) copies.push_back(to_json(copy));
  return {{"id", text(backup.id)},
          {"cluster", text(backup.cluster)},
          {"type", to_text(backup.type)},
          {"status", to_text(backup.status)},
          {"database", text(backup.database)},
          {"tenant", text(backup.tenant)},
          {"filename", text(backup.filename)},
          {"size_bytes", backup.size_bytes},
          {"plain_size_bytes", backup.plain_size_bytes},
          {"checksum", text(backup.checksum)},
          {"plain_checksum", text(backup.plain_checksum)},
          {"compression_ratio", backup.compression_ratio},
          {"duration_seconds", backup.duration_seconds},
          {"created_at", time(backup.created_at)},
          {"completed_at", time(backup.completed_at)},
          {"verified_at", time(backup.verified_at)},
          {"proved_at", time(backup.proved_at)},
          {"deleted_at", time(backup.deleted_at)},
          {"created_by", text(backup.created_by)},
          {"host", text(backup.host)},
          {"job_id", text(backup.job_id)},
          {"note", text(backup.note)},
          {"error", text(backup.error)},
          {"held", backup.held},
          {"metadata", object(backup.metadata)},
          {"copies", std::move(copies)}};
}

nlohmann::ordered_json to_json(const RestoreRecord& restore) {
  return {{"id", text(restore.id)},
          {"backup_id", text(restore.backup_id)},
          {"mode", text(restore.mode)},
          {"source_storage", text(restore.source_storage)},
          {"target", text(restore.target)},
          {"reason", text(restore.reason)},
          {"actor", text(restore.actor)},
          {"host", text(restore.host)},
          {"started_at", time(restore.started_at)},
          {"finished_at", time(restore.finished_at)},
          {"outcome", text(restore.outcome)},
          {"error", text(restore.error)},
          {"rows", restore.rows},
          {"bytes", restore.bytes},
          {"duration_seconds", restore.duration_seconds},
          {"details", object(restore.details)}};
}

nlohmann::ordered_json to_json(const AlertRecord& alert) {
  return {{"id", text(alert.id)},
          {"dedup_key", text(alert.dedup_key)},
          {"type", text(alert.type)},
          {"severity", to_text(alert.severity)},
          {"state", to_text(alert.state)},
          {"message", text(alert.message)},
          {"backup_id", text(alert.backup_id)},
          {"storage", text(alert.storage)},
          {"run_id", text(alert.run_id)},
          {"count", alert.count},
          {"first_at", time(alert.first_at)},
          {"last_at", time(alert.last_at)},
          {"resolved_at", time(alert.resolved_at)},
          {"details", object(alert.details)}};
}

nlohmann::ordered_json to_json(const RunRecord& run) {
  return {{"id", text(run.id)},
          {"command", text(run.command)},
          {"arguments", text(run.arguments)},
          {"host", text(run.host)},
          {"actor", text(run.actor)},
          {"pid", run.pid},
          {"started_at", time(run.started_at)},
          {"finished_at", time(run.finished_at)},
          {"exit_code", run.exit_code ? Json(*run.exit_code) : Json()},
          {"message", text(run.message)},
          {"statistics", object(run.statistics)}};
}

}  // namespace bkp
