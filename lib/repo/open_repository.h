// The repository that a configuration describes.
#pragma once

#include <memory>

#include "repo/repository.h"

namespace bkp {

// Opens no connection and reads nothing but the key file. Local storages come first, so that what
// is asked of the first that answers is asked nearby.
std::unique_ptr<Repository> open_repository(const Config& config, WorkerPool& pool,
                                            const Clock& clock);

}  // namespace bkp
