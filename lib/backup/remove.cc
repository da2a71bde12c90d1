#include "backup/remove.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "backup/record.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "repo/heartbeat.h"
#include "repo/inventory.h"
#include "repo/layout.h"

namespace bkp {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

CopyRecord& copy_in(BackupRecord& backup, const std::string& storage) {
  for (CopyRecord& copy : backup.copies)
    if (copy.storage == storage) return copy;
  backup.copies.push_back({storage, "", CopyState::absent, 0, "", {}, ""});
  return backup.copies.back();
}

void remove_or_throw(Storage& storage, const std::vector<std::string>& names) {
  if (names.empty()) return;
  for (const Outcome& outcome : storage.remove(names))
    if (outcome.error) throw *outcome.error;
}

// Manifest, data, what lies beside them. Nothing is there: that is done too.
void remove_copy(const Repository& repository, const std::string& storage,
                 const std::string& stem) {
  repository.require_own(storage);  // nothing is gone from a disk that is not mounted
  Storage& from = repository.storage(storage);
  std::vector<std::string> data, rest;
  for (const Object& object : from.list(stem + ".")) {
    const ObjectRole role = role_of(object.name);
    if (role == ObjectRole::manifest) continue;
    (role == ObjectRole::data ? data : rest).push_back(object.name);
  }
  remove_or_throw(from, {manifest_name(stem)});
  remove_or_throw(from, data);
  remove_or_throw(from, rest);
}

void mark(Context& context, const Removal& removal, BackupRecord& backup) {
  for (const std::string& storage : removal.storages) {
    CopyRecord& copy = copy_in(backup, storage);
    if (copy.state != CopyState::deleted) copy.state = CopyState::deleting;
    copy.error = "its removal is not done";
  }
  context.catalog.put_backup(backup);
}

void resolve_alert(Context& context, const BackupRecord& backup, const std::string& storage) {
  context.catalog.resolve_alert(fmt::format("INTEGRITY_FAILURE:{}:{}", backup.id, storage),
                                context.clock.now());
}

void settle(Context& context, BackupRecord& backup) {
  const bool gone =
      std::all_of(backup.copies.begin(), backup.copies.end(),
                  [](const CopyRecord& copy) { return copy.state == CopyState::deleted; });
  if (gone) {
    backup.status = BackupStatus::deleted;
    backup.deleted_at = context.clock.now();
  }
  context.catalog.put_backup(backup);
}

RemoveResult remove_one(Context& context, const Removal& removal,
                        std::set<std::string>& unreachable) {
  RemoveResult result{removal.backup, {}};
  const std::string stem = stem_of(removal.backup);
  mark(context, removal, result.backup);
  for (const std::string& storage : removal.storages) {
    CopyRecord& copy = copy_in(result.backup, storage);
    std::string problem;
    try {
      if (unreachable.count(storage) != 0)
        throw Error(ErrorCode::failed, "storage '" + storage + "' did not answer before");
      remove_copy(context.repository, storage, stem);
      copy.state = CopyState::deleted;
      copy.error.clear();
      resolve_alert(context, result.backup, storage);
    } catch (const Error& error) {
      check_interrupt();
      if (dynamic_cast<const StorageUnreachable*>(&error) != nullptr) unreachable.insert(storage);
      problem = error.message();
      copy.error = "its removal failed: " + problem;
    }
    result.copies.push_back({storage, problem});
  }
  settle(context, result.backup);
  return result;
}

Inventory look_at(const Context& context, const std::string& stem) {
  return take_inventory(context.repository, context.repository.storage_names(), {}, stem);
}

}  // namespace

bool RemoveResult::done() const {
  return std::all_of(copies.begin(), copies.end(),
                     [](const CopyRemoval& copy) { return copy.problem.empty(); });
}

void confirm_with_storages(Context& context, std::vector<Removal>& plan, LastCopy last_copy) {
  for (Removal& removal : plan) {
    if (!removal.refusal.empty()) continue;
    const std::string stem = stem_of(removal.backup);
    const Inventory found = look_at(context, stem);
    const auto stored = found.backups.find(stem);
    if (stored == found.backups.end()) continue;
    if (stored->second.held) {
      removal.refusal = "it is held, as the storages have it";
      removal.cure = "bkp release " + removal.backup.id.substr(0, 8);
      continue;
    }
    const bool relied = !removal.relies_on.empty();
    std::erase_if(removal.relies_on, [&](const std::string& storage) {
      return !contains(stored->second.storages, storage);
    });
    if (relied && removal.relies_on.empty() && last_copy == LastCopy::keep) {
      removal.refusal = "no other storage shows its copy now";
      removal.cure = "see 'bkp verify " + removal.backup.id.substr(0, 8) + "', or say --even-last";
    }
  }
}

std::vector<RemoveResult> remove_backups(Context& context, const std::vector<Removal>& plan) {
  std::vector<RemoveResult> results;
  std::set<std::string> unreachable;
  for (const Removal& removal : plan) {
    check_interrupt();
    if (removal.refusal.empty()) results.push_back(remove_one(context, removal, unreachable));
  }
  return results;
}

std::vector<std::string> hold_backup(Context& context, BackupRecord& backup,
                                     const std::string& reason) {
  const std::string stem = stem_of(backup);
  const Hold hold{*Uuid::parse(backup.id), reason, context.actor, host_name(), context.clock.now()};
  const std::string text = encode_hold(hold, context.repository.keys());
  const Inventory found = look_at(context, stem);
  const auto stored = found.backups.find(stem);
  std::vector<std::string> problems;
  for (const StoredAmount& storage : found.storages)
    if (!storage.error.empty()) problems.push_back(storage.error);
  std::size_t written = 0;
  if (stored != found.backups.end())
    for (const std::string& storage : stored->second.storages) {
      try {
        write_object(context.repository.storage(storage), hold_name(stem), as_bytes(text),
                     IfExists::replace);
        ++written;
      } catch (const Error& error) {
        check_interrupt();
        problems.push_back(error.message());
      }
    }
  if (written == 0)
    throw Error(ErrorCode::failed,
                fmt::format("backup '{}' is not held: no storage has it and took the hold{}",
                            backup.id, problems.empty() ? "" : ": " + problems.front()));
  describe_hold(backup, hold);
  context.catalog.put_backup(backup);
  return problems;
}

std::vector<std::string> release_backup(Context& context, BackupRecord& backup) {
  const std::string stem = stem_of(backup);
  std::vector<std::string> problems;
  for (const std::string& storage : context.repository.storage_names()) {
    try {
      context.repository.require_own(storage);
      remove_or_throw(context.repository.storage(storage), {hold_name(stem)});
    } catch (const Error& error) {
      check_interrupt();
      problems.push_back(error.message());
    }
  }
  if (!problems.empty()) return problems;
  describe_hold(backup, std::nullopt);
  context.catalog.put_backup(backup);
  return problems;
}

}  // namespace bkp
