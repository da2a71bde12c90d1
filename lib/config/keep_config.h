// How long a storage keeps what is in it: keep and keep_last of [[storage]].
#pragma once

#include "config/config.h"
#include "config/toml_table.h"

namespace bkp {

// With the defaults of its type for what is not said. Throws Error(usage).
StorageKeep read_keep(const TomlTable& storage, StorageType type);

}  // namespace bkp
