#include "backup/dump.h"

#include <fmt/format.h>

#include "backup/dump_source.h"
#include "base/interrupt.h"
#include "pg/connection.h"
#include "pg/dump_access.h"

namespace bkp {
namespace {

std::vector<std::string> databases_of(const Context& context, const DumpRequest& request) {
  for (const std::string& database : request.databases)
    if (database.empty())
      throw Error(ErrorCode::usage, "'' cannot be a database's name",
                  "a variable without a value? no '--db' at all means the conninfo's database");
  if (!request.all && !request.databases.empty()) return request.databases;
  PgConnection connection(context.config.conninfo);
  if (request.all) return dumpable_databases(connection);
  return {connection.database()};
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
