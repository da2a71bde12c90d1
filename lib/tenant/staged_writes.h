// Staged rows into their live tables, and what the transaction touched by that.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "tenant/staged_checks.h"

namespace bkp {

struct RowsWritten {
  std::uint64_t inserted = 0, updated = 0;
  friend bool operator==(const RowsWritten&, const RowsWritten&) = default;
};

// In the transaction that is open: parents first; tables whose foreign keys go in a circle by one
// statement, at the end of which PostgreSQL looks at them. A key that came meanwhile stays as it
// is. By index of the live table; those without rows to write are left out.
std::map<std::size_t, RowsWritten> write_staged(PgConnection& connection,
                                                const DatabaseShape& shape,
                                                const StagedTables& tables);

// Rows that the open transaction inserted, updated and deleted, temporary tables left out, as the
// server counts them: whoever did it, a trigger and a cascade too. By "schema.name" of the root.
struct RowsTouched {
  std::uint64_t inserted = 0, updated = 0, deleted = 0;
};
// Throws Error(failed) where track_counts is off and the role may not set it.
std::map<std::string, RowsTouched> touched_rows(PgConnection& connection);

}  // namespace bkp
