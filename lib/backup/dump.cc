#include "backup/dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "backup/dump_source.h"
#include "backup/record.h"
#include "backup/selection.h"
#include "backup/sweep.h"
#include "backup/verify.h"
#include "base/interrupt.h"
#include "pg/connection.h"
#include "pg/dump_access.h"
#include "repo/heartbeat.h"
#include "repo/layout.h"

namespace bkp {
namespace {

// Tells the log how far the stream is, a few times a second.
class ProgressSource final : public Source {
 public:
  ProgressSource(DumpSource& from, Log& log, std::string what,
                 std::optional<std::uint64_t> expected)
      : from_(from), log_(log), what_(std::move(what)), expected_(expected) {}

  std::size_t read(std::span<std::byte> out) override {
    const std::size_t count = from_.read(out);
    done_ += count;
    const auto now = std::chrono::steady_clock::now();
    if (count == 0 || now - told_ >= std::chrono::milliseconds(200)) {
      const std::string table = from_.current_table();
      log_.progress(table.empty() ? what_ : what_ + " " + table, done_,
                    count == 0 ? std::optional(done_) : expected_);
      told_ = now;
    }
    return count;
  }

 private:
  DumpSource& from_;
  Log& log_;
  std::string what_;
  std::optional<std::uint64_t> expected_;
  std::uint64_t done_ = 0;
  std::chrono::steady_clock::time_point told_{};
};

// How large the last dump of the database was: what the progress bar measures against.
std::optional<std::uint64_t> expected_size(const Catalog& catalog, const std::string& database) {
  BackupFilter filter;
  filter.type = BackupType::full_database;
  filter.database = database;
  filter.limit = 5;
  for (const BackupRecord& backup : catalog.backups(filter))
    if (backup.plain_size_bytes > 0) return backup.plain_size_bytes;
  return std::nullopt;
}

std::string storage_definitions(const Config& config) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const StorageConfig& storage : config.storages) {
    nlohmann::ordered_json entry;
    entry["name"] = storage.name;
    entry["type"] = storage.type == StorageType::local ? "local" : "s3";
    if (storage.type == StorageType::local) {
      entry["path"] = storage.path.string();
    } else {
      entry["endpoint"] = storage.endpoint;
      entry["region"] = storage.region;
      entry["bucket"] = storage.bucket;
      entry["prefix"] = storage.prefix;
    }
    list.push_back(std::move(entry));
  }
  return list.dump();
}

AlertRecord dump_alert(const Context& context, const BackupRecord& backup, std::string type,
                       AlertSeverity severity, std::string message) {
  AlertRecord alert;
  alert.id = Uuid::random().text();
  alert.dedup_key = fmt::format("{}:{}:{}", type, to_text(backup.type), backup.database);
  alert.type = std::move(type);
  alert.severity = severity;
  alert.message = std::move(message);
  alert.backup_id = backup.id;
  alert.run_id = context.job_id;
  alert.first_at = alert.last_at = context.clock.now();
  return alert;
}

BackupRecord begin_record(const Context& context, const DumpRequest& request,
                          const std::string& database, const Uuid& id) {
  BackupRecord backup;
  backup.id = id.text();
  backup.cluster = context.config.cluster;
  backup.type = BackupType::full_database;
  backup.status = BackupStatus::in_progress;
  backup.database = database;
  backup.created_at = context.clock.now();
  backup.created_by = context.actor;
  backup.host = host_name();
  backup.job_id = context.job_id;
  backup.note = request.note;
  return backup;
}

Manifest begin_manifest(const Context& context, const BackupRecord& backup, const Uuid& id) {
  Manifest manifest;
  manifest.id = id;
  manifest.type = backup.type;
  manifest.cluster = backup.cluster;
  manifest.cluster_uuid = context.repository.cluster_uuid();
  manifest.created_at = backup.created_at;
  manifest.codec = context.config.compress_dump.codec;
  manifest.compression = to_string(context.config.compress_dump);
  manifest.suite = parse_suite(context.config.cipher);
  manifest.bkp_version = BKP_VERSION;
  manifest.database = backup.database;
  manifest.note = backup.note;
  manifest.created_by = backup.created_by;
  manifest.host = backup.host;
  manifest.job_id = backup.job_id;
  manifest.storages = storage_definitions(context.config);
  return manifest;
}

// Data, then manifest: after this the backup exists.
Manifest store(Context& context, const BackupRecord& backup, std::vector<CopyOutcome>& copies) {
  const Uuid id = *Uuid::parse(backup.id);
  Manifest manifest = begin_manifest(context, backup, id);
  const std::string stem = backup_stem(context.config.cluster, backup.type, backup.created_at, id);
  DumpSource source(context, backup.database);
  ProgressSource watched(source, context.log, "dump " + backup.database,
                         expected_size(context.catalog, backup.database));
  Repository::PutOptions options;
  options.stem = stem;
  options.type = backup.type;
  options.backup = id;
  options.compression = context.config.compress_dump;
  options.minimum = context.config.copies_minimum;
  PutResult put = context.repository.put(options, watched);
  source.describe(manifest);
  manifest.objects = std::move(put.objects);
  manifest.plain_size = put.plain_size;
  manifest.plain_sha256 = put.plain_sha256;
  manifest.completed_at = context.clock.now();
  copies = std::move(put.copies);
  context.repository.commit(manifest, stem, context.config.copies_minimum, copies);
  return manifest;
}

void add_copies(BackupRecord& backup, const Manifest& manifest,
                const std::vector<CopyOutcome>& copies) {
  for (const CopyOutcome& copy : copies) {
    CopyRecord record;
    record.storage = copy.storage;
    record.path = manifest.objects.front().name;
    record.state = copy.ok() ? CopyState::good : CopyState::failed;
    record.size_bytes = copy.ok() ? manifest.stored_size() : 0;
    record.error = copy.error;
    backup.copies.push_back(std::move(record));
  }
}

// Reads fresh copies back as [verify] after says.
void verify_fresh(Context& context, const Manifest& manifest, DumpResult& result) {
  std::vector<StorageDepth> depths;
  for (const CopyRecord& copy : result.backup.copies)
    if (copy.state == CopyState::good)
      if (const auto depth = depth_after_backup(context.config, copy.storage))
        depths.push_back({copy.storage, *depth});
  if (depths.empty()) return;
  VerifyResult verified = verify_backup(context, result.backup, manifest, depths);
  for (const CopyCheck& copy : verified.copies)
    if (copy.state != CopyState::good)
      result.warnings.push_back(fmt::format("copy in '{}': {}", copy.storage, copy.problem));
  result.backup = std::move(verified.backup);
}

void tell_missing_copies(Context& context, DumpResult& result) {
  std::string missing;
  for (const CopyRecord& copy : result.backup.copies)
    if (copy.state == CopyState::failed) {
      result.warnings.push_back(fmt::format("no copy in '{}': {}", copy.storage, copy.error));
      missing += (missing.empty() ? "" : "; ") + result.warnings.back();
    }
  const AlertRecord alert =
      dump_alert(context, result.backup, "MISSING_COPY", AlertSeverity::warning,
                 fmt::format("backup of database '{}' has fewer copies than storages: {}",
                             result.backup.database, missing));
  if (missing.empty())
    context.catalog.resolve_alert(alert.dedup_key, context.clock.now());
  else
    context.catalog.raise_alert(alert);
}

void record_failure(Context& context, DumpResult& result) {
  result.backup.status = BackupStatus::failed;
  result.backup.error = result.error->message();
  result.backup.duration_seconds =
      std::chrono::duration<double>(context.clock.now() - result.backup.created_at).count();
  context.catalog.put_backup(result.backup);
  context.catalog.raise_alert(
      dump_alert(context, result.backup, "BACKUP_FAILURE", AlertSeverity::critical,
                 fmt::format("dump of database '{}' failed: {}", result.backup.database,
                             result.error->message())));
}

DumpResult dump_one(Context& context, const DumpRequest& request, const std::string& database) {
  const Uuid id = Uuid::random();
  DumpResult result;
  result.backup = begin_record(context, request, database, id);
  context.catalog.put_backup(result.backup);
  const auto fail = [&](const Error& error) {
    const InterruptShield shield;
    if (is_whole(result.backup)) {  // the backup stands; what came after it failed
      result.warnings.push_back(error.message());
      return;
    }
    result.error = error;
    record_failure(context, result);
  };
  try {
    std::vector<CopyOutcome> copies;
    const Manifest manifest = store(context, result.backup, copies);
    result.backup = record_of(manifest);
    add_copies(result.backup, manifest, copies);
    context.catalog.put_backup(result.backup);
    context.repository.end_heartbeats(stem_of(manifest.objects.front().name), copies);
    context.catalog.resolve_alert(
        dump_alert(context, result.backup, "BACKUP_FAILURE", AlertSeverity::critical, "").dedup_key,
        context.clock.now());
    tell_missing_copies(context, result);
    verify_fresh(context, manifest, result);
  } catch (const Error& error) {
    fail(error);
  } catch (const std::exception&) {  // out of memory: on record too, and the next one's turn
    fail(Error(ErrorCode::failed, describe(std::current_exception())));
  }
  return result;
}

std::vector<std::string> local_storages(const Config& config) {
  std::vector<std::string> names;
  for (const StorageConfig& storage : config.storages)
    if (storage.type == StorageType::local) names.push_back(storage.name);
  return names;
}

std::vector<std::string> remote_storages_that_took(const Config& config,
                                                   const std::vector<DumpResult>& results) {
  std::vector<std::string> names;
  for (const DumpResult& result : results)
    for (const CopyRecord& copy : result.backup.copies)
      if (copy.state == CopyState::good &&
          config.storage(copy.storage).type != StorageType::local &&
          std::find(names.begin(), names.end(), copy.storage) == names.end())
        names.push_back(copy.storage);
  return names;
}

std::vector<std::string> databases_of(const Context& context, const DumpRequest& request) {
  for (const std::string& database : request.databases)
    if (database.empty())
      throw Error(ErrorCode::usage, "'' cannot be a database's name",
                  "a variable without a value? no '--db' at all means the conninfo's database");
  if (!request.all && !request.databases.empty()) return request.databases;
  PgConnection connection(context.config.conninfo);
  if (request.all) return dumpable_databases(connection);
  return {connection.database()};
}

}  // namespace

std::vector<DumpResult> dump(Context& context, const DumpRequest& request) {
  const std::vector<std::string> databases = databases_of(context, request);
  // Nearby storages before, because what is left there takes the room that this run needs; the
  // others after, and only those that were seen to answer, because nothing may wait for them.
  close_interrupted(context, BackupType::full_database);
  sweep(context, BackupType::full_database, local_storages(context.config));
  std::vector<DumpResult> results;
  for (const std::string& database : databases) {
    results.push_back(dump_one(context, request, database));
    if (interrupt_signal() != 0) return results;
  }
  sweep(context, BackupType::full_database, remote_storages_that_took(context.config, results));
  return results;
}

int dump_exit_code(const std::vector<DumpResult>& results) {
  std::size_t failed = 0;
  int code = 0;
  int failure = 0;
  for (const DumpResult& result : results) {
    if (result.error) {
      ++failed;
      failure = static_cast<int>(result.error->code());
      continue;
    }
    for (const CopyRecord& copy : result.backup.copies)
      if (copy.state == CopyState::damaged || copy.state == CopyState::missing) code = 4;
    if (!result.warnings.empty() && code == 0) code = 3;
  }
  if (failed == results.size()) return failure;
  if (failed > 0 && code == 0) code = 3;
  return code;
}

}  // namespace bkp
