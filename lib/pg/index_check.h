// Whether indexes find every row, each once, where they should: what a query by an index would
// silently not see otherwise. By PostgreSQL's own extension amcheck.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bkp {

struct BrokenIndex {
  std::string index;    // "public.orders_pkey"
  std::string problem;  // amcheck's words
};

struct IndexChecks {
  std::string unavailable;  // why indexes were not looked into, or empty
  std::size_t looked_into = 0;
  std::size_t others = 0;  // of other kinds than btree, which amcheck does not know
  std::vector<BrokenIndex> broken;
};

// Every valid btree index, those of large values included, over up to `jobs` connections: each
// page, each row of the table looked up. Installs amcheck in the database, which must be one that
// nobody else uses. Throws Error only when the server cannot be asked.
IndexChecks check_indexes(const std::string& conninfo, unsigned jobs);

}  // namespace bkp
