#include "backup/file_scan.h"

#include <dirent.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/glob.h"
#include "base/interrupt.h"

namespace bkp {
namespace {

constexpr int kMostLinks = 40;                     // on the way to one path, as the kernel has it
constexpr long kProc = 0x9fa0, kSys = 0x62656572;  // statfs(2): f_type

using Inode = std::pair<dev_t, ino_t>;

std::string join(const std::string& directory, std::string_view name) {
  return (directory == "/" ? "/" : directory + "/") + std::string(name);
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// "/a//./b/" → a, b. What ".." means is known only when what is before it was looked at.
std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> all;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    if (!name.empty() && name != ".") all.emplace_back(name);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return all;
}

class Names {
 public:
  const std::string& user(uid_t id) {
    return cached(users_, id, [](uid_t uid) {
      const passwd* entry = ::getpwuid(uid);
      return std::string(entry != nullptr ? entry->pw_name : "");
    });
  }
  const std::string& group(gid_t id) {
    return cached(groups_, id, [](gid_t gid) {
      const struct group* entry = ::getgrgid(gid);
      return std::string(entry != nullptr ? entry->gr_name : "");
    });
  }

 private:
  template <typename Look>
  static const std::string& cached(std::map<unsigned, std::string>& known, unsigned id, Look look) {
    const auto at = known.find(id);
    return at != known.end() ? at->second : known.emplace(id, look(id)).first->second;
  }
  std::map<unsigned, std::string> users_, groups_;
};

class Scan {
 public:
  explicit Scan(const ScanRequest& request) : request_(request) {
    for (const ScanRequest::Never& never : request.never) {
      struct stat status {};
      if (!never.path.empty() && ::stat(never.path.c_str(), &status) == 0)
        forbidden_[{status.st_dev, status.st_ino}] = &never.reason;
    }
  }

  ScanResult run() {
    for (const ScanRequest::Path& path : request_.paths) {
      current_ = &path;
      if (!path.implied && is_glob(path.text))
        take_pattern(path);
      else if (!take_named(path.text, 0) && !path.implied)
        leave_out(path.text, "there is none");
    }
    return finish();
  }

 private:
  struct Found {
    FoundFile file;
    Inode inode;
    nlink_t links = 1;
  };

  void leave_out(const std::string& path, std::string reason, bool counted = true) {
    left_out_.try_emplace(path, LeftOut{path, std::move(reason), counted});
  }
  void leave_out_errno(const std::string& path, int code) {
    leave_out(path, code == ENOENT ? "it vanished while bkp looked"
                                   : fmt::format("cannot be read: {}", std::strerror(code)));
  }

  // Null, and left out, where it may not be taken.
  const std::string* forbidden(const std::string& path, const struct stat& status) const {
    if (const auto at = forbidden_.find({status.st_dev, status.st_ino}); at != forbidden_.end())
      return at->second;
    for (const ScanRequest::Never& never : request_.never)
      if (path == never.path.string()) return &never.reason;
    return nullptr;
  }

  // What the path itself is, into the set. False: it is not taken, and nothing below it.
  bool add(const std::string& path, const struct stat& status) {
    if (path == "/") return true;  // it has no name in the archive
    if (const std::string* reason = forbidden(path, status)) {
      leave_out(path, *reason, false);
      return false;
    }
    FoundFile file;
    TarEntry& tar = file.tar;
    tar.path = path.substr(1);
    tar.mode = status.st_mode & 07777;
    tar.uid = status.st_uid;
    tar.gid = status.st_gid;
    tar.user = names_.user(status.st_uid);
    tar.group = names_.group(status.st_gid);
    tar.mtime = status.st_mtim.tv_sec;
    tar.mtime_ns = static_cast<std::uint32_t>(status.st_mtim.tv_nsec);
    if (S_ISREG(status.st_mode)) {
      tar.size = static_cast<std::uint64_t>(status.st_size);
      file.secret = current_->secret ||
                    std::any_of(request_.secrets.begin(), request_.secrets.end(),
                                [&](const std::string& glob) { return path_matches(glob, path); });
    } else if (S_ISDIR(status.st_mode)) {
      tar.type = FileType::directory;
    } else if (S_ISLNK(status.st_mode)) {
      tar.type = FileType::symlink;
      if (!read_link(path, tar.link)) return false;
      tar.mode = 0777;
    } else {
      leave_out(path, S_ISSOCK(status.st_mode)   ? "it is a socket"
                      : S_ISFIFO(status.st_mode) ? "it is a fifo"
                                                 : "it is a device");
      return false;
    }
    file.implied = current_->implied;
    const auto [at, is_new] = found_.try_emplace(
        path, Found{std::move(file), {status.st_dev, status.st_ino}, status.st_nlink});
    if (!is_new) {  // named twice: what the user named counts, and what makes it a secret
      at->second.file.secret = at->second.file.secret || current_->secret;
      at->second.file.implied = at->second.file.implied && current_->implied;
    }
    return true;
  }

  bool read_link(const std::string& path, std::string& target) {
    std::string buffer(4096, '\0');
    const ssize_t size = ::readlink(path.c_str(), buffer.data(), buffer.size());
    if (size < 0) {
      leave_out_errno(path, errno);
      return false;
    }
    target = buffer.substr(0, static_cast<std::size_t>(size));
    return true;
  }

  // Goes to a path name by name, taking what lies on the way and through links; then what is there
  // with all below it. False: there is no such path.
  bool take_named(const std::string& named, int links) {
    std::vector<std::string> rest = components(named);
    std::reverse(rest.begin(), rest.end());
    std::string at = "/";
    while (!rest.empty()) {
      const std::string name = rest.back();
      rest.pop_back();
      if (name == "..") {
        at = parent_of(at);
        continue;
      }
      at = join(at, name);
      struct stat status {};
      if (::lstat(at.c_str(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return false;
        leave_out_errno(at, errno);
        return true;
      }
      if (!add(at, status)) return true;
      if (!S_ISLNK(status.st_mode)) continue;
      if (++links > kMostLinks) {
        leave_out(at, "it leads through too many symbolic links");
        return true;
      }
      std::string target;
      if (!read_link(at, target)) return true;
      std::vector<std::string> more = components(target);
      rest.insert(rest.end(), more.rbegin(), more.rend());
      at = target.starts_with('/') ? "/" : parent_of(at);
    }
    struct stat status {};
    if (::lstat(at.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) descend(at);
    return true;
  }

  std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), &::closedir);
    if (!open) {
      leave_out_errno(directory, errno);
      return names;
    }
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(open.get());
      if (entry == nullptr) break;
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    if (errno != 0) leave_out_errno(directory, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  // Not configuration, whoever named it: a kernel's own tree, a server's data.
  bool refused_whole(const std::string& directory) {
    struct statfs system {};
    if (::statfs(directory.c_str(), &system) == 0 &&
        (system.f_type == kProc || system.f_type == kSys)) {
      leave_out(directory, "what is in it is the kernel's, not on a disk", false);
      return true;
    }
    struct stat status {};
    if (::stat(join(directory, "global/pg_control").c_str(), &status) == 0) {
      leave_out(directory,
                "a data directory of PostgreSQL: of what is in it only the server's own "
                "configuration is taken",
                false);
      return true;
    }
    return false;
  }

  void descend(const std::string& top) {
    std::vector<std::string> open{top};
    while (!open.empty()) {
      check_interrupt();
      const std::string directory = open.back();
      open.pop_back();
      if (!walked_.insert(directory).second) continue;
      if (refused_whole(directory)) continue;
      for (const std::string& name : names_in(directory)) {
        const std::string path = join(directory, name);
        struct stat status {};
        if (::lstat(path.c_str(), &status) != 0)
          leave_out_errno(path, errno);
        else if (add(path, status) && S_ISDIR(status.st_mode))
          open.push_back(path);
      }
    }
  }

  void take_pattern(const ScanRequest::Path& path) {
    std::vector<std::string> matches;
    expand("/", components(path.text), 0, matches);
    for (const std::string& match : matches) take_named(match, 0);
    if (matches.empty()) leave_out(path.text, "nothing is of this pattern");
  }

  void expand(const std::string& directory, const std::vector<std::string>& pattern,
              std::size_t index, std::vector<std::string>& matches) {
    check_interrupt();
    struct stat status {};
    if (index == pattern.size()) {
      if (::lstat(directory.c_str(), &status) == 0) matches.push_back(directory);
      return;
    }
    const std::string& wanted = pattern[index];
    if (!is_glob(wanted)) return expand(join(directory, wanted), pattern, index + 1, matches);
    if (::stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return;
    if (forbidden(directory, status) != nullptr) return;
    const bool deep = wanted == "**";
    if (deep && index + 1 < pattern.size()) expand(directory, pattern, index + 1, matches);
    if (deep && refused_whole(directory)) return;
    for (const std::string& name : names_in(directory)) {
      const std::string path = join(directory, name);
      if (deep && index + 1 < pattern.size()) {
        if (::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
          expand(path, pattern, index, matches);
      } else if (deep || glob_matches(wanted, name)) {
        expand(path, pattern, index + 1, matches);
      }
    }
  }

  // One inode under several names is one file and links to it; if one name is a secret's, it is.
  ScanResult finish() {
    std::map<Inode, std::vector<FoundFile*>> linked;
    for (auto& [path, found] : found_)
      if (found.file.tar.type == FileType::file && found.links > 1)
        linked[found.inode].push_back(&found.file);
    for (auto& [inode, files] : linked) {
      const auto any = [&files = files](bool FoundFile::*flag) {
        return std::any_of(files.begin(), files.end(),
                           [flag](const FoundFile* file) { return file->*flag; });
      };
      const bool secret = any(&FoundFile::secret);
      for (FoundFile* file : files) {
        file->secret = secret;
        if (file == files.front()) continue;
        file->tar.type = FileType::hard_link;
        file->tar.link = files.front()->tar.path;
        file->tar.size = 0;
      }
    }
    ScanResult result;
    for (auto& [path, found] : found_) result.files.push_back(std::move(found.file));
    for (auto& [path, out] : left_out_) result.left_out.push_back(std::move(out));
    return result;
  }

  const ScanRequest& request_;
  const ScanRequest::Path* current_ = nullptr;
  std::map<Inode, const std::string*> forbidden_;
  std::map<std::string, Found> found_;
  std::map<std::string, LeftOut> left_out_;
  std::set<std::string> walked_;
  Names names_;
};

}  // namespace

ScanResult scan_files(const ScanRequest& request) { return Scan(request).run(); }

}  // namespace bkp
