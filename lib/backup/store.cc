#include "backup/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "backup/record.h"
#include "backup/selection.h"
#include "backup/sweep.h"
#include "backup/verify.h"
#include "base/interrupt.h"
#include "repo/heartbeat.h"
#include "repo/layout.h"
#include "repo/storage_definitions.h"

namespace bkp {
namespace {

// Tells the log how far the stream is, a few times a second.
class ProgressSource final : public Source {
 public:
  ProgressSource(BackupStream& from, Log& log, std::string what,
                 std::optional<std::uint64_t> expected)
      : from_(from), log_(log), what_(std::move(what)), expected_(expected) {}

  std::size_t read(std::span<std::byte> out) override {
    const std::size_t count = from_.read(out);
    done_ += count;
    const auto now = std::chrono::steady_clock::now();
    if (count == 0 || now - told_ >= std::chrono::milliseconds(200)) {
      const std::string part = from_.current_part();
      log_.progress(part.empty() ? what_ : what_ + " " + part, done_,
                    count == 0 ? std::optional(done_) : expected_);
      told_ = now;
    }
    return count;
  }

 private:
  BackupStream& from_;
  Log& log_;
  std::string what_;
  std::optional<std::uint64_t> expected_;
  std::uint64_t done_ = 0;
  std::chrono::steady_clock::time_point told_{};
};

// How large the last backup of the same was: what the progress bar measures against.
std::optional<std::uint64_t> expected_size(const Catalog& catalog, const BackupRecord& begun) {
  BackupFilter filter;
  filter.type = begun.type;
  filter.database = begun.database;
  if (!begun.tenant.empty()) filter.tenant = begun.tenant;
  filter.limit = 5;
  for (const BackupRecord& backup : catalog.backups(filter))
    if (backup.plain_size_bytes > 0) return backup.plain_size_bytes;
  return std::nullopt;
}

// With the cluster: a catalog may be that of several, with databases of one name.
std::string alert_key(std::string_view type, const BackupRecord& backup) {
  return fmt::format("{}:{}:{}:{}{}{}", type, backup.cluster, to_text(backup.type), backup.database,
                     backup.tenant.empty() ? "" : ":", backup.tenant);
}

AlertRecord alert_of(const Context& context, const BackupRecord& backup, std::string type,
                     AlertSeverity severity, std::string message) {
  AlertRecord alert;
  alert.id = Uuid::random().text();
  alert.dedup_key = alert_key(type, backup);
  alert.type = std::move(type);
  alert.severity = severity;
  alert.message = std::move(message);
  alert.backup_id = backup.id;
  alert.run_id = context.job_id;
  alert.first_at = alert.last_at = context.clock.now();
  return alert;
}

BackupRecord begin_record(const Context& context, const BackupSubject& subject, const Uuid& id) {
  BackupRecord backup;
  backup.id = id.text();
  backup.cluster = context.config.cluster;
  backup.type = subject.type;
  backup.status = BackupStatus::in_progress;
  backup.database = subject.database;
  backup.tenant = subject.tenant;
  backup.created_at = context.clock.now();
  backup.created_by = context.actor;
  backup.host = host_name();
  backup.job_id = context.job_id;
  backup.note = subject.note;
  return backup;
}

Manifest begin_manifest(const Context& context, const BackupSubject& subject,
                        const BackupRecord& backup) {
  Manifest manifest;
  manifest.id = *Uuid::parse(backup.id);
  manifest.type = backup.type;
  manifest.cluster = backup.cluster;
  manifest.cluster_uuid = context.repository.cluster_uuid();
  manifest.created_at = backup.created_at;
  manifest.codec = subject.compression.codec;
  manifest.compression = to_string(subject.compression);
  manifest.suite = parse_suite(context.config.cipher);
  manifest.bkp_version = BKP_VERSION;
  manifest.database = backup.database;
  manifest.tenant = backup.tenant;
  manifest.note = backup.note;
  manifest.created_by = backup.created_by;
  manifest.host = backup.host;
  manifest.job_id = backup.job_id;
  manifest.storages = encode_storages(context.config.storages);
  return manifest;
}

// Data, then manifest: after this the backup exists.
Manifest store(Context& context, const BackupSubject& subject, const BackupRecord& backup,
               const OpenStream& open, std::vector<CopyOutcome>& copies,
               std::vector<std::string>& shortcomings) {
  Manifest manifest = begin_manifest(context, subject, backup);
  const std::string stem =
      backup_stem(context.config.cluster, backup.type, backup.created_at, manifest.id);
  const std::unique_ptr<BackupStream> stream = open(manifest);
  ProgressSource watched(*stream, context.log, subject.work,
                         expected_size(context.catalog, backup));
  Repository::PutOptions options;
  options.stem = stem;
  options.type = backup.type;
  options.backup = manifest.id;
  options.compression = subject.compression;
  options.minimum = context.config.copies_minimum;
  PutResult put = context.repository.put(options, watched);
  stream->describe(manifest);
  shortcomings = stream->shortcomings();
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
void verify_fresh(Context& context, const Manifest& manifest, StoredBackup& result) {
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

void tell_missing_copies(Context& context, const BackupSubject& subject, StoredBackup& result) {
  std::string missing;
  for (const CopyRecord& copy : result.backup.copies)
    if (copy.state == CopyState::failed) {
      result.warnings.push_back(fmt::format("no copy in '{}': {}", copy.storage, copy.error));
      missing += (missing.empty() ? "" : "; ") + result.warnings.back();
    }
  const AlertRecord alert = alert_of(
      context, result.backup, "COPY_MISSING", AlertSeverity::warning,
      fmt::format("backup of {} has fewer copies than storages: {}", subject.title, missing));
  if (missing.empty())
    context.catalog.resolve_alert(copy_missing_key(result.backup), context.clock.now());
  else
    context.catalog.raise_alert(alert);
}

void record_failure(Context& context, const BackupSubject& subject, StoredBackup& result) {
  result.backup.status = BackupStatus::failed;
  result.backup.error = result.error->message();
  result.backup.duration_seconds =
      std::chrono::duration<double>(context.clock.now() - result.backup.created_at).count();
  context.catalog.put_backup(result.backup);
  context.catalog.raise_alert(
      alert_of(context, result.backup, "BACKUP_FAILURE", AlertSeverity::critical,
               fmt::format("backup of {} failed: {}", subject.title, result.error->message())));
}

std::vector<std::string> local_storages(const Config& config) {
  std::vector<std::string> names;
  for (const StorageConfig& storage : config.storages)
    if (storage.type == StorageType::local) names.push_back(storage.name);
  return names;
}

std::vector<std::string> remote_storages_that_took(const Config& config,
                                                   const std::vector<StoredBackup>& results) {
  std::vector<std::string> names;
  for (const StoredBackup& result : results)
    for (const CopyRecord& copy : result.backup.copies)
      if (copy.state == CopyState::good &&
          config.storage(copy.storage).type != StorageType::local &&
          std::find(names.begin(), names.end(), copy.storage) == names.end())
        names.push_back(copy.storage);
  return names;
}

}  // namespace

std::string copy_missing_key(const BackupRecord& backup) {
  return alert_key("COPY_MISSING", backup);
}

StoredBackup store_backup(Context& context, const BackupSubject& subject, const OpenStream& open) {
  StoredBackup result;
  result.backup = begin_record(context, subject, Uuid::random());
  context.catalog.put_backup(result.backup);
  const auto fail = [&](const Error& error) {
    const InterruptShield shield;
    if (is_whole(result.backup)) {  // the backup stands; what came after it failed
      result.warnings.push_back(error.message());
      return;
    }
    result.error = error;
    record_failure(context, subject, result);
  };
  try {
    std::vector<CopyOutcome> copies;
    std::vector<std::string> shortcomings;
    const Manifest manifest = store(context, subject, result.backup, open, copies, shortcomings);
    result.backup = record_of(manifest);
    add_copies(result.backup, manifest, copies);
    context.catalog.put_backup(result.backup);
    context.repository.end_heartbeats(stem_of(manifest.objects.front().name), copies);
    context.catalog.resolve_alert(
        alert_of(context, result.backup, "BACKUP_FAILURE", AlertSeverity::critical, "").dedup_key,
        context.clock.now());
    result.warnings = std::move(shortcomings);
    tell_missing_copies(context, subject, result);
    verify_fresh(context, manifest, result);
  } catch (const Error& error) {
    fail(error);
  } catch (const std::exception&) {  // out of memory: on record too, and the next one's turn
    fail(Error(ErrorCode::failed, describe(std::current_exception())));
  }
  return result;
}

void begin_run(Context& context, BackupType type) {
  close_interrupted(context, type);
  sweep(context, type, local_storages(context.config));
}

void end_run(Context& context, BackupType type, const std::vector<StoredBackup>& results) {
  sweep(context, type, remote_storages_that_took(context.config, results));
}

int stored_exit_code(const std::vector<StoredBackup>& results) {
  std::size_t failed = 0;
  int code = 0;
  int failure = 0;
  for (const StoredBackup& result : results) {
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
