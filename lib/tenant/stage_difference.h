// The difference of one table between two databases, with the rows to write staged beside the live
// table as it is found.
#pragma once

#include <string>

#include "pg/connection.h"
#include "policy/row_difference.h"
#include "tenant/staged_table.h"

namespace bkp {

// Connections to the two databases, each after set_text_session. `writer` is another session of
// the live one, and has the staging tables.
struct DifferenceSources {
  PgConnection& then;
  PgConnection& now;
  PgConnection& writer;
  std::string encoding;  // of both databases
};

// Streams both sides in the order of the table's key; stages what `mode` inserts and updates
// (created before, analysed after). Needs a key.
RowCounts stage_difference(const DifferenceSources& sources, const TableShape& then,
                           const StagedTable& table, DiffMode mode);

// For a table without a key: whether both sides have the same rows, in any order. Each side's
// number in missing and extra, or in same.
RowCounts compare_unkeyed(const DifferenceSources& sources, const TableShape& then,
                          const StagedTable& table);
// Stages all rows of the backup to be inserted.
void stage_all(const DifferenceSources& sources, const TableShape& then, const StagedTable& table);

}  // namespace bkp
