#include "backup/record.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "backup/configuration.h"
#include "backup/coverage.h"
#include "repo/layout.h"

namespace bkp {
namespace {

std::string metadata_of(const Manifest& manifest) {
  std::uint64_t rows = 0;
  for (const ManifestTable& table : manifest.tables) rows += table.rows;
  nlohmann::ordered_json json;
  json["compression"] = manifest.compression;
  json["cipher"] = suite_name(manifest.suite);
  json["bkp_version"] = manifest.bkp_version;
  json["server_version"] = manifest.server_version;
  json["tool_version"] = manifest.tool_version;
  json["archive_version"] = manifest.archive_version;
  json["system_identifier"] = manifest.system_identifier;
  json["objects"] = manifest.objects.size();
  if (has_configuration(manifest.details)) {
    const Configuration configuration = decode_configuration(manifest.details);
    json["files"] = configuration.entries.size();
    json["sealed_files"] =
        std::count_if(configuration.entries.begin(), configuration.entries.end(),
                      [](const ConfigurationEntry& entry) { return entry.secret.has_value(); });
    json["problems"] = configuration.problems();
    json["content_digest"] = to_hex(configuration.digest());
    return json.dump();
  }
  json["tables"] = manifest.tables.size();
  json["rows"] = rows;
  json["large_objects"] = manifest.large_objects;
  const Coverage coverage = coverage_of(manifest);
  if (!coverage.left_out.empty()) json["left_out"] = coverage.left_out;
  if (!coverage.digests) json["digests"] = false;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

BackupRecord record_of(const Manifest& manifest) {
  BackupRecord record;
  record.id = manifest.id.text();
  record.cluster = manifest.cluster;
  record.type = manifest.type;
  record.status = BackupStatus::completed;
  record.database = manifest.database;
  record.tenant = manifest.tenant;
  const std::string& name = manifest.objects.front().name;
  record.filename = name.substr(name.rfind('/') + 1);
  record.size_bytes = manifest.stored_size();
  record.plain_size_bytes = manifest.plain_size;
  record.checksum = manifest.checksum();
  record.plain_checksum = to_hex(manifest.plain_sha256);
  record.compression_ratio = static_cast<double>(manifest.plain_size) /
                             static_cast<double>(std::max<std::uint64_t>(record.size_bytes, 1));
  record.duration_seconds =
      std::chrono::duration<double>(manifest.completed_at - manifest.created_at).count();
  record.created_at = manifest.created_at;
  record.completed_at = manifest.completed_at;
  record.created_by = manifest.created_by;
  record.host = manifest.host;
  record.job_id = manifest.job_id;
  record.note = manifest.note;
  record.metadata = metadata_of(manifest);
  return record;
}

std::string stem_of(const BackupRecord& backup) {
  for (const CopyRecord& copy : backup.copies)
    if (const std::string stem = stem_of(copy.path); !stem.empty()) return stem;
  const std::optional<Uuid> id = Uuid::parse(backup.id);
  return id ? backup_stem(backup.cluster, backup.type, backup.created_at, *id) : std::string();
}

void describe_hold(BackupRecord& backup, const std::optional<Hold>& hold) {
  auto json = nlohmann::ordered_json::parse(backup.metadata, nullptr, false);
  if (!json.is_object()) json = nlohmann::ordered_json::object();
  for (const char* name : {"hold_reason", "held_by", "held_since"}) json.erase(name);
  backup.held = hold.has_value();
  if (hold) {
    json["hold_reason"] = hold->reason;
    json["held_by"] = hold->actor + " on " + hold->host;
    json["held_since"] = format_utc(hold->since);
  }
  backup.metadata = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace bkp
