#include "storage/open_storage.h"

#include "storage/local.h"
#include "storage/s3.h"

namespace bkp {

std::shared_ptr<Storage> open_storage(const StorageConfig& config) {
  if (config.type == StorageType::local)
    return std::make_shared<LocalStorage>(config.name, config.path);
  return std::make_shared<S3Storage>(config);
}

}  // namespace bkp
