// [[storage]] of the configuration.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/secret_source.h"
#include "config/toml_table.h"

namespace bkp {

// All storages in the file's order: at least one, each with a name and a place of its own. Throws
// Error(usage).
std::vector<StorageConfig> read_storages(const TomlTable& root, const SecretSource& secrets,
                                         Secrets required);

// "read", "stat", "none".
VerifyAfter parse_verify_after(const std::string& text);

// A path from the root, without "." and "..". Throws Error(usage).
std::filesystem::path parse_absolute_path(const std::string& text);

}  // namespace bkp
