#include "repo/inventory.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "repo/layout.h"
#include "stream/fan_out.h"
#include "stream/memory_stream.h"

namespace bkp {
namespace {

constexpr std::array kTypes = {BackupType::full_database, BackupType::tenant_backup,
                               BackupType::base, BackupType::configuration};
// A long list takes its time; one that does not answer has limits of its own.
constexpr std::chrono::minutes kPatience{2};

std::vector<Object> list_backups(const Repository& repository, const std::string& storage,
                                 std::optional<BackupType> type, const std::string& stem) {
  repository.require_own(storage);
  if (!stem.empty()) return repository.storage(storage).list(stem + ".");
  std::vector<Object> all;
  for (const BackupType each : kTypes) {
    if (type && each != *type) continue;
    std::vector<Object> some =
        repository.storage(storage).list(type_prefix(repository.cluster(), each));
    all.insert(all.end(), std::make_move_iterator(some.begin()),
               std::make_move_iterator(some.end()));
  }
  return all;
}

void add(const std::vector<Object>& objects, StoredAmount& amount, Inventory& inventory) {
  std::map<std::string, StoredRest> by_stem;
  std::set<std::string> with_manifest, held;
  for (const Object& object : objects) {
    const std::string stem = stem_of(object.name);
    if (stem.empty()) continue;
    amount.bytes += object.size;
    const ObjectRole role = role_of(object.name);
    if (role == ObjectRole::hold) held.insert(stem);
    if (role == ObjectRole::manifest) with_manifest.insert(stem);
    StoredRest& rest = by_stem[stem];
    rest.objects.push_back(object.name);
    rest.bytes += object.size;
    rest.newest = std::max(rest.newest, object.modified);
  }
  amount.backups = with_manifest.size();
  for (const std::string& stem : with_manifest)
    inventory.backups[stem].storages.push_back(amount.storage);
  for (const std::string& stem : held)
    if (const auto backup = inventory.backups.find(stem); backup != inventory.backups.end())
      backup->second.held = true;
  for (auto& [stem, rest] : by_stem) {
    if (with_manifest.contains(stem)) continue;
    rest.storage = amount.storage;
    rest.stem = stem;
    inventory.rests.push_back(std::move(rest));
  }
}

}  // namespace

bool Inventory::answered(const std::string& storage) const {
  return std::any_of(storages.begin(), storages.end(), [&](const StoredAmount& amount) {
    return amount.storage == storage && amount.error.empty();
  });
}

Inventory take_inventory(const Repository& repository, const std::vector<std::string>& storages,
                         std::optional<BackupType> type, const std::string& stem) {
  std::vector<std::vector<Object>> found(storages.size());
  std::vector<Leg> legs;
  for (std::size_t i = 0; i < storages.size(); ++i)
    legs.push_back({storages[i], [&, i](std::stop_token stop) -> std::unique_ptr<Sink> {
                      const StopScope scope(std::move(stop));
                      found[i] = list_backups(repository, storages[i], type, stem);
                      return std::make_unique<NullSink>();
                    }});
  FanOutOptions options;
  options.stall = options.open_stall = kPatience;
  FanOut all(std::move(legs), options);
  all.finish();
  const std::vector<LegResult> results = all.wait();
  Inventory inventory;
  for (std::size_t i = 0; i < storages.size(); ++i) {
    StoredAmount amount{storages[i], describe(results[i].error), 0, 0};
    if (results[i].ok()) add(found[i], amount, inventory);
    inventory.storages.push_back(std::move(amount));
  }
  return inventory;
}

}  // namespace bkp
