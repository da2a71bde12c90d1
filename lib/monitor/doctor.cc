#include "monitor/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "backup/catalog_place.h"
#include "base/units.h"
#include "base/uuid.h"
#include "catalog/catalog.h"
#include "monitor/doctor_findings.h"

namespace bkp {

namespace {

void check_catalog_place(const Config& config, Findings& found) {
  std::optional<PgConnection> server;
  try {
    server.emplace(config.conninfo);
  } catch (const Error&) {
    return;  // the server's own check tells
  }
  const std::optional<std::string> inside = catalog_on(*server, config);
  if (inside == server->database()) throw catalog_inside(*inside);
  if (inside)
    found.push_back(warning("catalog",
                            fmt::format("it is in database '{}' of the server that is backed up: "
                                        "both are lost at once",
                                        *inside),
                            "give [catalog] url a database on another server; until then "
                            "'bkp dump --all' leaves that database out"));
}

}  // namespace

Findings check_catalog(const Config& config) {
  return examined("catalog", [&](Findings& found) {
    constexpr std::string_view kSqlite = "sqlite:";
    const std::string& url = config.catalog_url;
    if (url.starts_with(kSqlite) && !std::filesystem::exists(url.substr(kSqlite.size())))
      throw Error(ErrorCode::failed, "there is none at '" + url.substr(kSqlite.size()) + "'",
                  "'bkp init' creates it");
    Catalog catalog(open_sql_database(url));
    // A record written and undone: says more than any permission bit.
    struct Undo {};
    try {
      catalog.transaction([&] {
        RunRecord probe;
        probe.id = Uuid::random().text();
        probe.command = "doctor";
        catalog.put_run(probe);
        throw Undo{};
      });
    } catch (const Undo&) {
    }
    found.push_back(all_is_well("catalog", catalog.describe() + " opens and takes writes"));
    if (!url.starts_with(kSqlite)) {
      check_catalog_place(config, found);
      return;
    }
    const auto database = open_sql_database(url);
    const std::vector<SqlRow> rows = database->query("PRAGMA quick_check(1)", {});
    const auto* text =
        rows.empty() || rows[0].empty() ? nullptr : std::get_if<std::string>(&rows[0][0]);
    if (text == nullptr || *text != "ok")
      throw Error(ErrorCode::failed,
                  "it is damaged: " + (text == nullptr ? std::string("no answer") : *text),
                  "'bkp catalog rebuild' makes it anew from the manifests in the storages");
    found.push_back(all_is_well("catalog", "its pages are undamaged"));
  });
}

Findings check_spool(const Config& config) {
  return examined("spool directory", [&](Findings& found) {
    const std::string where = "'" + config.spool_dir.string() + "'";
    std::error_code failure_code;
    const auto space = std::filesystem::space(config.spool_dir, failure_code);
    if (failure_code)
      throw Error(ErrorCode::failed, where + ": " + failure_code.message(),
                  "create it, or set [restore] spool_dir");
    std::uint64_t largest = 0;
    try {
      for (const BackupRecord& backup :
           open_catalog(config.catalog_url, SqlAccess::read, config.cluster).backups({}))
        largest = std::max(largest, backup.plain_size_bytes);
    } catch (const Error&) {
      // the catalog's own check tells
    }
    if (space.available < largest)
      found.push_back(
          warning("spool directory",
                  fmt::format("{} has {} free, the largest backup needs {} for a parallel restore",
                              where, format_size(space.available), format_size(largest)),
                  "set [restore] spool_dir to a larger disk, or restore with --jobs 1"));
    else
      found.push_back(
          all_is_well("spool directory", where + " has " + format_size(space.available) + " free"));
  });
}

Findings examine(const Config& config, const Clock& clock) {
  Findings all;
  const auto add = [&all](Findings some) {
    all.insert(all.end(), std::make_move_iterator(some.begin()),
               std::make_move_iterator(some.end()));
  };
  add(check_keys(config, clock));
  add(check_server(config));
  add(check_restore_role(config, clock));
  add(check_catalog(config));
  add(check_storages(config, clock));
  add(check_spool(config));
  return all;
}

}  // namespace bkp
