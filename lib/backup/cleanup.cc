#include "backup/cleanup.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "backup/record.h"
#include "backup/remove.h"
#include "base/interrupt.h"
#include "storage/leftovers.h"

namespace bkp {
namespace {

class Carrier {
 public:
  Carrier(Context& context, const CleanupPlan& plan) : context_(context), plan_(plan) {
    for (const std::string& name : context.repository.storage_names())
      result_.storages.push_back({name});
  }

  CleanupResult run() {
    const TimePoint begun = context_.clock.now();
    remove_copies();
    for (const RestDecision& rest : plan_.rests)
      if (rest.fate == RestFate::orphan) remove_orphan(rest.rest);
    for (const LeftoverDecision& leftover : plan_.leftovers)
      if (leftover.remove) discard(leftover);
    for (const BackupRecord& row : plan_.gone) mark_gone(row);
    for (const BackupRecord& row : plan_.forgotten) forget(row);
    result_.seconds = std::chrono::duration<double>(context_.clock.now() - begun).count();
    return std::move(result_);
  }

 private:
  StorageStatistics& of(const std::string& storage) {
    return *std::find_if(result_.storages.begin(), result_.storages.end(),
                         [&](const auto& entry) { return entry.storage == storage; });
  }

  // What fails is counted and told, and the rest goes on.
  template <typename Work>
  bool attempt(Work&& work) {
    check_interrupt();
    try {
      work();
      return true;
    } catch (const Error& error) {
      check_interrupt();
      result_.errors.push_back(error.message());
      return false;
    }
  }

  // One removal a backup: the copies that are due, and those whose removal was begun before.
  std::vector<Removal> removals() const {
    std::map<std::string, Removal> by_backup;
    const auto removal_of = [&](const BackupRecord& backup) -> Removal& {
      Removal& removal = by_backup[backup.id];
      removal.backup = backup;
      return removal;
    };
    for (const BackupRecord& backup : plan_.unfinished)
      for (const CopyRecord& copy : backup.copies)
        if (copy.state == CopyState::deleting && configured(copy.storage))
          removal_of(backup).storages.push_back(copy.storage);
    for (const BackupRecord& backup : plan_.backups)
      for (const CopyDecision& copy : plan_.copies)
        if (copy.backup == backup.id && !copy.keep)
          removal_of(backup).storages.push_back(copy.storage);
    for (const CopyDecision& copy : plan_.copies)
      if (const auto removal = by_backup.find(copy.backup); removal != by_backup.end() && copy.keep)
        removal->second.relies_on.push_back(copy.storage);
    std::vector<Removal> ordered;
    for (auto& [id, removal] : by_backup)
      if (!removal.storages.empty()) ordered.push_back(std::move(removal));
    std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
      return a.backup.created_at > b.backup.created_at;  // dependents before what they need
    });
    return ordered;
  }

  bool configured(const std::string& storage) const {
    const auto names = context_.repository.storage_names();
    return std::find(names.begin(), names.end(), storage) != names.end();
  }

  void remove_copies() {
    std::vector<Removal> removals = this->removals();
    confirm_with_storages(context_, removals, LastCopy::keep);
    for (const Removal& removal : removals) {
      if (!removal.refusal.empty()) {
        result_.errors.push_back(fmt::format("backup '{}' is not removed: {}",
                                             removal.backup.filename, removal.refusal));
        continue;
      }
      attempt([&] { remove(removal); });
    }
  }

  void remove(const Removal& removal) {
    for (const RemoveResult& removed : remove_backups(context_, {removal})) {
      for (const CopyRemoval& copy : removed.copies) {
        StorageStatistics& statistics = of(copy.storage);
        if (!copy.problem.empty()) {
          ++statistics.failed;
          result_.errors.push_back(copy.problem);
          continue;
        }
        ++statistics.deleted;
        statistics.bytes += removal.backup.size_bytes;
      }
      if (removed.backup.status == BackupStatus::deleted) ++result_.records;
    }
  }

  void remove_orphan(const StoredRest& rest) {
    StorageStatistics& statistics = of(rest.storage);
    const bool gone = attempt([&] {
      context_.repository.require_own(rest.storage);
      for (const Outcome& outcome : context_.repository.storage(rest.storage).remove(rest.objects))
        if (outcome.error) throw *outcome.error;
    });
    ++(gone ? statistics.deleted : statistics.failed);
    if (gone) statistics.bytes += rest.bytes;
  }

  void discard(const LeftoverDecision& decision) {
    StorageStatistics& statistics = of(decision.storage);
    const bool gone = attempt([&] {
      auto& keeper = dynamic_cast<KeepsLeftovers&>(context_.repository.storage(decision.storage));
      if (const auto error = keeper.discard(decision.leftover)) throw *error;
    });
    if (!gone) {
      ++statistics.failed;
      return;
    }
    ++statistics.temporary;
    statistics.bytes += decision.leftover.size;
  }

  // A backup that nobody removed and no storage has: it is told, and no longer offered.
  void mark_gone(BackupRecord row) {
    attempt([&] {
      row.status = BackupStatus::deleted;
      row.deleted_at = context_.clock.now();
      row.error = "its manifest is in no storage any more";
      for (CopyRecord& copy : row.copies)
        if (copy.state != CopyState::deleted) copy.state = CopyState::missing;
      context_.catalog.put_backup(row);
      ++result_.records;
      AlertRecord alert;
      alert.id = Uuid::random().text();
      alert.dedup_key = "COPY_MISSING:" + row.id;
      alert.type = "COPY_MISSING";
      alert.severity = AlertSeverity::critical;
      alert.message = fmt::format(
          "backup '{}' is in no storage any more, and bkp did not remove it", row.filename);
      alert.backup_id = row.id;
      alert.run_id = context_.job_id;
      alert.first_at = alert.last_at = context_.clock.now();
      context_.catalog.raise_alert(alert);
    });
  }

  void forget(const BackupRecord& row) {
    attempt([&] {
      context_.catalog.remove_backup(row.id);
      ++result_.records;
    });
  }

  Context& context_;
  const CleanupPlan& plan_;
  CleanupResult result_;
};

std::size_t sum(const CleanupResult& result, std::size_t StorageStatistics::*field) {
  std::size_t total = 0;
  for (const StorageStatistics& storage : result.storages) total += storage.*field;
  return total;
}

}  // namespace

CleanupResult cleanup(Context& context, const CleanupPlan& plan) {
  return Carrier(context, plan).run();
}

void tell_cleanup(Context& context, const CleanupPlan& plan, const CleanupResult& result) {
  AlertRecord alert;
  alert.id = Uuid::random().text();
  alert.dedup_key = "CLEANUP:" + context.config.cluster;
  alert.type = "CLEANUP";
  alert.run_id = context.job_id;
  alert.first_at = alert.last_at = context.clock.now();
  const std::vector<std::string>& troubles = result.errors.empty() ? plan.problems : result.errors;
  if (!plan.refusal.empty()) {
    alert.severity = AlertSeverity::critical;
    alert.message = "cleanup removed nothing: " + plan.refusal;
  } else if (!troubles.empty()) {
    alert.severity = AlertSeverity::warning;
    alert.message =
        fmt::format("cleanup left something ({} in all): {}", troubles.size(), troubles.front());
  } else {
    alert.severity = AlertSeverity::info;
    alert.message = fmt::format("cleanup removed {} copies and {} temporary things",
                                sum(result, &StorageStatistics::deleted),
                                sum(result, &StorageStatistics::temporary));
    context.catalog.resolve_alert(alert.dedup_key, context.clock.now());
  }
  context.catalog.raise_alert(alert);
  if (alert.severity == AlertSeverity::info)
    context.catalog.resolve_alert(alert.dedup_key, context.clock.now());
}

int cleanup_exit_code(const CleanupPlan& plan, const CleanupResult& result) {
  return result.errors.empty() && plan.problems.empty() ? 0 : 3;
}

}  // namespace bkp
