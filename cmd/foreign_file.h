// Files that bkp did not write: Fernet tokens of an older system, around gzip.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "stream/stream.h"

namespace bkp {

struct ForeignFile {
  std::optional<std::string> path, key_env, key_file;
};

// --from-file, --fernet-key-env, --fernet-key-file.
void add_foreign_file(CLI::App& app, ForeignFile& file);
// Throws Error(usage) for a key without a file, and for a file beside something that chooses a
// backup (`backup_given`).
void require_sense(const ForeignFile& file, bool backup_given);
// What the file holds, decrypted and decompressed; what is no gzip inside is given as it is. The
// key's variable is not handed to child processes.
std::unique_ptr<Source> open_foreign_file(const ForeignFile& file);

}  // namespace bkp
