// A file that holds secrets: regular, closed to other users, its owner's to change.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace bkp {

// `what` names it in messages: "env_file". Throws Error(usage), with the chmod or chown that cures
// it, for a file that group or others may read, or that belongs to neither this user nor root (to
// root every owner is right). Throws Error(usage) too when it cannot be read, or is above 1 MiB.
std::string read_private_file(const std::filesystem::path& path, std::string_view what);

}  // namespace bkp
