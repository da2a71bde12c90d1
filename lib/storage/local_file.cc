#include "storage/local_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace bkp {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kRandomDigits = 8;

std::string hint_for(int error, const fs::path& path) {
  switch (error) {
    case ENOSPC:
      return fmt::format(
          "free space on the file system of '{}' (bkp cleanup, a shorter keep) or enlarge it",
          path.parent_path().string());
    case EDQUOT:
      return "raise the disk quota of the user that bkp runs as, or keep less";
    case EACCES:
    case EPERM:
      return fmt::format("let the user that bkp runs as (uid {}) write there", ::geteuid());
    case EROFS:
      return "the file system is mounted read-only: see dmesg, then remount it";
    default:
      return {};
  }
}

}  // namespace

void throw_local(std::string_view storage, std::string_view action, const fs::path& path) {
  const int error = errno;
  throw Error(ErrorCode::failed,
              fmt::format("storage '{}': cannot {} '{}': {}", storage, action, path.string(),
                          std::strerror(error)),
              hint_for(error, path));
}

void require_root_directory(std::string_view storage, const fs::path& root) {
  struct stat status {};
  if (::stat(root.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return;
  throw StorageUnreachable(
      ErrorCode::failed,
      fmt::format("storage '{}': there is no directory '{}'", storage, root.string()),
      "is the disk mounted? bkp init makes the directory of a new storage");
}

void sync_local_directory(std::string_view storage, const fs::path& directory) {
  const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) throw_local(storage, "sync directory", directory);
}

bool make_directories(std::string_view storage, const fs::path& root, const fs::path& directory) {
  std::vector<fs::path> missing;
  for (fs::path at = directory; at != root; at = at.parent_path()) {
    struct stat status {};
    if (::stat(at.c_str(), &status) == 0) break;
    if (errno != ENOENT) throw_local(storage, "look at", at);
    missing.push_back(at);
  }
  for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
    if (::mkdir(at->c_str(), 0750) != 0 && errno != EEXIST) {
      if (errno == ENOENT) return false;
      throw_local(storage, "make directory", *at);
    }
    sync_local_directory(storage, at->parent_path());
  }
  return true;
}

void prune_directories(const fs::path& root, fs::path directory) noexcept {
  for (; directory != root && directory.has_relative_path(); directory = directory.parent_path())
    if (::rmdir(directory.c_str()) != 0) return;
}

bool is_temporary_name(std::string_view file_name, std::string_view& object) {
  const std::size_t tail = 1 + kRandomDigits + kTemporarySuffix.size();
  if (!file_name.ends_with(kTemporarySuffix) || file_name.size() <= tail) return false;
  const std::size_t dot = file_name.size() - tail;
  const std::string_view digits = file_name.substr(dot + 1, kRandomDigits);
  if (file_name[dot] != '.' ||
      digits.find_first_not_of("0123456789abcdef") != std::string_view::npos)
    return false;
  object = file_name.substr(0, dot);
  return true;
}

}  // namespace bkp
