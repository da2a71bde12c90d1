#include "backup/verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/stored_manifest.h"
#include "base/interrupt.h"

namespace bkp {
namespace {

CopyRecord* find_copy(BackupRecord& backup, const std::string& storage) {
  for (CopyRecord& copy : backup.copies)
    if (copy.storage == storage) return &copy;
  return nullptr;
}

CopyRecord& copy_in(BackupRecord& backup, const std::string& storage) {
  if (CopyRecord* copy = find_copy(backup, storage)) return *copy;
  backup.copies.push_back({storage, "", CopyState::missing, 0, "", {}, ""});
  return backup.copies.back();
}

// Removed on purpose, or being removed: nothing to look at.
bool is_removed(BackupRecord& backup, const std::string& storage) {
  const CopyRecord* copy = find_copy(backup, storage);
  return copy != nullptr &&
         (copy->state == CopyState::deleting || copy->state == CopyState::deleted);
}

// What is not in a storage that never got it is not damage: the storage came later, or did not
// answer when the backup was made.
void judge_absent(BackupRecord& backup, CopyCheck& check) {
  if (check.state != CopyState::missing) return;
  const CopyRecord* copy = find_copy(backup, check.storage);
  if (copy != nullptr && copy->state != CopyState::failed) return;
  check.state = CopyState::absent;
  check.problem = copy == nullptr ? "it was never copied there"
                                  : "it could not be copied there: " + copy->error;
}

AlertRecord integrity_alert(const Context& context, const BackupRecord& backup,
                            const CopyCheck& copy) {
  AlertRecord alert;
  alert.id = Uuid::random().text();
  alert.dedup_key = fmt::format("INTEGRITY_FAILURE:{}:{}", backup.id, copy.storage);
  alert.type = "INTEGRITY_FAILURE";
  alert.severity = AlertSeverity::critical;
  alert.message =
      fmt::format("backup '{}' in storage '{}': {}", backup.filename, copy.storage, copy.problem);
  alert.backup_id = backup.id;
  alert.storage = copy.storage;
  alert.run_id = context.job_id;
  alert.first_at = alert.last_at = context.clock.now();
  return alert;
}

void record_copy(Context& context, BackupRecord& backup, const Manifest& manifest,
                 const CopyCheck& check) {
  if (check.state == CopyState::absent) return;
  // A storage that did not answer says nothing of a copy that may never have been there.
  if (check.state == CopyState::failed && find_copy(backup, check.storage) == nullptr) return;
  CopyRecord& copy = copy_in(backup, check.storage);
  copy.path = manifest.objects.front().name;
  copy.error = check.problem;
  if (check.state != CopyState::failed) {  // a storage that did not answer says nothing of the copy
    copy.state = check.state;
    copy.checked_at = context.clock.now();
    copy.size_bytes = check.size;
    copy.etag = check.etag;
  }
  const AlertRecord alert = integrity_alert(context, backup, check);
  if (check.state == CopyState::good)
    context.catalog.resolve_alert(alert.dedup_key, context.clock.now());
  else if (check.state != CopyState::failed)
    context.catalog.raise_alert(alert);
}

// VERIFIED while every copy that was made and not removed is good, and each was looked at.
void settle_status(const Context& context, BackupRecord& backup) {
  bool all_good = true;
  bool any = false;
  for (const CopyRecord& copy : backup.copies) {
    const auto names = context.repository.storage_names();
    if (std::find(names.begin(), names.end(), copy.storage) == names.end()) continue;
    if (copy.state == CopyState::deleting || copy.state == CopyState::deleted) continue;
    any = true;
    all_good = all_good && copy.state == CopyState::good && copy.checked_at;
  }
  all_good = all_good && any;
  if (all_good) {
    backup.status = BackupStatus::verified;
    backup.verified_at = context.clock.now();
  } else if (backup.status == BackupStatus::verified) {
    backup.status = BackupStatus::completed;
  }
}

// Reading takes its time: what was removed or held meanwhile stays so.
void put_verified(Context& context, BackupRecord& backup) {
  context.catalog.transaction([&] {
    if (const auto now = context.catalog.backup(backup.id)) {
      for (const CopyRecord& copy : now->copies)
        if (copy.state == CopyState::deleting || copy.state == CopyState::deleted)
          copy_in(backup, copy.storage) = copy;
      backup.held = now->held;
      backup.proved_at = now->proved_at;
      backup.metadata = now->metadata;
      if (now->status == BackupStatus::deleted) {
        backup = *now;
        return;
      }
    }
    settle_status(context, backup);
    context.catalog.put_backup(backup);
  });
}

VerifyResult verify_one(Context& context, const BackupRecord& backup,
                        const VerifyRequest& request) {
  std::vector<CopyCheck> bad;
  const std::vector<std::string> storages =
      request.storages.empty() ? context.repository.storage_names() : request.storages;
  try {
    const Manifest manifest = fetch_manifest(context, backup, bad);
    std::vector<StorageDepth> depths;
    for (const std::string& storage : storages) depths.push_back({storage, request.depth});
    return verify_backup(context, backup, manifest, depths);
  } catch (const Error& error) {
    check_interrupt();
    if (bad.empty()) throw;
    // Not one manifest that can be read: every copy is as it was found.
    VerifyResult result{backup, {}};
    for (CopyCheck& check : bad) {
      if (std::find(storages.begin(), storages.end(), check.storage) == storages.end()) continue;
      if (is_removed(result.backup, check.storage)) continue;
      judge_absent(result.backup, check);
      if (check.state == CopyState::absent) {
        result.copies.push_back(std::move(check));
        continue;
      }
      CopyRecord& copy = copy_in(result.backup, check.storage);
      copy.error = check.problem;
      if (check.state != CopyState::failed) {
        copy.state = check.state;
        copy.checked_at = context.clock.now();
        context.catalog.raise_alert(integrity_alert(context, backup, check));
      }
      result.copies.push_back(std::move(check));
    }
    put_verified(context, result.backup);
    return result;
  }
}

}  // namespace

bool VerifyResult::good() const {
  return std::all_of(copies.begin(), copies.end(), [](const CopyCheck& copy) {
    return copy.state == CopyState::good || copy.state == CopyState::absent;
  });
}

std::optional<CheckDepth> depth_after_backup(const Config& config, std::string_view storage) {
  switch (config.storage(storage).verify_after.value_or(config.verify_after)) {
    case VerifyAfter::read:
      return CheckDepth::read;
    case VerifyAfter::stat:
      return CheckDepth::stat;
    case VerifyAfter::none:
      break;
  }
  return std::nullopt;
}

VerifyResult verify_backup(Context& context, BackupRecord backup, const Manifest& manifest,
                           const std::vector<StorageDepth>& storages) {
  VerifyResult result;
  for (const auto& [storage, depth] : storages) {
    if (is_removed(backup, storage)) continue;
    context.log.progress("verify in " + storage, 0, std::nullopt);
    CopyCheck check = context.repository.check(manifest, storage, depth);
    judge_absent(backup, check);
    record_copy(context, backup, manifest, check);
    result.copies.push_back(std::move(check));
  }
  put_verified(context, backup);
  result.backup = std::move(backup);
  return result;
}

std::vector<VerifyResult> verify(Context& context, const VerifyRequest& request) {
  std::vector<VerifyResult> results;
  for (const BackupRecord& backup : request.backups)
    results.push_back(verify_one(context, backup, request));
  return results;
}

int verify_exit_code(const std::vector<VerifyResult>& results) {
  int code = 0;
  for (const VerifyResult& result : results)
    for (const CopyCheck& copy : result.copies) {
      if (copy.state == CopyState::damaged || copy.state == CopyState::missing) return 4;
      if (copy.state == CopyState::failed) code = 1;
      const bool wanted =
          std::any_of(result.backup.copies.begin(), result.backup.copies.end(),
                      [&copy](const CopyRecord& record) { return record.storage == copy.storage; });
      if (copy.state == CopyState::absent && wanted && code == 0) code = 3;
    }
  return code;
}

}  // namespace bkp
