#include "recovery/file_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/utf8.h"

namespace bkp {
namespace {

std::vector<std::string> names_of(const std::string& path) {
  std::vector<std::string> names;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t to = std::min(path.find('/', from), path.size());
    names.push_back(path.substr(from, to - from));
    const std::string& name = names.back();
    if (name.empty() || name == "." || name == ".." || name.find('\0') != std::string::npos)
      throw Error(ErrorCode::integrity,
                  fmt::format("the backup names a path that is not below a directory: '{}'",
                              valid_utf8(path)));
    from = to + 1;
  }
  return names;
}

[[noreturn]] void fail(const char* what, const std::string& path) {
  throw_errno(fmt::format("cannot {} '{}'", what, valid_utf8(path)));
}

timespec time_of(const TarEntry& entry) {
  return {static_cast<time_t>(entry.mtime), static_cast<long>(entry.mtime_ns)};
}

}  // namespace

FileTree::FileTree(const std::filesystem::path& directory, Owners owners)
    : directory_(directory),
      root_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)),
      owners_(owners) {
  if (!root_) throw_errno("cannot open '" + directory.string() + "'");
}

Fd FileTree::open_parent(const std::string& path, std::string& name, bool make) const {
  std::vector<std::string> names = names_of(path);
  name = std::move(names.back());
  names.pop_back();
  Fd at(::openat(root_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at) fail("open", path);
  for (const std::string& each : names) {
    if (make && ::mkdirat(at.get(), each.c_str(), 0700) != 0 && errno != EEXIST)
      fail("create", path);
    Fd next(::openat(at.get(), each.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!next) fail("open a directory of", path);
    at = std::move(next);
  }
  return at;
}

void FileTree::add_directory(const TarEntry& entry) {
  std::string name;
  const Fd parent = open_parent(entry.path, name, true);
  struct stat status {};
  if (::mkdirat(parent.get(), name.c_str(), 0700) != 0 &&
      (errno != EEXIST ||
       ::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
       !S_ISDIR(status.st_mode)))
    fail("create directory", entry.path);
  directories_.push_back(entry);
}

void FileTree::add_file(const TarEntry& entry, Source& content) {
  std::string name;
  const Fd parent = open_parent(entry.path, name, true);
  const Fd file(::openat(parent.get(), name.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) fail("create", entry.path);
  Bytes buffer(std::size_t{256} << 10);
  while (const std::size_t count = content.read(buffer))
    write_all(file.get(), ByteView(buffer).first(count), valid_utf8(entry.path));
  if (::fsync(file.get()) != 0) fail("make durable", entry.path);
  files_.push_back(entry);
}

void FileTree::add_link(const TarEntry& entry) { links_.push_back(entry); }

void FileTree::finish_entry(const TarEntry& entry) const {
  std::string name;
  const Fd parent = open_parent(entry.path, name, false);
  if (owners_ == Owners::restore &&
      ::fchownat(parent.get(), name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0)
    fail("give an owner to", entry.path);
  if (entry.type != FileType::symlink && ::fchmodat(parent.get(), name.c_str(), mode_of(entry),
                                                    0) != 0)  // after chown, which takes bits
    fail("set the mode of", entry.path);
  const timespec times[] = {{0, UTIME_OMIT}, time_of(entry)};
  if (::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    fail("set the time of", entry.path);
  require_settled(parent.get(), name, entry);
}

unsigned FileTree::mode_of(const TarEntry& entry) const {
  return owners_ == Owners::restore ? entry.mode : entry.mode & 01777U;
}

void FileTree::require_settled(int parent, const std::string& name, const TarEntry& entry) const {
  const auto require = [&entry](bool holds, const char* what) {
    if (!holds)
      throw Error(ErrorCode::integrity,
                  fmt::format("{} of '{}' is not as in the backup", what, valid_utf8(entry.path)));
  };
  struct stat status {};
  if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    fail("look at", entry.path);
  const bool is_link = entry.type == FileType::symlink;
  require(entry.type == FileType::directory ? S_ISDIR(status.st_mode)
          : is_link                         ? S_ISLNK(status.st_mode)
                                            : S_ISREG(status.st_mode),
          "the kind");
  require(is_link || (status.st_mode & 07777) == mode_of(entry), "the mode");
  require(owners_ == Owners::keep || (status.st_uid == entry.uid && status.st_gid == entry.gid),
          "the owner");
  const timespec time = time_of(entry);
  require(status.st_mtim.tv_sec == time.tv_sec && status.st_mtim.tv_nsec == time.tv_nsec,
          "the time");
  if (!is_link) return;
  std::string target(entry.link.size() + 1, '\0');
  const ssize_t size = ::readlinkat(parent, name.c_str(), target.data(), target.size());
  require(size >= 0 && target.substr(0, static_cast<std::size_t>(size)) == entry.link,
          "the target");
}

void FileTree::settle() {
  for (const TarEntry& file : files_) finish_entry(file);
  for (const TarEntry& link : links_) {
    if (link.type != FileType::hard_link) continue;
    std::string name, target;
    const Fd parent = open_parent(link.path, name, true);
    const Fd other = open_parent(link.link, target, false);
    if (::linkat(other.get(), target.c_str(), parent.get(), name.c_str(), 0) != 0)
      fail("link", link.path);
  }
  // From here on a name may lead elsewhere, and no more is made through names.
  for (const TarEntry& link : links_) {
    if (link.type != FileType::symlink) continue;
    std::string name;
    const Fd parent = open_parent(link.path, name, true);
    if (::symlinkat(link.link.c_str(), parent.get(), name.c_str()) != 0) fail("link", link.path);
    finish_entry(link);
  }
  // The innermost first: a mode may close a directory, and what is made in it sets its time.
  std::sort(directories_.begin(), directories_.end(),
            [](const TarEntry& a, const TarEntry& b) { return a.path > b.path; });
  for (const TarEntry& directory : directories_) {
    std::string name;
    const Fd parent = open_parent(directory.path, name, false);
    const Fd open(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!open || ::fsync(open.get()) != 0) fail("make durable", directory.path);
    finish_entry(directory);
  }
  if (::fsync(root_.get()) != 0) fail("make durable", directory_.string());
}

Digest256 FileTree::digest(const std::string& path) const {
  std::string name;
  const Fd parent = open_parent(path, name, false);
  const Fd file(::openat(parent.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) fail("read back", path);
  Sha256 hash;
  Bytes buffer(std::size_t{256} << 10);
  while (const std::size_t count = read_some(file.get(), buffer, valid_utf8(path)))
    hash.update(ByteView(buffer).first(count));
  return hash.finish();
}

}  // namespace bkp
