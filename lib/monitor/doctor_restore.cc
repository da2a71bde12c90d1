#include <fmt/format.h>

#include <memory>
#include <optional>

#include "backup/selection.h"
#include "backup/stored_manifest.h"
#include "catalog/catalog.h"
#include "monitor/doctor.h"
#include "monitor/doctor_findings.h"
#include "pg/connection.h"
#include "pg/database_properties.h"
#include "recovery/restore_server.h"
#include "repo/open_repository.h"
#include "repo/properties_json.h"
#include "stream/worker_pool.h"

namespace bkp {
namespace {

constexpr const char* kSubject = "restore role";

void check_creation(PgConnection& connection, Findings& found) {
  const std::string user = connection.user();
  if (connection.query_value("SELECT rolsuper OR rolcreatedb FROM pg_catalog.pg_roles "
                             "WHERE rolname = current_user") == "t")
    found.push_back(all_is_well(kSubject, "'" + user + "' may create databases"));
  else
    found.push_back(warning(kSubject, "'" + user + "' may not create databases",
                            "set [restore] conninfo to a role that may, or: ALTER ROLE " +
                                connection.quote_identifier(user) + " CREATEDB;"));
}

std::optional<BackupRecord> newest_backup(const Catalog& catalog) {
  BackupFilter filter;
  filter.type = BackupType::full_database;
  std::optional<BackupRecord> newest;
  for (BackupRecord& backup : catalog.backups(filter))
    if (is_whole(backup) && (!newest || backup.created_at > newest->created_at))
      newest = std::move(backup);
  return newest;
}

Manifest manifest_of(const Config& config, const Clock& clock, Catalog& catalog,
                     const BackupRecord& backup) {
  WorkerPool pool(1);
  NullLog log;
  const std::unique_ptr<Repository> repository = open_repository(config, pool, clock);
  std::vector<CopyCheck> bad;
  return fetch_manifest({config, *repository, catalog, clock, log, "", ""}, backup, bad);
}

std::string listed(const std::vector<std::string>& roles) {
  return fmt::format("'{}'", fmt::join(roles, "', '"));
}

// Who owns what is in the newest backup: a restore needs them all.
void check_owners(PgConnection& connection, const BackupRecord& backup, const Manifest& manifest,
                  Findings& found) {
  const DatabaseProperties properties = decode_properties(manifest.properties);
  const std::string what =
      fmt::format("the newest backup, {} of '{}'", backup.id.substr(0, 8), backup.database);
  const auto missing = missing_roles(connection, properties, manifest.owners);
  const auto foreign = foreign_roles(connection, properties, manifest.owners);
  if (!missing.empty())
    found.push_back(warning(
        kSubject, fmt::format("the server lacks roles that {} needs: {}", what, listed(missing)),
        "bkp restore " + backup.id.substr(0, 8) + " --globals-only"));
  if (!foreign.empty())
    found.push_back(warning(
        kSubject,
        fmt::format("'{}' can give nothing to roles that own parts of {}: {}", connection.user(),
                    what, listed(foreign)),
        "name a superuser, or a member of them, in conninfo of [restore] of the configuration"));
  if (missing.empty() && foreign.empty())
    found.push_back(all_is_well(kSubject, "it can give everything in " + what + " to its owners"));
}

}  // namespace

Findings check_restore_role(const Config& config, const Clock& clock) {
  return examined(kSubject, [&](Findings& found) {
    PgConnection connection(restore_conninfo(config, "postgres"));
    check_creation(connection, found);
    std::optional<BackupRecord> newest;
    Manifest manifest;
    try {
      Catalog catalog(open_sql_database(config.catalog_url));
      newest = newest_backup(catalog);
      if (newest) manifest = manifest_of(config, clock, catalog, *newest);
    } catch (const Error&) {
      return;  // what is wrong with catalog, key or storage, their own checks tell
    }
    if (newest) check_owners(connection, *newest, manifest, found);
  });
}

}  // namespace bkp
