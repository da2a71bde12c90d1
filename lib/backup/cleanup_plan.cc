#include <fmt/format.h>

#include <algorithm>

#include "backup/adopt.h"
#include "backup/cleanup.h"
#include "backup/record.h"
#include "backup/retention_facts.h"
#include "backup/selection.h"
#include "base/interrupt.h"
#include "base/units.h"
#include "pg/connection.h"
#include "repo/layout.h"
#include "storage/leftovers.h"

namespace bkp {
namespace {

constexpr std::chrono::minutes kMostSkew{5};
// Backups of another host that this one's catalog has not seen yet are not older.
constexpr std::chrono::days kFresh{2};

struct OtherClock {
  std::string whose;
  TimePoint time;
};

// The clocks that this host's can be compared with.
std::vector<OtherClock> other_clocks(Context& context, const Inventory& inventory,
                                     std::vector<std::string>& problems) {
  std::vector<OtherClock> clocks;
  for (const std::string& name : context.repository.storage_names()) {
    if (!inventory.answered(name)) continue;
    try {
      if (const auto time = context.repository.storage(name).info().clock)
        clocks.push_back({fmt::format("storage '{}'", name), *time});
    } catch (const Error& error) {
      check_interrupt();
      problems.push_back(error.message());
    }
  }
  try {
    PgConnection server(context.config.conninfo);
    clocks.push_back(
        {"the PostgreSQL server",
         parse_rfc3339(server.query_value("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', "
                                          "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"))});
  } catch (const Error& error) {
    check_interrupt();
    context.log.warning(fmt::format("the server's clock cannot be asked: {}", error.message()));
  }
  return clocks;
}

void judge_clock(Context& context, const Inventory& inventory, CleanupPlan& plan) {
  const std::vector<OtherClock> clocks = other_clocks(context, inventory, plan.problems);
  if (clocks.empty()) {
    plan.refusal = "neither the server nor a storage tells the time, so ages cannot be trusted";
    plan.cure = "run it again when the server answers";
  }
  for (const OtherClock& clock : clocks) {
    const auto skew = context.clock.now() - clock.time;
    if (std::chrono::abs(skew) <= kMostSkew) continue;
    plan.refusal = fmt::format("this host's clock is {} {} that of {}",
                               format_duration(std::chrono::abs(skew)),
                               skew > skew.zero() ? "ahead of" : "behind", clock.whose);
    plan.cure = "set the clocks right, for instance with chrony; then run it again";
    return;
  }
}

// Backups that the catalog ought to have known before this run.
void judge_memory(const Context& context, const AdoptResult& adopted,
                  const std::set<std::string>& known_before, CleanupPlan& plan) {
  std::size_t forgotten = 0;
  for (const BackupRecord& backup : plan.backups)
    if (!known_before.contains(backup.id) && backup.created_at < context.clock.now() - kFresh)
      ++forgotten;
  if (forgotten == 0) return;
  plan.refusal = fmt::format("the catalog did not know {} of the {} backups in the storages",
                             forgotten, adopted.inventory.backups.size());
  plan.cure = "they are in it now: look at 'bkp list', then run it again";
}

std::vector<BackupRecord> all_rows(const Context& context) {
  BackupFilter filter;
  filter.include_deleted = true;
  std::vector<BackupRecord> rows = context.catalog.backups(filter);
  std::erase_if(rows,
                [&](const BackupRecord& row) { return row.cluster != context.config.cluster; });
  return rows;
}

bool has_copy_in_state(const BackupRecord& row, CopyState state) {
  return std::any_of(row.copies.begin(), row.copies.end(),
                     [state](const CopyRecord& copy) { return copy.state == state; });
}

// A copy in a storage that the configuration has no more: nobody can look there.
bool may_be_elsewhere(const Context& context, const BackupRecord& row) {
  const std::vector<std::string> storages = context.repository.storage_names();
  return std::any_of(row.copies.begin(), row.copies.end(), [&](const CopyRecord& copy) {
    return copy.state != CopyState::deleted && copy.state != CopyState::failed &&
           std::find(storages.begin(), storages.end(), copy.storage) == storages.end();
  });
}

void sort_rows(const Context& context, const std::vector<BackupRecord>& rows,
               const Inventory& inventory, const KnownStems& known, CleanupPlan& plan) {
  const TimePoint limit = context.clock.now() - context.config.keep_deleted;
  for (const BackupRecord& row : rows) {
    if (is_whole(row)) {
      if (known.every_storage_answered && !inventory.backups.contains(stem_of(row)) &&
          !has_copy_in_state(row, CopyState::deleting) && !may_be_elsewhere(context, row))
        plan.gone.push_back(row);
      else
        plan.backups.push_back(row);
    }
    if (has_copy_in_state(row, CopyState::deleting)) plan.unfinished.push_back(row);
    const bool ended = row.status == BackupStatus::deleted || row.status == BackupStatus::failed;
    if (ended && row.deleted_at.value_or(row.created_at) < limit &&
        !inventory.backups.contains(stem_of(row)) && !has_copy_in_state(row, CopyState::deleting))
      plan.forgotten.push_back(row);
  }
}

KnownStems known_stems(const std::vector<BackupRecord>& rows, const AdoptResult& adopted,
                       const std::vector<std::string>& storages) {
  KnownStems known;
  for (const auto& [stem, stored] : adopted.inventory.backups) known.with_manifest.insert(stem);
  for (const BackupRecord& row : rows) {
    if (is_whole(row) && !has_copy_in_state(row, CopyState::deleting))
      known.whole.insert(stem_of(row));
    if (has_copy_in_state(row, CopyState::deleting) || has_copy_in_state(row, CopyState::deleted))
      known.removed.insert(stem_of(row));
  }
  known.every_storage_answered =
      std::all_of(storages.begin(), storages.end(),
                  [&](const std::string& storage) { return adopted.inventory.answered(storage); });
  return known;
}

void find_leftovers(Context& context, const std::string& storage, const KnownStems& known,
                    CleanupPlan& plan) {
  auto* keeper = dynamic_cast<KeepsLeftovers*>(&context.repository.storage(storage));
  if (keeper == nullptr) return;
  try {
    auto found = plan_leftovers(storage, keeper->leftovers(context.config.cluster + "/"), known,
                                stem_of, context.clock.now());
    std::move(found.begin(), found.end(), std::back_inserter(plan.leftovers));
  } catch (const Error& error) {
    check_interrupt();
    plan.problems.push_back(error.message());
  }
}

}  // namespace

CleanupPlan plan_cleanup(Context& context, const CleanupRequest& request) {
  CleanupPlan plan;
  const std::vector<std::string> storages = context.repository.storage_names();
  const auto wanted = [&](const std::string& storage) {
    return request.storages.empty() || std::find(request.storages.begin(), request.storages.end(),
                                                 storage) != request.storages.end();
  };
  std::set<std::string> known_before;
  for (const BackupRecord& row : all_rows(context)) known_before.insert(row.id);
  AdoptResult adopted = adopt_backups(context, {});
  const Inventory& inventory = adopted.inventory;
  plan.problems = adopted.problems;

  const std::vector<BackupRecord> rows = all_rows(context);
  const KnownStems known = known_stems(rows, adopted, storages);
  sort_rows(context, rows, inventory, known, plan);
  std::stable_sort(plan.backups.begin(), plan.backups.end(),
                   [](const auto& a, const auto& b) { return a.created_at < b.created_at; });
  judge_memory(context, adopted, known_before, plan);
  judge_clock(context, inventory, plan);

  plan.copies = plan_retention(retention_facts(plan.backups, inventory),
                               retention_rules(context.config), context.clock.now());
  std::erase_if(plan.copies, [&](const CopyDecision& copy) {
    return !wanted(copy.storage) || (!copy.keep && !inventory.answered(copy.storage));
  });
  plan.rests = plan_orphans(inventory.rests, known, context.clock.now());
  std::erase_if(plan.rests, [&](const RestDecision& rest) { return !wanted(rest.rest.storage); });
  for (const std::string& storage : storages)
    if (wanted(storage) && inventory.answered(storage))
      find_leftovers(context, storage, known, plan);
  return plan;
}

}  // namespace bkp
