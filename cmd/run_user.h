// Who runs bkp, and as whom. Everything works on files of the user that owns the cluster, so a run
// that was started as root becomes that user before it opens any.
#pragma once

#include <filesystem>
#include <string>

namespace bkp {

// The person to put on record: $SUDO_USER, else the login name of this process's user.
std::string acting_person();

// As root: becomes the owner of the configuration file, or "postgres" where that is root. Does
// nothing for other users, and where there is no configuration. `privileges` stay within
// reach (base/privilege.h). Throws Error(usage) when there is
// no such user.
void leave_root(const std::filesystem::path& config_file, unsigned privileges);

// As root: becomes `user`, with its groups, HOME, USER and LOGNAME, for good.
// Throws Error(usage) when there is no such user.
void become_user(const std::string& user, unsigned privileges = 0);

// As root: makes `directory` and its missing parents; the last one belongs to `user`, mode `mode`.
// A directory that is there stays as it is, but for an empty one of root's, which is given to
// `user`. As another user: plain creation.
void make_directory_of(const std::filesystem::path& directory, const std::string& user,
                       unsigned mode);

bool is_root();
bool user_exists(const std::string& user);

}  // namespace bkp
