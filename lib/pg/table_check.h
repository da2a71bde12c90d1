// Counts and digests the tables of a live database in the way the archive reader does for an
// archive, so that the two can be compared.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pg/archive_reader.h"
#include "pg/connection.h"

namespace bkp {

// Fills rows, bytes and digest of each of `tables` (schema, name, copy_columns are given), reading
// with COPY in pg_dump's own session settings over up to `jobs` connections to `conninfo`.
// Throws Error(failed) for a table that cannot be read; a table that is not there gets
// missing = true.
struct CheckedTable {
  TableData data;
  bool missing = false;
};
std::vector<CheckedTable> check_tables(const std::string& conninfo, std::vector<TableData> tables,
                                       Digests digests, unsigned jobs);
// The same in the transaction that `connection` is in, whose rows nobody else may see yet.
std::vector<CheckedTable> check_tables(PgConnection& connection, std::vector<TableData> tables,
                                       Digests digests);
LargeObjectData check_large_objects(const std::string& conninfo, Digests digests);

}  // namespace bkp
