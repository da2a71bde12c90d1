// Which files of the host a configuration snapshot is made of: paths and patterns followed to what
// lies there. Looks at names, kinds and owners; opens no file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "backup/configuration.h"

namespace bkp {

struct ScanRequest {
  struct Path {
    std::string text;  // absolute; a pattern of base/glob.h
    // One that bkp adds by itself: not a mistake of the user's when it is not there.
    bool implied = false;
    bool secret = false;  // whatever its name
  };
  std::vector<Path> paths;
  std::vector<std::string> secrets;  // patterns of files that are secret
  // What must not go into a backup, with the reason that is told; found by path and by inode, a
  // directory with all that is in it.
  struct Never {
    std::filesystem::path path;
    std::string reason;
  };
  std::vector<Never> never;
};

struct FoundFile {
  TarEntry tar;  // path without the first '/'; a hard link names the first of its kind
  bool secret = false;
  bool implied = false;
};

struct ScanResult {
  std::vector<FoundFile> files;  // by path
  std::vector<LeftOut> left_out;
};

// A path that is named, itself or by a pattern, and is a symbolic link is taken as the link and,
// beside it, as what it leads to; so is one on the way to it. Links met below a named directory are
// taken as links only. Directories above a named path are taken without what else is in them.
// Sockets, fifos and devices, and what cannot be looked at, are left out and named, and so is the
// content of PostgreSQL's data directories that is not named itself.
ScanResult scan_files(const ScanRequest& request);

}  // namespace bkp
