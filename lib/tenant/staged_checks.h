// What would go wrong with staged rows, found before they are written, and what did, before it is
// committed. All of it is asked of the server, by its own operators.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "tenant/staged_table.h"

namespace bkp {

// By index of the live table in its DatabaseShape.
using StagedTables = std::map<std::size_t, StagedTable>;

struct RowProblem {
  std::string constraint;  // a unique index, an exclusion constraint, a foreign key
  std::uint64_t rows = 0;
};

// Rows to insert whose key is there all the same: written differently (1.0 and 1.00), or come since
// the difference was taken. They get the letter `what`; returns their number.
std::uint64_t mark_present(PgConnection& connection, const StagedTable& table, char what);

// Rows to write whose other unique keys are held by rows that stay as they are: kClash.
std::vector<RowProblem> mark_clashes(PgConnection& connection, const StagedTable& table);

// Rows to write that refer to a row that is neither there nor written: kNoParent, and with them
// those that refer to them. By index of the live table.
std::map<std::size_t, std::vector<RowProblem>> mark_orphans(PgConnection& connection,
                                                            const DatabaseShape& shape,
                                                            const StagedTables& tables);

// Holds the rows that staged rows refer to until the end of the transaction (FOR KEY SHARE), as
// PostgreSQL itself does where its foreign keys are not silenced.
void lock_parents(PgConnection& connection, const DatabaseShape& shape, const StagedTables& tables);

// Foreign keys that do not hold for rows that were written, or for rows that refer to them.
std::vector<RowProblem> dangling_references(PgConnection& connection, const DatabaseShape& shape,
                                            const StagedTables& tables);

// Rows that should have been written and are not there, or not as they were staged.
std::uint64_t unlike_rows(PgConnection& connection, const StagedTable& table);

}  // namespace bkp
