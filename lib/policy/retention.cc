#include "policy/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/units.h"

namespace bkp {
namespace {

using Subject = std::pair<BackupType, std::string>;

bool has_good_copy(const RetentionBackup& backup, const std::string& storage) {
  return std::any_of(backup.copies.begin(), backup.copies.end(), [&](const RetentionCopy& copy) {
    return copy.good && !copy.removed && copy.storage == storage;
  });
}

bool has_any_good_copy(const RetentionBackup& backup) {
  return std::any_of(backup.copies.begin(), backup.copies.end(),
                     [](const RetentionCopy& copy) { return copy.good && !copy.removed; });
}

const RetentionCopy* copy_in(const RetentionBackup& backup, const std::string& storage) {
  for (const RetentionCopy& copy : backup.copies)
    if (copy.storage == storage) return &copy;
  return nullptr;
}

Seconds age_of(const RetentionBackup& backup, TimePoint now) {
  return std::chrono::duration_cast<Seconds>(now - backup.created_at);
}

class Planner {
 public:
  Planner(const std::vector<RetentionBackup>& given, const RetentionRules& rules, TimePoint now)
      : rules_(rules), now_(now) {
    for (const RetentionBackup& backup : given) backups_.push_back(&backup);
    std::stable_sort(backups_.begin(), backups_.end(),
                     [](const auto* a, const auto* b) { return a->created_at < b->created_at; });
    for (std::size_t i = 0; i < backups_.size(); ++i) {
      index_[backups_[i]->id] = i;
      subjects_[{backups_[i]->type, backups_[i]->subject}].push_back(i);
    }
  }

  std::vector<CopyDecision> plan() {
    for (const StorageRetention& storage : rules_.storages) decide_by_time(storage);
    for (const StorageRetention& storage : rules_.storages) keep_last_ones(storage);
    keep_only_copies();
    for (const StorageRetention& storage : rules_.storages) keep_needed(storage);
    return in_order();
  }

  std::vector<LackingCopy> lacking() const {
    std::vector<LackingCopy> result;
    for (std::size_t i = backups_.size(); i-- > 0;) {
      if (!has_any_good_copy(*backups_[i])) continue;
      for (const StorageRetention& storage : rules_.storages)
        if (lacks(storage, i)) result.push_back({backups_[i]->id, storage.storage});
    }
    return result;
  }

 private:
  const Keep* rule(const StorageRetention& storage, BackupType type) const {
    const auto found = storage.keep.find(type);
    return found == storage.keep.end() ? nullptr : &found->second;
  }

  CopyDecision* decision(std::size_t backup, const std::string& storage) {
    const auto found = decisions_.find({backup, storage});
    return found == decisions_.end() ? nullptr : &found->second;
  }

  static void keep(CopyDecision& decision, KeepReason reason, std::string because_of = {}) {
    if (decision.keep) return;
    decision.keep = true;
    decision.reason = reason;
    decision.because_of = std::move(because_of);
  }

  // Whether time or a hold keep `backup` where `keep` is the rule; what it takes to be due.
  std::optional<KeepReason> kept_by_time(const RetentionBackup& backup, const Keep* keep,
                                         std::optional<Seconds>* limit) const {
    if (backup.held) return KeepReason::held;
    if (keep == nullptr || !keep->age) return KeepReason::no_rule;
    const bool graced = backup.verified && rules_.verified_grace > Seconds{0};
    *limit = *keep->age + (graced ? rules_.verified_grace : Seconds{0});
    const Seconds age = age_of(backup, now_);
    if (age < *keep->age) return KeepReason::young;
    if (age < **limit) return KeepReason::grace;
    return std::nullopt;
  }

  void decide_by_time(const StorageRetention& storage) {
    for (std::size_t i = 0; i < backups_.size(); ++i) {
      const RetentionBackup& backup = *backups_[i];
      const RetentionCopy* here = copy_in(backup, storage.storage);
      if (here == nullptr || here->removed) continue;
      CopyDecision decision;
      decision.backup = backup.id;
      decision.storage = storage.storage;
      decision.age = age_of(backup, now_);
      const auto reason = kept_by_time(backup, rule(storage, backup.type), &decision.limit);
      decision.keep = reason.has_value();
      decision.reason = reason.value_or(KeepReason::young);
      decisions_.emplace(std::pair(i, storage.storage), std::move(decision));
    }
  }

  void keep_last_ones(const StorageRetention& storage) {
    for (const auto& [subject, members] : subjects_) {
      const Keep* keep_rule = rule(storage, subject.first);
      const unsigned last = keep_rule == nullptr ? 0 : keep_rule->last;
      unsigned good = 0;
      bool verified = false;
      for (auto i = members.rbegin(); i != members.rend(); ++i) {
        const RetentionBackup& backup = *backups_[*i];
        if (!has_good_copy(backup, storage.storage)) continue;
        CopyDecision* here = decision(*i, storage.storage);
        if (here == nullptr) continue;
        if (good == 0) keep(*here, KeepReason::last_good);
        if (good < last) keep(*here, KeepReason::newest);
        if (backup.verified && !verified) keep(*here, KeepReason::last_verified);
        verified = verified || backup.verified;
        ++good;
      }
    }
  }

  // Whether the storage's rules keep this backup, and it has no good copy of it.
  bool lacks(const StorageRetention& storage, std::size_t backup_index) const {
    const RetentionBackup& backup = *backups_[backup_index];
    const RetentionCopy* here = copy_in(backup, storage.storage);
    if (here != nullptr && (here->removed || here->good)) return false;
    std::optional<Seconds> limit;
    const Keep* keep_rule = rule(storage, backup.type);
    if (kept_by_time(backup, keep_rule, &limit)) return true;
    const std::size_t newer = newer_good_ones(backup_index);
    return newer == 0 || (keep_rule != nullptr && newer < keep_rule->last);
  }

  std::size_t newer_good_ones(std::size_t backup_index) const {
    const RetentionBackup& backup = *backups_[backup_index];
    const auto& members = subjects_.at({backup.type, backup.subject});
    return static_cast<std::size_t>(
        std::count_if(members.begin(), members.end(), [&](std::size_t other) {
          return other > backup_index && has_any_good_copy(*backups_[other]);
        }));
  }

  void keep_only_copies() {
    for (std::size_t i = 0; i < backups_.size(); ++i) {
      bool a_good_one_stays = false;
      for (const RetentionCopy& copy : backups_[i]->copies) {
        const CopyDecision* here = decision(i, copy.storage);
        a_good_one_stays = a_good_one_stays || (copy.good && here != nullptr && here->keep);
      }
      if (a_good_one_stays) continue;
      const auto lacking =
          std::find_if(rules_.storages.begin(), rules_.storages.end(),
                       [&](const StorageRetention& storage) { return lacks(storage, i); });
      if (lacking == rules_.storages.end()) continue;
      for (const RetentionCopy& copy : backups_[i]->copies)
        if (CopyDecision* here = copy.good ? decision(i, copy.storage) : nullptr)
          keep(*here, KeepReason::only_copy, lacking->storage);
    }
  }

  void keep_needed(const StorageRetention& storage) {
    // A backup is younger than those it needs: from the newest on, one pass reaches a whole chain
    // unless clocks went back, so passes go on until nothing changes.
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = backups_.size(); i-- > 0;) {
        const CopyDecision* here = decision(i, storage.storage);
        if (here == nullptr || !here->keep) continue;
        for (const std::string& id : backups_[i]->needs) {
          const auto found = index_.find(id);
          CopyDecision* needed =
              found == index_.end() ? nullptr : decision(found->second, storage.storage);
          if (needed == nullptr || needed->keep) continue;
          keep(*needed, KeepReason::needed, backups_[i]->id);
          changed = true;
        }
      }
    }
  }

  std::vector<CopyDecision> in_order() const {
    std::vector<CopyDecision> ordered;
    for (std::size_t i = 0; i < backups_.size(); ++i)
      for (const StorageRetention& storage : rules_.storages) {
        const auto found = decisions_.find({i, storage.storage});
        if (found != decisions_.end()) ordered.push_back(found->second);
      }
    return ordered;
  }

  const RetentionRules& rules_;
  TimePoint now_;
  std::vector<const RetentionBackup*> backups_;  // oldest first
  std::map<std::string, std::size_t> index_;     // by id
  std::map<Subject, std::vector<std::size_t>> subjects_;
  std::map<std::pair<std::size_t, std::string>, CopyDecision> decisions_;
};

}  // namespace

std::vector<CopyDecision> plan_retention(const std::vector<RetentionBackup>& backups,
                                         const RetentionRules& rules, TimePoint now) {
  return Planner(backups, rules, now).plan();
}

std::vector<LackingCopy> plan_sync(const std::vector<RetentionBackup>& backups,
                                   const RetentionRules& rules, TimePoint now) {
  return Planner(backups, rules, now).lacking();
}

std::string describe(const CopyDecision& decision) {
  const std::string age = format_duration(decision.age);
  const std::string limit = decision.limit ? format_duration(*decision.limit) : "";
  if (!decision.keep) return fmt::format("{} old, kept for {}", age, limit);
  switch (decision.reason) {
    case KeepReason::held:
      return "held";
    case KeepReason::young:
      return fmt::format("{} old of {}", age, limit);
    case KeepReason::grace:
      return fmt::format("{} old of {}, since it is verified", age, limit);
    case KeepReason::newest:
      return "one of the newest, which keep_last keeps";
    case KeepReason::last_good:
      return "the last good copy of its kind in this storage";
    case KeepReason::last_verified:
      return "the last verified copy of its kind in this storage";
    case KeepReason::needed:
      return fmt::format("backup {} needs it", decision.because_of);
    case KeepReason::only_copy:
      return fmt::format("storage '{}' is to keep this backup and has no good copy of it",
                         decision.because_of);
    case KeepReason::no_rule:
      return "kept for ever";
  }
  return {};
}

}  // namespace bkp
