#include "storage/local.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "base/interrupt.h"
#include "storage/local_file.h"

namespace bkp {
namespace fs = std::filesystem;
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// Names of a directory's entries; nothing for one that is not there.
std::vector<std::string> entries_of(std::string_view storage, const fs::path& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDirectory> stream(::opendir(directory.c_str()));
  if (!stream) {
    if (errno == ENOENT || errno == ENOTDIR) return names;
    throw_local(storage, "list", directory);
  }
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr && errno != 0) throw_local(storage, "list", directory);
    if (entry == nullptr) return names;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
}

TimePoint to_time(const timespec& time) {
  return TimePoint(std::chrono::seconds(time.tv_sec) +
                   std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::nanoseconds(time.tv_nsec)));
}

class LocalSource final : public Source {
 public:
  LocalSource(std::string storage, fs::path path, Fd file, std::uint64_t offset,
              std::uint64_t length)
      : storage_(std::move(storage)),
        path_(std::move(path)),
        file_(std::move(file)),
        offset_(offset),
        left_(length) {}

  std::size_t read(std::span<std::byte> out) override {
    check_interrupt();
    if (left_ == 0) return 0;
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left_));
    ssize_t count = 0;
    while ((count = ::pread(file_.get(), out.data(), want, static_cast<off_t>(offset_))) < 0) {
      if (errno != EINTR) throw_local(storage_, "read", path_);
      check_interrupt();
    }
    if (count == 0)
      throw Error(ErrorCode::failed, fmt::format("storage '{}': '{}' ends at byte {}, {} too soon",
                                                 storage_, path_.string(), offset_, left_));
    offset_ += static_cast<std::uint64_t>(count);
    left_ -= static_cast<std::uint64_t>(count);
    return static_cast<std::size_t>(count);
  }

 private:
  std::string storage_;
  fs::path path_;
  Fd file_;
  std::uint64_t offset_;
  std::uint64_t left_;
};

class Walk {
 public:
  Walk(std::string_view storage, const fs::path& root, std::string_view prefix)
      : storage_(storage), root_(root), prefix_(prefix) {}

  // `directory` is relative to the root and ends in '/', or is empty.
  void visit(const std::string& directory) {
    for (const std::string& entry : entries_of(storage_, root_ / directory)) {
      check_interrupt();
      const std::string name = directory + entry;
      if (is_object_name(name) && may_match(name)) look_at(name);
    }
  }

  std::vector<Object> objects() && {
    std::sort(objects_.begin(), objects_.end(),
              [](const Object& a, const Object& b) { return a.name < b.name; });
    return std::move(objects_);
  }

 private:
  bool may_match(std::string_view name) const {
    return name.starts_with(prefix_) || (prefix_.starts_with(name) && prefix_[name.size()] == '/');
  }

  void look_at(const std::string& name) {
    struct stat status {};
    if (::lstat((root_ / name).c_str(), &status) != 0) {
      if (errno == ENOENT) return;  // gone since the directory was read
      throw_local(storage_, "look at", root_ / name);
    }
    if (S_ISDIR(status.st_mode))
      visit(name + "/");
    else if (S_ISREG(status.st_mode) && name.starts_with(prefix_))
      objects_.push_back(
          {name, static_cast<std::uint64_t>(status.st_size), to_time(status.st_mtim), {}});
  }

  std::string_view storage_;
  const fs::path& root_;
  std::string_view prefix_;
  std::vector<Object> objects_;
};

}  // namespace

LocalStorage::LocalStorage(std::string name, fs::path root, UnfinishedFile unfinished)
    : name_(std::move(name)), root_(root.lexically_normal()), unfinished_(unfinished) {
  if (!root_.has_filename()) root_ = root_.parent_path();
}

std::unique_ptr<Sink> LocalStorage::create(std::string_view name, CreateOptions options) {
  check_object_name(name);
  return make_local_sink({name_, root_, root_ / name, std::move(options), unfinished_});
}

std::unique_ptr<Source> LocalStorage::open(std::string_view name, Range range) {
  check_object_name(name);
  require_root_directory(name_, root_);
  const fs::path path = root_ / name;
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO) return nullptr;
    throw_local(name_, "open", path);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_local(name_, "look at", path);
  if (!S_ISREG(status.st_mode)) return nullptr;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (range.offset > size)
    throw Error(ErrorCode::failed, fmt::format("storage '{}': '{}' has {} bytes, none at {}", name_,
                                               path.string(), size, range.offset));
  const std::uint64_t rest = size - range.offset;
  return std::make_unique<LocalSource>(name_, path, std::move(file), range.offset,
                                       std::min(range.length.value_or(rest), rest));
}

std::vector<Object> LocalStorage::list(std::string_view prefix) {
  require_root_directory(name_, root_);
  Walk walk(name_, root_, prefix);
  const std::size_t slash = prefix.rfind('/');
  const std::string start(prefix.substr(0, slash == std::string_view::npos ? 0 : slash + 1));
  if (start.empty() || is_object_name(std::string_view(start).substr(0, start.size() - 1)))
    walk.visit(start);
  return std::move(walk).objects();
}

std::vector<Outcome> LocalStorage::remove(std::span<const std::string> names) {
  require_root_directory(name_, root_);
  std::map<fs::path, std::vector<std::size_t>> by_directory;
  std::vector<Outcome> outcomes;
  for (const std::string& name : names) {
    check_object_name(name);
    by_directory[(root_ / name).parent_path()].push_back(outcomes.size());
    outcomes.push_back({name, std::nullopt});
  }
  for (const auto& [directory, members] : by_directory) {
    check_interrupt();
    remove_in(directory, members, outcomes);
  }
  return outcomes;
}

void LocalStorage::remove_in(const fs::path& directory, const std::vector<std::size_t>& members,
                             std::vector<Outcome>& outcomes) {
  std::multimap<std::string, std::string> temporaries;
  for (const std::string& entry : entries_of(name_, directory)) {
    std::string_view object;
    if (is_temporary_name(entry, object)) temporaries.emplace(object, entry);
  }
  bool removed = false;
  const auto unlink = [&](const fs::path& path, Outcome& outcome) {
    if (::unlink(path.c_str()) == 0)
      removed = true;
    else if (errno != ENOENT && errno != ENOTDIR)
      outcome.error.emplace(ErrorCode::failed,
                            fmt::format("storage '{}': cannot remove '{}': {}", name_,
                                        path.string(), std::strerror(errno)));
  };
  for (const std::size_t member : members) {
    Outcome& outcome = outcomes[member];
    const fs::path path = root_ / outcome.name;
    unlink(path, outcome);
    const auto [from, to] = temporaries.equal_range(path.filename().string());
    for (auto at = from; at != to; ++at) unlink(directory / at->second, outcome);
  }
  // What was removed first must stay removed when what is removed after it is.
  if (removed) sync_local_directory(name_, directory);
  prune_directories(root_, directory);
}

StorageInfo LocalStorage::info() {
  require_root_directory(name_, root_);
  struct statvfs status {};
  if (::statvfs(root_.c_str(), &status) != 0) throw_local(name_, "ask the file system of", root_);
  StorageInfo info;
  info.name = name_;
  info.location = root_.string();
  info.capacity = std::uint64_t{status.f_blocks} * status.f_frsize;
  info.available = std::uint64_t{status.f_bavail} * status.f_frsize;
  return info;
}

}  // namespace bkp
