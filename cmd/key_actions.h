// What `bkp key` does, an action each: key.cc chooses, keeps the keys of this host, and looks after
// those of backups; key_transfer.cc carries keys from and to other places.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "session.h"

namespace bkp {

struct KeyOptions {
  std::optional<std::string> action, key, file, output;
  bool later = false, activate = false, rewrap = false, remove = false;
  bool qr = false, dry_run = false, yes = false;
};

int export_keys(const KeyOptions& options, const std::filesystem::path& path, Session& session);
int import_keys(const KeyOptions& options, const std::filesystem::path& path, Session& session);

}  // namespace bkp
