// The storages of a configuration as manifests carry them: where they are, without secrets, so that
// one of them leads a new host to all others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace bkp {

std::string encode_storages(const std::vector<StorageConfig>& storages);
// What does not make sense is left out: nothing depends on it.
std::vector<StorageConfig> decode_storages(std::string_view json);

}  // namespace bkp
