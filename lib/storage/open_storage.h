// The driver that a configured storage names.
#pragma once

#include <memory>

#include "config/config.h"
#include "storage/storage.h"

namespace bkp {

// No I/O. Throws Error(usage) for a configuration that cannot work.
std::shared_ptr<Storage> open_storage(const StorageConfig& config);

}  // namespace bkp
