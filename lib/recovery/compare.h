// A restored database against the manifest: rows and digest of every table, large objects.
#pragma once

#include <string>
#include <vector>

#include "pg/table_check.h"
#include "repo/manifest.h"

namespace bkp {

struct Difference {
  std::string object;  // "table public.orders"
  std::string text;    // "99 rows instead of 100"
};

struct Comparison {
  std::uint64_t rows = 0;               // in all tables, as found
  std::vector<Difference> differences;  // one a table
};

// Reads every table of the manifest in the database of `conninfo` over `jobs` connections. Tables
// of extension configuration may hold more rows than the manifest says.
Comparison compare_database(const std::string& conninfo, const Manifest& manifest, unsigned jobs);

// The same of some tables that were read already: `found` is in the order of `wanted`.
Comparison compare_tables(const std::vector<ManifestTable>& wanted,
                          const std::vector<CheckedTable>& found);

}  // namespace bkp
