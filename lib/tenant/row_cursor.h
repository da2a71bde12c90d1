// The rows of a live table in the order of its key, as a stream for diff_rows. One COPY; nothing is
// kept but the row at its front.
#pragma once

#include <string>
#include <vector>

#include "pg/copy_stream.h"
#include "policy/row_difference.h"

namespace bkp {

struct RowSelection {
  std::string from;  // SQL: "ONLY shop.orders"
  std::vector<std::string> key;
  std::vector<KeyOrder> order;       // of each of `key`
  std::vector<std::string> columns;  // the content, and what is compared
  std::string where;                 // SQL; empty: all rows
};

// `connection`: after set_text_session, busy until this is destroyed. Texts are in the database's
// own encoding. The server sorts: whole numbers as such, all else by its text's bytes.
class RowCursor final : public RowStream {
 public:
  RowCursor(PgConnection& connection, const RowSelection& rows, const std::string& encoding);
  bool next(KeyedRow& row) override;

 private:
  std::size_t keys_;
  CopyOut copy_;
};

// The SELECT that a cursor copies.
std::string cursor_query(const RowSelection& rows);
// One field of COPY text as the value it stands for. Not for \N, which is NULL.
std::string copy_field(std::string_view text);

}  // namespace bkp
