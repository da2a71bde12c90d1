#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "storage/local.h"
#include "storage/local_file.h"

namespace bkp {
namespace fs = std::filesystem;
namespace {

// What other programs, or an operator's trial, left among the objects.
bool is_nobodys(std::string_view file) {
  return file.ends_with(".tmp") || file.ends_with(".temp") || file.starts_with("test_restore_");
}

}  // namespace

std::vector<Leftover> LocalStorage::leftovers(std::string_view prefix) {
  require_root_directory(name_, root_);
  std::vector<Leftover> found;
  const std::size_t slash = prefix.rfind('/');
  const fs::path start = root_ / prefix.substr(0, slash == std::string_view::npos ? 0 : slash);
  std::error_code error;
  for (fs::recursive_directory_iterator at(start, error), end; !error && at != end;
       at.increment(error)) {
    const fs::path& path = at->path();
    const std::string file = path.filename();
    std::string_view object = file;
    if (!is_temporary_name(file, object) && !is_nobodys(file)) continue;
    const std::string name = (path.parent_path() / object).lexically_relative(root_).string();
    struct stat status {};
    if (!name.starts_with(prefix) || ::lstat(path.c_str(), &status) != 0 ||
        !S_ISREG(status.st_mode))
      continue;
    const TimePoint since{std::chrono::seconds(status.st_mtim.tv_sec)};
    found.push_back({Leftover::Kind::temporary, name, static_cast<std::uint64_t>(status.st_size),
                     since, path.lexically_relative(root_).string()});
  }
  // A directory that is not there yet, or was pruned meanwhile, holds none.
  if (error && error != std::errc::no_such_file_or_directory)
    throw Error(ErrorCode::failed, fmt::format("storage '{}': cannot list '{}': {}", name_,
                                               start.string(), error.message()));
  return found;
}

std::optional<Error> LocalStorage::discard(const Leftover& leftover) {
  require_root_directory(name_, root_);
  const fs::path path = root_ / leftover.token;
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return std::nullopt;
  return Error(ErrorCode::failed, fmt::format("storage '{}': cannot remove '{}': {}", name_,
                                              path.string(), std::strerror(errno)));
}

}  // namespace bkp
