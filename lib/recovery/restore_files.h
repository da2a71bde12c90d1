// Files of a configuration snapshot back onto a disk, in a directory of their own, proved.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "backup/context.h"

namespace bkp {

struct RestoreFilesRequest {
  BackupRecord backup;            // of type CONFIGURATION
  std::filesystem::path to_dir;   // absent or empty
  std::vector<std::string> only;  // patterns (base/glob.h) of paths; empty: all
  std::string reason;
};

struct RestoreFilesResult {
  RestoreRecord record;
  std::uint64_t files = 0;          // entries written, of every kind
  std::vector<std::string> sealed;  // paths whose key is not here: not restored
  bool owners = false;              // whether they were given to those they belonged to
  std::vector<std::string> warnings;
};

// Builds the tree under another name beside (or inside of) the directory, proves every file, mode
// and target against the manifest, and only then moves it there. On failure nothing of it stays.
// Throws Error: usage (the directory is not empty, a pattern is of nothing, another type of
// backup), integrity, failed.
RestoreFilesResult restore_files(Context& context, const RestoreFilesRequest& request);

}  // namespace bkp
