#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/error.h"
#include "pg/tools.h"

namespace bkp {
namespace {

namespace fs = std::filesystem;

constexpr int kOldestTold = 10;
constexpr const char* kDebian = "/usr/lib/postgresql";

bool has_tools(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(directory / "pg_dump", ignored) &&
         fs::exists(directory / "pg_restore", ignored);
}

// The version of the tools there; 0 where there are none or they do not run.
int major_of(const fs::path& directory) {
  if (!has_tools(directory)) return 0;
  try {
    return tool_version(directory / "pg_dump").major;
  } catch (const Error&) {
    return 0;
  }
}

std::vector<fs::path> path_directories() {
  std::vector<fs::path> directories;
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "";
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    if (end > 0) directories.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return directories;
}

std::optional<fs::path> pg_config_directory() {
  try {
    ProcessOptions options;
    options.argv = {"pg_config", "--bindir"};
    std::string output = run_for_output(std::move(options));
    while (!output.empty() && output.back() == '\n') output.pop_back();
    if (!output.empty()) return output;
  } catch (const Error&) {
    // Not installed: it belongs to the development files.
  }
  return std::nullopt;
}

// Debian's /usr/lib/postgresql/17/bin and the PGDG rpm's /usr/pgsql-17/bin.
std::vector<fs::path> packaged_directories(int major) {
  return {fs::path(kDebian) / std::to_string(major) / "bin",
          fmt::format("/usr/pgsql-{}/bin", major)};
}

std::string told(const std::pair<int, fs::path>& newest_older) {
  if (newest_older.first == 0) return {};
  return fmt::format(": the newest here is {}, in '{}'", newest_older.first,
                     newest_older.second.string());
}

}  // namespace

fs::path find_tools(int major, const fs::path& configured) {
  const std::string hint = fmt::format(
      "install postgresql-client-{} (Debian, Ubuntu) or postgresql{} (Red Hat), or set "
      "postgres.bin_dir",
      major, major);
  if (!configured.empty()) {
    const int found = major_of(configured);
    if (found == 0)
      throw Error(ErrorCode::usage,
                  fmt::format("no pg_dump and pg_restore in '{}'", configured.string()), hint);
    if (found < major)
      throw Error(ErrorCode::usage,
                  fmt::format("pg_dump in '{}' is version {}, the server is {}",
                              configured.string(), found, major),
                  hint);
    return configured;
  }
  for (const fs::path& directory : packaged_directories(major))
    if (major_of(directory) == major) return directory;
  std::vector<std::pair<int, fs::path>> newer;
  std::pair<int, fs::path> newest_older;  // told when nothing will do
  std::vector<fs::path> others = path_directories();
  if (const auto directory = pg_config_directory()) others.insert(others.begin(), *directory);
  for (const fs::path& directory : others) {
    const int found = major_of(directory);
    if (found == major) return directory;
    if (found > major) newer.emplace_back(found, directory);
    newest_older = std::max(newest_older, {found, directory});
  }
  for (int below = major - 1; below >= kOldestTold && newest_older.first < below; --below)
    for (const fs::path& directory : packaged_directories(below))
      newest_older = std::max(newest_older, {major_of(directory), directory});
  for (int above = major + 1; above < major + 20; ++above)
    for (const fs::path& directory : packaged_directories(above))
      if (major_of(directory) == above) newer.emplace_back(above, directory);
  if (newer.empty())
    throw Error(ErrorCode::usage,
                fmt::format("no pg_dump of PostgreSQL {} or later{}", major, told(newest_older)),
                hint);
  return std::min_element(newer.begin(), newer.end())->second;
}

}  // namespace bkp
