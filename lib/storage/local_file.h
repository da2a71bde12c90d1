// What LocalStorage's reading and writing share: errors that name the storage and say what to do,
// and directories that come and go with the objects in them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "storage/local.h"

namespace bkp {

// "storage 'local': cannot write '/path': No space left on device", with a hint for the errors that
// a user can act on. Reads errno.
[[noreturn]] void throw_local(std::string_view storage, std::string_view action,
                              const std::filesystem::path& path);

// Throws StorageUnreachable unless the storage's root is there.
void require_root_directory(std::string_view storage, const std::filesystem::path& root);
// fsync of a directory, its error told as this storage's.
void sync_local_directory(std::string_view storage, const std::filesystem::path& directory);

// Makes the directories from `root` (which exists) down to `directory`, each durable in its parent.
// False: another run pruned one of them meanwhile; try again.
bool make_directories(std::string_view storage, const std::filesystem::path& root,
                      const std::filesystem::path& directory);
// Removes `directory` and those above it below `root` for as long as they are empty.
void prune_directories(const std::filesystem::path& root, std::filesystem::path directory) noexcept;

// Whether a file's last name is that of an unfinished write: "<object>.<8 hex digits>.tmp"; then
// `object` becomes the object's last name.
bool is_temporary_name(std::string_view file_name, std::string_view& object);

struct LocalTarget {
  std::string storage;
  std::filesystem::path root;
  std::filesystem::path path;
  CreateOptions options;
  UnfinishedFile unfinished;
};
std::unique_ptr<Sink> make_local_sink(LocalTarget target);

}  // namespace bkp
