// The order in which tables are filled so that every row finds its parents.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bkp {

struct TableReference {
  std::size_t child = 0, parent = 0;  // indexes of tables
};

struct TableOrder {
  // Parents before children. More than one in a group: they refer to each other in a circle, and
  // are written together, by one statement, at whose end PostgreSQL looks at their foreign keys.
  std::vector<std::vector<std::size_t>> groups;
  std::vector<std::size_t> self_references;  // tables that refer to themselves, ascending
};

// The same for the same input: tables that do not depend on each other keep their order, and the
// members of a circle ascend.
TableOrder order_tables(std::size_t tables, const std::vector<TableReference>& references);

}  // namespace bkp
