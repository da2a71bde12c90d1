// Whether, and by what, the rows of a table in a backup can be merged into the same table of a live
// database.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/row_difference.h"
#include "policy/table_shape.h"

namespace bkp {

struct TableMatch {
  // Why nothing of it can be merged; empty where it can.
  std::string blocked;
  // Columns that are compared and written, in the backup's order.
  std::vector<std::string> columns;
  // Index into the live table's uniques of the key that rows are told apart by; none: the table can
  // only be filled while it is empty.
  std::optional<std::size_t> key;
  std::vector<KeyOrder> key_order;
  std::vector<std::string> notes;  // what is remarkable, and no hindrance
};

// now: null where the live database has no such table. The key is the primary key, else the first
// unique index over columns that are NOT NULL; it has to be one in the backup too.
TableMatch match_table(const TableShape& then, const TableShape* now);

// True where every value of `from` is one of `to` and is written alike: the same type, a wider
// integer, a longer text.
bool fits_type(std::string_view from, std::string_view to);

}  // namespace bkp
