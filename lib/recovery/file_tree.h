// A tree of files written into a directory of its own: nothing outside of it is touched, whatever
// the names in an archive say.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/fd.h"
#include "crypto/digest.h"
#include "stream/stream.h"
#include "stream/tar.h"

namespace bkp {

// Every entry is made below an open directory, its parents opened one by one without following
// links, by calls that fail where a name is taken; symbolic links come last. Paths that are empty,
// absolute, or have "." or ".." in them are refused with Error(integrity).
class FileTree {
 public:
  enum class Owners { keep, restore };

  // `directory` is there and empty.
  FileTree(const std::filesystem::path& directory, Owners owners);

  // Private until settle(). Parents that were not given are made.
  void add_directory(const TarEntry& entry);
  void add_file(const TarEntry& entry, Source& content);
  void add_link(const TarEntry& entry);  // symbolic or hard; made by settle()
  // SHA-256 of a file as it is on the disk now; before settle(), which may close it to this user.
  Digest256 digest(const std::string& path) const;
  // Makes the links, gives owners, modes and times, looks whether all of that is so (throws
  // Error(integrity) naming what is not), and makes it durable. Without owners no file gets a
  // set-id bit: it would be another user's.
  void settle();

 private:
  Fd open_parent(const std::string& path, std::string& name, bool make) const;
  void finish_entry(const TarEntry& entry) const;
  void require_settled(int parent, const std::string& name, const TarEntry& entry) const;
  unsigned mode_of(const TarEntry& entry) const;

  std::filesystem::path directory_;
  Fd root_;
  Owners owners_;
  std::vector<TarEntry> files_, directories_, links_;
};

}  // namespace bkp
