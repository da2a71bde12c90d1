// A storage in a directory: every object a file, written beside its place and moved there once it
// is on the disk.
#pragma once

#include <filesystem>
#include <string>

#include "storage/leftovers.h"
#include "storage/storage.h"

namespace bkp {

// What a file is while it is written: without a name, so that not even a kill leaves anything, but
// with a temporary name on file systems that have no such files (and where tests ask for it).
enum class UnfinishedFile { unnamed, named };

// The root directory must exist (init makes it): a missing one means a disk that is not mounted,
// and is StorageUnreachable for every method, never "no objects". Directories below it are made
// and, once empty, removed as objects come and go. Sinks are Rereadable, also after a failed write
// and after finish(). Entries that are not regular files with an object's name are passed over.
class LocalStorage final : public Storage, public KeepsLeftovers {
 public:
  LocalStorage(std::string name, std::filesystem::path root,
               UnfinishedFile unfinished = UnfinishedFile::unnamed);

  std::unique_ptr<Sink> create(std::string_view name, CreateOptions options) override;
  std::unique_ptr<Source> open(std::string_view name, Range range = {}) override;
  std::vector<Object> list(std::string_view prefix) override;
  std::vector<Outcome> remove(std::span<const std::string> names) override;
  StorageInfo info() override;
  std::vector<Leftover> leftovers(std::string_view prefix) override;
  std::optional<Error> discard(const Leftover& leftover) override;

 private:
  // Removes the objects in `outcomes` at the indices `members`, all of one directory.
  void remove_in(const std::filesystem::path& directory, const std::vector<std::size_t>& members,
                 std::vector<Outcome>& outcomes);

  std::string name_;
  std::filesystem::path root_;
  UnfinishedFile unfinished_;
};

}  // namespace bkp
