// Whether a role can dump a whole database: found before pg_dump finds it half-way.
#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"

namespace bkp {

struct AccessProblem {
  std::string subject;  // "table public.customers"
  std::string reason;   // "row-level security hides rows from role 'bkp'"
  std::string cure;     // SQL: "ALTER ROLE bkp BYPASSRLS;"
};

// Every table, sequence, schema and large object that the current role cannot read whole (no USAGE,
// no SELECT, row-level security active for it). Tables that match `exclude` (pg_dump patterns for
// schemas, tables, table data) are left out. Only reads.
struct DumpExclusions {
  std::vector<std::string> schemas, tables, table_data;
};
std::vector<AccessProblem> dump_access_problems(PgConnection& connection,
                                                const DumpExclusions& exclude);

// Databases that --all takes: those that allow connections and are not templates, sorted.
std::vector<std::string> dumpable_databases(PgConnection& connection);

// An exported snapshot of the connection's database, held until destroyed: everything read in this
// connection and by pg_dump --snapshot is of one moment.
class ExportedSnapshot {
 public:
  explicit ExportedSnapshot(PgConnection& connection);
  ~ExportedSnapshot();
  const std::string& id() const { return id_; }

 private:
  PgConnection& connection_;
  std::string id_;
};

// Tables that are extensions' configuration (pg_extension.extconfig): CREATE EXTENSION puts rows
// there itself, so a restore has at least the dumped ones. Names as "schema.name", quoted as
// needed.
std::vector<std::string> extension_configuration_tables(PgConnection& connection);

// pg_control_system()'s identifier; needs no privilege beyond pg_monitor's, else empty.
std::string system_identifier(PgConnection& connection);

}  // namespace bkp
