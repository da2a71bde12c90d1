#include "backup/dump.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/catalog_place.h"
#include "backup/dump_source.h"
#include "base/interrupt.h"
#include "config/conninfo.h"
#include "pg/connection.h"
#include "pg/dump_access.h"

namespace bkp {
namespace {

std::vector<std::string> databases_of(const Context& context, const DumpRequest& request) {
  for (const std::string& database : request.databases)
    if (database.empty())
      throw Error(ErrorCode::usage, "'' cannot be a database's name",
                  "a variable without a value? no '--db' at all means the conninfo's database");
  std::vector<std::string> databases = request.databases;
  const bool named = !request.all && !databases.empty();
  if (named && !is_postgresql_url(context.config.catalog_url)) return databases;
  PgConnection connection(context.config.conninfo);
  if (request.all)
    databases = dumpable_databases(connection);
  else if (!named)
    databases = {connection.database()};
  const std::optional<std::string> catalog = catalog_on(connection, context.config);
  const auto inside =
      catalog ? std::find(databases.begin(), databases.end(), *catalog) : databases.end();
  if (inside == databases.end()) return databases;
  if (!request.all) throw catalog_inside(*catalog);
  context.log.info(fmt::format("database '{}' is left out: it is the catalog's", *catalog));
  databases.erase(inside);
  return databases;
}

BackupSubject subject_of(const Context& context, const DumpRequest& request,
                         const std::string& database) {
  BackupSubject subject;
  subject.type = BackupType::full_database;
  subject.database = database;
  subject.compression = context.config.compress_dump;
  subject.note = request.note;
  subject.title = fmt::format("database '{}'", database);
  subject.work = "dump " + database;
  return subject;
}

}  // namespace

std::vector<StoredBackup> dump(Context& context, const DumpRequest& request) {
  const std::vector<std::string> databases = databases_of(context, request);
  begin_run(context, BackupType::full_database);
  std::vector<StoredBackup> results;
  for (const std::string& database : databases) {
    results.push_back(store_backup(
        context, subject_of(context, request, database),
        [&](const Manifest&) { return std::make_unique<DumpSource>(context, database); }));
    if (interrupt_signal() != 0) return results;
  }
  end_run(context, BackupType::full_database, results);
  return results;
}

}  // namespace bkp
