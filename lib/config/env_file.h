// The file of KEY=VALUE lines that stands in for an environment where there is none of yours: cron,
// archive_command. The process's own environment comes first.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace bkp {

using EnvFile = std::map<std::string, Secret, std::less<>>;

// Lines KEY=VALUE, `export ` before them tolerated; empty ones and those that begin with # are
// left out. A value is the rest of its line without blanks around it, or stands in quotes: '…' as
// it is, "…" with \" \\ \$ \` for those characters. Nothing is expanded. Throws Error(usage) naming
// file and line, never what stands there.
EnvFile parse_env_file(std::string_view content, const std::filesystem::path& file);

// A variable of this process, else of the file; nullopt when it is in neither.
std::optional<Secret> environment_variable(const std::string& name, const EnvFile& file);

}  // namespace bkp
