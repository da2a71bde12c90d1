#include "backup/sweep.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/adopt.h"
#include "backup/record.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "repo/abandoned.h"
#include "repo/layout.h"

namespace bkp {
namespace {

// A run that was killed between manifest and catalog: the backup exists. False: its manifest cannot
// be read now, and only its heartbeat leads to it.
bool adopt(Context& context, const AbandonedRun& run) {
  std::vector<CopyCheck> bad;
  const std::optional<Manifest> manifest =
      context.repository.manifest(run.stem, {run.storage}, &bad);
  if (!manifest) {
    for (const CopyCheck& copy : bad)
      context.log.warning(
          fmt::format("cannot take what an interrupted run left in '{}' into the catalog: {}",
                      copy.storage, copy.problem));
    return false;
  }
  const std::string id = manifest->id.text();
  std::optional<BackupRecord> known = context.catalog.backup(id);
  if (!known || known->status == BackupStatus::in_progress ||
      known->status == BackupStatus::failed) {
    known = record_of(*manifest);
    context.catalog.put_backup(*known);
    context.log.info(
        fmt::format("backup '{}' of an interrupted run is whole: taken into the "
                    "catalog",
                    id));
  }
  CopyRecord copy;
  copy.storage = run.storage;
  copy.path = manifest->objects.front().name;
  copy.state = CopyState::good;
  copy.size_bytes = manifest->stored_size();
  context.catalog.put_copy(id, copy);
  return true;
}

void sweep_storage(Context& context, const std::string& storage, BackupType type) {
  const auto begun_here = [&context](const Uuid& id) {
    return context.catalog.backup(id.text()).has_value();
  };
  for (const AbandonedRun& run :
       find_abandoned(context.repository, storage, type, context.clock.now(), begun_here)) {
    if (run.committed && !adopt(context, run)) continue;
    if (remove_abandoned(context.repository, run) && !run.committed)
      context.log.info(
          fmt::format("removed what an interrupted run left in '{}': {}", storage, run.stem));
  }
  AdoptRequest request;
  request.storages = {storage};
  request.type = type;
  const AdoptResult unknown = adopt_backups(context, request);
  for (const std::string& problem : unknown.problems) context.log.warning(problem);
  if (unknown.adopted > 0)
    context.log.info(fmt::format("{} backups that the catalog did not know found in '{}'",
                                 unknown.adopted, storage));
}

}  // namespace

void close_interrupted(Context& context, BackupType type) {
  BackupFilter filter;
  filter.type = type;
  filter.status = BackupStatus::in_progress;
  for (BackupRecord backup : context.catalog.backups(filter)) {
    if (backup.host != host_name() || backup.cluster != context.config.cluster) continue;
    backup.status = BackupStatus::failed;
    backup.error = "the run was killed";
    context.catalog.put_backup(backup);
  }
}

void sweep(Context& context, BackupType type, const std::vector<std::string>& storages) {
  for (const std::string& storage : storages) {
    try {
      sweep_storage(context, storage, type);
    } catch (const Error& error) {
      check_interrupt();
      context.log.warning(fmt::format("cannot look for what interrupted runs left in '{}': {}",
                                      storage, error.message()));
    }
  }
}

}  // namespace bkp
