#include "policy/removal.h"

#include <algorithm>

namespace bkp {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool complete(const BackupRecord& backup) {
  return backup.status == BackupStatus::completed || backup.status == BackupStatus::verified;
}

std::vector<std::string> good_copies(const BackupRecord& backup) {
  std::vector<std::string> storages;
  for (const CopyRecord& copy : backup.copies)
    if (copy.state == CopyState::good) storages.push_back(copy.storage);
  return storages;
}

bool same_series(const BackupRecord& a, const BackupRecord& b) {
  return a.cluster == b.cluster && a.type == b.type && a.database == b.database &&
         a.tenant == b.tenant;
}

// The newest that can be restored, of those like it.
bool is_newest_good(const BackupRecord& backup, const std::vector<BackupRecord>& known) {
  if (!complete(backup) || good_copies(backup).empty()) return false;
  return std::none_of(known.begin(), known.end(), [&](const BackupRecord& other) {
    return same_series(backup, other) && other.created_at > backup.created_at && complete(other) &&
           !good_copies(other).empty();
  });
}

// From everywhere: also where the catalog knows of no copy.
std::vector<std::string> everywhere(const BackupRecord& backup, const RemovalRequest& request) {
  std::vector<std::string> storages;
  for (const std::string& storage : request.configured) {
    const bool gone =
        std::any_of(backup.copies.begin(), backup.copies.end(), [&](const CopyRecord& copy) {
          return copy.storage == storage && copy.state == CopyState::deleted;
        });
    if (!gone) storages.push_back(storage);
  }
  return storages;
}

Removal plan_one(const BackupRecord& backup, const std::vector<BackupRecord>& known,
                 const RemovalRequest& request) {
  Removal removal{backup, {}, {}, {}, {}};
  removal.storages = request.storages.empty() ? everywhere(backup, request) : request.storages;
  for (const std::string& storage : good_copies(backup))
    if (!contains(removal.storages, storage) && contains(request.configured, storage))
      removal.relies_on.push_back(storage);
  const std::string id = backup.id.substr(0, 8);
  if (backup.held) {
    removal.refusal = "it is held";
    removal.cure = "bkp release " + id;
  } else if (backup.status == BackupStatus::in_progress || backup.status == BackupStatus::pending) {
    removal.refusal = "it is being written";
    removal.cure = "wait for its end; the next run clears away what a killed one left";
  } else if (request.last_copy == LastCopy::keep && removal.relies_on.empty() &&
             is_newest_good(backup, known)) {
    removal.refusal = "it is the newest good backup" +
                      (backup.database.empty() ? std::string() : " of '" + backup.database + "'") +
                      ", and no good copy of it would be left";
    removal.cure = "make a newer one first, or say --even-last";
  }
  return removal;
}

}  // namespace

std::vector<Removal> plan_removal(const std::vector<BackupRecord>& known,
                                  const RemovalRequest& request) {
  std::vector<Removal> plan;
  for (const BackupRecord& backup : request.backups) {
    const bool again = std::any_of(plan.begin(), plan.end(), [&](const Removal& removal) {
      return removal.backup.id == backup.id;
    });
    if (!again) plan.push_back(plan_one(backup, known, request));
  }
  return plan;
}

}  // namespace bkp
