#include "recovery/swap_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/units.h"
#include "base/utf8.h"
#include "pg/conninfo.h"
#include "pg/replace_database.h"
#include "recovery/restore_server.h"

namespace bkp {
namespace {

constexpr std::size_t kLongestName = 63;

void require_replaceable(PgConnection& server, const std::string& name) {
  require_database_name(name);
  if (!database_exists(server, name))
    throw Error(ErrorCode::usage, fmt::format("there is no database '{}' to swap", name),
                "without --swap the backup is restored into a new database of that name");
  if (name == server.database())
    throw Error(ErrorCode::usage,
                fmt::format("database '{}' cannot be swapped: bkp works from it", name),
                "restore it under another name, and rename both from another database");
  const std::vector<ReplacementObstacle> obstacles = replacement_obstacles(server, name);
  if (obstacles.empty()) return;
  std::string what, cure;
  for (const ReplacementObstacle& obstacle : obstacles) {
    what += (what.empty() ? "" : ", ") + obstacle.what;
    cure += (cure.empty() ? "" : "  ") + obstacle.cure;
  }
  throw Error(ErrorCode::failed,
              fmt::format("database '{}' cannot be swapped because of {}", name, what), cure);
}

// Where the server keeps the database, when that is on this host; empty: not known.
std::filesystem::path directory_of(PgConnection& server, const std::string& conninfo,
                                   const std::string& tablespace) {
  const std::string host = Conninfo(conninfo).get("host").value_or("");
  if (!host.empty() && host.front() != '/') return {};
  const auto rows = server.query(
      "SELECT coalesce(nullif((SELECT pg_tablespace_location(oid) FROM pg_tablespace "
      "WHERE spcname = $1), ''), (SELECT setting FROM pg_settings WHERE name = 'data_directory'))",
      {tablespace});
  return rows.at(0).at(0).value_or("");
}

// The plain archive is the least that the new database takes; as large as the old one, with its
// indexes and dead rows, it may well become.
void require_room(Context& context, PgConnection& server, SwapPlan& plan) {
  const std::filesystem::path directory = directory_of(
      server, restore_conninfo(context.config, "postgres"), plan.build.properties.tablespace);
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(directory, error);
  if (directory.empty() || error) {
    plan.notes.push_back(
        fmt::format("the free space of the server's disk is not known from here; the second "
                    "database may need {}",
                    format_size(std::max(plan.old_size, plan.build.manifest.plain_size))));
    return;
  }
  const std::string has =
      fmt::format("'{}' has {} free", directory.string(), format_size(space.available));
  if (space.available < plan.build.manifest.plain_size)
    throw Error(ErrorCode::failed,
                fmt::format("no room for a second database of at least {}: {}",
                            format_size(plan.build.manifest.plain_size), has),
                "free space there, or give the backup's tablespace another disk");
  if (space.available < plan.old_size)
    plan.notes.push_back(fmt::format("the old database has {}, and {}: it may not suffice",
                                     format_size(plan.old_size), has));
}

void look_at(Context& context, PgConnection& server, SwapPlan& plan) {
  plan.old_size = std::stoull(server.query_value("SELECT pg_database_size($1)", {plan.name}));
  plan.sessions = std::stoull(
      server.query_value("SELECT count(*) FROM pg_stat_activity WHERE datname = $1", {plan.name}));
  const std::string standbys = server.query_value("SELECT count(*) FROM pg_stat_replication");
  if (standbys != "0")
    plan.notes.push_back(fmt::format(
        "{} replication connections follow this server: they get the whole new database, and the "
        "swap too",
        standbys));
  try {
    PgConnection old(restore_conninfo(context.config, plan.name));
    plan.changes = property_changes(read_properties(old), plan.build.properties);
  } catch (const Error& error) {
    plan.notes.push_back(
        fmt::format("what was set for the old database is not known: {}", error.message()));
  }
}

std::string free_name(PgConnection& server, const std::string& name, TimePoint now) {
  for (unsigned again = 1;; ++again)
    if (std::string free = name_before(name, now, again); !database_exists(server, free))
      return free;
}

template <typename List, typename Text>
std::vector<std::string> without(const List& all, const List& others, Text text) {
  std::vector<std::string> rest;
  for (const auto& each : all)
    if (std::find(others.begin(), others.end(), each) == others.end()) rest.push_back(text(each));
  return rest;
}

template <typename List, typename Text>
void compare_lists(std::vector<std::string>& changes, const char* what, const List& old,
                   const List& wanted, Text text) {
  for (const std::string& each : without(old, wanted, text))
    changes.push_back(fmt::format("{} {} is not in the backup", what, each));
  for (const std::string& each : without(wanted, old, text))
    changes.push_back(fmt::format("{} {} comes from the backup", what, each));
}

}  // namespace

SwapPlan plan_swap(Context& context, PgConnection& server, const BackupRecord& backup,
                   const std::string& name, std::optional<unsigned> jobs) {
  SwapPlan plan;
  plan.name = name;
  require_replaceable(server, name);
  plan.build = plan_build(context, server, backup, jobs);
  plan.old_database = free_name(server, name, context.clock.now());
  look_at(context, server, plan);
  require_room(context, server, plan);
  return plan;
}

std::string name_before(const std::string& name, TimePoint when, unsigned again) {
  std::string suffix = "_before_" + format_file_stamp(when);
  if (again > 1) suffix += fmt::format("_{}", again);
  return cut_utf8(name, kLongestName - suffix.size()) + suffix;
}

std::vector<std::string> property_changes(const DatabaseProperties& old,
                                          const DatabaseProperties& wanted) {
  std::vector<std::string> changes;
  const auto compare = [&](const char* what, const std::string& before, const std::string& after) {
    if (before != after)
      changes.push_back(fmt::format("{} '{}' becomes '{}'", what, before, after));
  };
  compare("owner", old.owner, wanted.owner);
  compare("encoding", old.encoding, wanted.encoding);
  compare("collation", old.collate, wanted.collate);
  compare("character type", old.ctype, wanted.ctype);
  compare("locale", old.locale_provider + ":" + old.locale,
          wanted.locale_provider + ":" + wanted.locale);
  compare("tablespace", old.tablespace, wanted.tablespace);
  compare("connection limit", std::to_string(old.connection_limit),
          std::to_string(wanted.connection_limit));
  compare("comment", old.comment, wanted.comment);
  if (old.default_acl != wanted.default_acl)
    changes.push_back(wanted.default_acl ? "privileges become the default ones"
                                         : "privileges become those of the backup");
  else
    compare_lists(changes, "privilege", old.acl, wanted.acl,
                  [](const std::string& item) { return item; });
  compare_lists(changes, "setting", old.settings, wanted.settings, [](const DatabaseSetting& each) {
    return each.role.empty() ? fmt::format("{} = {}", each.name, each.value)
                             : fmt::format("{} = {} of role {}", each.name, each.value, each.role);
  });
  return changes;
}

}  // namespace bkp
