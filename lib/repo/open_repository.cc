#include "repo/open_repository.h"

#include <algorithm>
#include <utility>

#include "storage/open_storage.h"

namespace bkp {

std::unique_ptr<Repository> open_repository(const Config& config, WorkerPool& pool,
                                            const Clock& clock) {
  std::vector<StorageConfig> ordered = config.storages;
  std::stable_partition(ordered.begin(), ordered.end(), [](const StorageConfig& storage) {
    return storage.type == StorageType::local;
  });
  std::vector<NamedStorage> storages;
  for (const StorageConfig& storage : ordered)
    storages.push_back({storage.name, open_storage(storage)});
  return std::make_unique<Repository>(config.cluster, std::move(storages),
                                      load_key_file(config.key_file).with_escrow(config.also_for),
                                      parse_suite(config.cipher), pool, clock);
}

}  // namespace bkp
