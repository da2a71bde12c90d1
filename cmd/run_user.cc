#include "run_user.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/privilege.h"

namespace bkp {
namespace {

// getpwnam's record lives in static memory; taken before threads start.
const passwd& known_user(const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr)
    throw Error(ErrorCode::usage, "there is no user '" + user + "' to run as",
                "make the configuration file belong to the user that owns the cluster, with chown");
  return *entry;
}

std::string name_of(uid_t uid) {
  const passwd* entry = ::getpwuid(uid);
  return entry != nullptr ? entry->pw_name : std::to_string(uid);
}

}  // namespace

bool is_root() { return ::geteuid() == 0; }

bool user_exists(const std::string& user) { return ::getpwnam(user.c_str()) != nullptr; }

std::string acting_person() {
  const char* sudo = std::getenv("SUDO_USER");
  if (sudo != nullptr && *sudo != '\0') return sudo;
  return name_of(::getuid());
}

void become_user(const std::string& user, unsigned privileges) {
  if (!is_root()) return;
  const passwd& entry = known_user(user);
  const std::string home = entry.pw_dir;
  if (privileges != 0) keep_privileges_over_setuid();
  if (::initgroups(entry.pw_name, entry.pw_gid) != 0 || ::setgid(entry.pw_gid) != 0 ||
      ::setuid(entry.pw_uid) != 0)
    throw_errno("cannot become user '" + user + "'");
  if (privileges != 0 && entry.pw_uid != 0) drop_all_but(privileges);
  ::setenv("HOME", home.c_str(), 1);
  ::setenv("USER", user.c_str(), 1);
  ::setenv("LOGNAME", user.c_str(), 1);
  // The programs that bkp starts refuse a working directory that they cannot enter.
  if (::access(".", X_OK) != 0 && ::chdir("/") != 0) throw_errno("cannot enter '/'");
}

void leave_root(const std::filesystem::path& config_file, unsigned privileges) {
  if (!is_root()) return;
  struct stat status {};
  if (::stat(config_file.c_str(), &status) != 0) return;
  become_user(status.st_uid == 0 ? "postgres" : name_of(status.st_uid), privileges);
}

void make_directory_of(const std::filesystem::path& directory, const std::string& user,
                       unsigned mode) {
  std::error_code ignored;
  struct stat status {};
  const bool there = ::stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  // An empty one of root's was made for this (by a package, by hand); any other stays as it is.
  if (there && (status.st_uid != 0 || !std::filesystem::is_empty(directory, ignored))) return;
  if (directory.has_parent_path())
    std::filesystem::create_directories(directory.parent_path(), ignored);
  if (!there && ::mkdir(directory.c_str(), mode) != 0)
    throw_errno("cannot create directory '" + directory.string() + "'");
  if (!is_root()) return;
  const passwd& entry = known_user(user);
  if (::chown(directory.c_str(), entry.pw_uid, entry.pw_gid) != 0)
    throw_errno("cannot give '" + directory.string() + "' to user '" + user + "'");
}

}  // namespace bkp
