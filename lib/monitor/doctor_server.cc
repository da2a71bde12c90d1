#include <fmt/format.h>

#include <set>

#include "monitor/doctor.h"
#include "monitor/doctor_findings.h"
#include "pg/connection.h"
#include "pg/dump_access.h"
#include "pg/tools.h"
#include "recovery/restore_server.h"

namespace bkp {
namespace {

constexpr int kOldestMajor = 14;
constexpr int kNewestMajor = 18;
constexpr std::size_t kProblemsTold = 5;

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

void check_access(const Config& config, PgConnection& connection, Findings& found) {
  const DumpExclusions exclude{config.exclude_schemas, config.exclude_tables,
                               config.exclude_table_data};
  const std::vector<AccessProblem> problems = dump_access_problems(connection, exclude);
  if (problems.empty()) {
    found.push_back(
        all_is_well("privileges", "the role reads all of '" + connection.database() + "'"));
    return;
  }
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
  found.push_back(failure("privileges", reasons, cures));
}

}  // namespace

Findings check_server(const Config& config) {
  return examined("server", [&](Findings& found) {
    PgConnection connection(config.conninfo);
    check_version(connection, found);
    check_tools(config, connection.major(), found);
    check_access(config, connection, found);
  });
}

Findings check_restore_role(const Config& config) {
  return examined("restore role", [&](Findings& found) {
    PgConnection connection(restore_conninfo(config, "postgres"));
    const std::string user = connection.user();
    if (connection.query_value("SELECT rolsuper OR rolcreatedb FROM pg_catalog.pg_roles "
                               "WHERE rolname = current_user") == "t")
      found.push_back(all_is_well("restore role", "'" + user + "' may create databases"));
    else
      found.push_back(warning("restore role", "'" + user + "' may not create databases",
                              "set [restore] conninfo to a role that may, or: ALTER ROLE " +
                                  connection.quote_identifier(user) + " CREATEDB;"));
  });
}

}  // namespace bkp
