#include "backup/sync.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "backup/adopt.h"
#include "backup/retention_facts.h"
#include "backup/selection.h"
#include "backup/store.h"
#include "backup/stored_manifest.h"
#include "backup/verify.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "repo/copy_stored.h"

namespace bkp {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::vector<BackupRecord> whole_backups(const Context& context) {
  BackupFilter filter;
  std::vector<BackupRecord> backups = context.catalog.backups(filter);
  std::erase_if(backups, [&](const BackupRecord& backup) {
    return !is_whole(backup) || backup.cluster != context.config.cluster;
  });
  return backups;
}

const BackupRecord& find(const std::vector<BackupRecord>& backups, const std::string& id) {
  return *std::find_if(backups.begin(), backups.end(),
                       [&](const BackupRecord& backup) { return backup.id == id; });
}

bool is_good_in(const BackupRecord& backup, const std::string& storage) {
  return std::any_of(backup.copies.begin(), backup.copies.end(), [&](const CopyRecord& copy) {
    return copy.storage == storage && copy.state == CopyState::good;
  });
}

// Copies that the catalog has for good first, then those it does not know of.
std::vector<std::string> sources(const Context& context, const BackupRecord& backup) {
  std::vector<std::string> order = read_order(context);
  std::stable_partition(order.begin(), order.end(),
                        [&](const std::string& storage) { return is_good_in(backup, storage); });
  return order;
}

// How deeply a copy is looked at that was just written: at least that all of it is there.
CheckDepth depth_in(const Context& context, const std::string& storage) {
  return depth_after_backup(context.config, storage).value_or(CheckDepth::stat);
}

void bring(Context& context, SyncedCopy& copy) {
  std::vector<CopyCheck> bad;
  const Manifest manifest = fetch_manifest(context, copy.backup, bad);
  copy.bytes = manifest.stored_size();
  context.log.info(fmt::format("bringing backup '{}' to '{}'", copy.backup.filename, copy.storage));
  copy.from = copy_stored(context.repository, manifest, sources(context, copy.backup), copy.storage,
                          context.log, bad);
  std::vector<StorageDepth> depths{{copy.storage, depth_in(context, copy.storage)}};
  for (const CopyCheck& check : bad)  // on the way: they are not good, and the next plan has them
    if (check.storage != copy.storage && check.state != CopyState::failed)
      depths.push_back({check.storage, CheckDepth::read});
  VerifyResult verified = verify_backup(context, copy.backup, manifest, depths);
  copy.backup = std::move(verified.backup);
  const CopyCheck& fresh = verified.copies.front();
  if (fresh.state != CopyState::good) copy.error = fresh.problem;
}

using Place = std::pair<std::string, std::string>;  // backup and storage

// One copy; what is wrong with it is told in it.
SyncedCopy bring_copy(Context& context, const SyncPlan& plan, const LackingCopy& lacking,
                      std::vector<std::string>& silent) {
  SyncedCopy copy;
  copy.storage = lacking.storage;
  copy.backup = context.catalog.backup(lacking.backup).value_or(find(plan.backups, lacking.backup));
  try {
    if (contains(silent, lacking.storage))
      throw Error(ErrorCode::failed,
                  fmt::format("storage '{}' stopped answering", lacking.storage));
    bring(context, copy);
  } catch (const StorageUnreachable& error) {
    check_interrupt();
    silent.push_back(lacking.storage);
    copy.error = error.message();
  } catch (const Error& error) {
    check_interrupt();
    copy.error = error.message();
  }
  return copy;
}

// Resolves the alerts of subjects of which no storage lacks a copy any more.
void settle_alerts(Context& context, const std::vector<SyncedCopy>& copies, const SyncPlan& after) {
  if (!after.problems.empty()) return;
  std::map<std::string, bool> lacking;
  for (const SyncedCopy& copy : copies) lacking[copy_missing_key(copy.backup)];
  for (const BackupRecord& backup : after.backups) lacking[copy_missing_key(backup)] = true;
  for (const auto& [key, still] : lacking)
    if (!still) context.catalog.resolve_alert(key, context.clock.now());
}

}  // namespace

SyncPlan make_sync_plan(Context& context, const SyncRequest& request) {
  SyncPlan plan;
  AdoptResult adopted = adopt_backups(context, {});
  plan.problems = std::move(adopted.problems);
  const std::vector<BackupRecord> backups = whole_backups(context);
  plan.copies = plan_sync(retention_facts(backups, adopted.inventory),
                          retention_rules(context.config), context.clock.now());
  std::erase_if(plan.copies, [&](const LackingCopy& copy) {
    return !adopted.inventory.answered(copy.storage) ||
           (!request.storages.empty() && !contains(request.storages, copy.storage)) ||
           (!request.ids.empty() && !contains(request.ids, copy.backup));
  });
  for (const LackingCopy& copy : plan.copies)
    if (plan.backups.empty() || plan.backups.back().id != copy.backup)
      plan.backups.push_back(find(backups, copy.backup));
  return plan;
}

SyncResult sync(Context& context, const SyncRequest& request) {
  SyncResult result;
  std::uint64_t brought = 0;
  std::set<Place> tried;
  std::vector<std::string> silent;
  // A copy that was read and found bad is brought too: plans are made until one has nothing new.
  for (bool more = true; more;) {
    more = false;
    const SyncPlan plan = make_sync_plan(context, request);
    result.problems = plan.problems;
    result.left = 0;
    for (const LackingCopy& lacking : plan.copies) {
      check_interrupt();
      if (tried.contains({lacking.backup, lacking.storage})) continue;
      if (request.limit && brought >= *request.limit) {
        ++result.left;
        continue;
      }
      tried.insert({lacking.backup, lacking.storage});
      more = true;
      result.copies.push_back(bring_copy(context, plan, lacking, silent));
      if (result.copies.back().error.empty()) brought += result.copies.back().bytes;
    }
  }
  settle_alerts(context, result.copies, make_sync_plan(context, {}));
  return result;
}

int sync_exit_code(const SyncResult& result) {
  const bool failed = std::any_of(result.copies.begin(), result.copies.end(),
                                  [](const SyncedCopy& copy) { return !copy.error.empty(); });
  return failed || !result.problems.empty() ? 3 : 0;
}

}  // namespace bkp
