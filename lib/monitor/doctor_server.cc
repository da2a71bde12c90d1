#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "monitor/doctor.h"
#include "monitor/doctor_findings.h"
#include "pg/connection.h"
#include "pg/dump_access.h"
#include "pg/globals.h"
#include "pg/name.h"
#include "pg/tools.h"

namespace bkp {
namespace {

constexpr int kOldestMajor = 14;
constexpr int kNewestMajor = 18;
constexpr std::size_t kProblemsTold = 5;
constexpr std::size_t kDatabasesTold = 5;

void check_version(const PgConnection& connection, Findings& found) {
  const int major = connection.major();
  const std::string text =
      fmt::format("{} as '{}', version {}.{}", connection.database(), connection.user(), major,
                  connection.server_version() % 10000);
  if (major < kOldestMajor || major > kNewestMajor)
    found.push_back(warning("server",
                            text + fmt::format(": tested are {} to {}", kOldestMajor, kNewestMajor),
                            "prove a restore before relying on it"));
  else
    found.push_back(all_is_well("server", text));
}

void check_tools(const Config& config, int major, Findings& found) {
  for (Finding& finding : examined("pg_dump", [&](Findings& more) {
         const std::filesystem::path directory = find_tools(major, config.bin_dir);
         for (const char* name : {"pg_dump", "pg_restore"}) {
           const ToolVersion version = tool_version(directory / name);
           const std::string text = version.text + " in '" + directory.string() + "'";
           if (version.major == major)
             more.push_back(all_is_well(name, text));
           else
             more.push_back(warning(name, text + fmt::format(", the server is {}", major),
                                    fmt::format("install postgresql-client-{}", major)));
         }
       }))
    found.push_back(std::move(finding));
}

// What `problems` come to, told in one finding.
Finding told_together(FindingLevel level, const std::string& where,
                      const std::vector<AccessProblem>& problems) {
  // One GRANT often cures many: told once, however many tables it is for.
  std::set<std::string> told;
  std::string reasons, cures;
  std::size_t count = 0;
  for (const AccessProblem& problem : problems) {
    if (count++ < kProblemsTold)
      reasons += (reasons.empty() ? "" : "; ") + problem.subject + ": " + problem.reason;
    if (told.insert(problem.cure).second) cures += (cures.empty() ? "" : "\n") + problem.cure;
  }
  if (problems.size() > kProblemsTold)
    reasons += fmt::format("; and {} more", problems.size() - kProblemsTold);
  return {level, "privileges", where + reasons, cures};
}

std::string listed(const std::vector<std::string>& databases) {
  std::string text;
  const std::size_t shown = std::min(databases.size(), kDatabasesTold);
  for (std::size_t i = 0; i < shown; ++i)
    text += (i == 0 ? "'" : i + 1 == databases.size() ? " and '" : ", '") + databases[i] + "'";
  if (databases.size() > shown) text += fmt::format(" and {} more", databases.size() - shown);
  return text;
}

// Every database that `dump --all` takes. What is wrong in another one than the configured is no
// failure: it may not be meant to be backed up.
void check_access(const Config& config, PgConnection& connection, Findings& found) {
  const DumpExclusions exclude{config.exclude_schemas, config.exclude_tables,
                               config.exclude_table_data};
  const std::string own = connection.database();
  std::vector<std::string> databases = dumpable_databases(connection), readable;
  std::erase(databases, own);
  databases.insert(databases.begin(), own);
  for (const std::string& name : databases) {
    const FindingLevel level = name == own ? FindingLevel::fail : FindingLevel::warn;
    try {
      PgConnection other(with_keyword(config.conninfo, "dbname", name));
      const std::vector<AccessProblem> problems = dump_access_problems(other, exclude);
      if (problems.empty())
        readable.push_back(name);
      else
        found.push_back(told_together(level, "in '" + name + "', ", problems));
    } catch (const Error& error) {
      found.push_back({level, "privileges", "in '" + name + "': " + error.message(), error.hint()});
    }
  }
  if (!readable.empty())
    found.push_back(all_is_well("privileges", "the role reads all of " + listed(readable)));
}

void check_passwords(PgConnection& connection, Findings& found) {
  if (may_read_passwords(connection)) return;
  const std::string user = connection.query_value("SELECT current_user");
  found.push_back(warning(
      "passwords",
      fmt::format("role '{}' may not read passwords: backups have the cluster's roles without them",
                  user),
      fmt::format("GRANT pg_read_all_data TO {};", quoted_name(user))));
}

}  // namespace

Findings check_server(const Config& config) {
  return examined("server", [&](Findings& found) {
    PgConnection connection(config.conninfo);
    check_version(connection, found);
    check_tools(config, connection.major(), found);
    check_access(config, connection, found);
    check_passwords(connection, found);
  });
}

}  // namespace bkp
