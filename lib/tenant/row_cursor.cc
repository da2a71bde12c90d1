#include "tenant/row_cursor.h"

#include <fmt/format.h>

#include "base/error.h"
#include "pg/name.h"

namespace bkp {

std::string cursor_query(const RowSelection& rows) {
  std::string list, order;
  for (std::size_t i = 0; i < rows.key.size(); ++i) {
    const std::string name = quoted_name(rows.key[i]);
    list += list.empty() ? "" : ", ";
    list += rows.order[i] != KeyOrder::text ? name
                                            : name + "::pg_catalog.text COLLATE pg_catalog.\"C\"";
    order += fmt::format("{}{}", order.empty() ? " ORDER BY " : ", ", i + 1);
  }
  for (const std::string& column : rows.columns)
    list += (list.empty() ? "" : ", ") + quoted_name(column);
  return fmt::format("SELECT {} FROM {}{}{}", list, rows.from,
                     rows.where.empty() ? "" : " WHERE " + rows.where, order);
}

std::string copy_field(std::string_view text) {
  constexpr std::string_view kLetters = "bfnrtv", kBytes = "\b\f\n\r\t\v";
  std::string value;
  value.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      value += text[i];
      continue;
    }
    const auto letter = kLetters.find(text[++i]);
    value += letter == kLetters.npos ? text[i] : kBytes[letter];
  }
  return value;
}

RowCursor::RowCursor(PgConnection& connection, const RowSelection& rows,
                     const std::string& encoding)
    : keys_(rows.key.size()),
      copy_(connection,
            fmt::format("COPY ({}) TO STDOUT (ENCODING '{}')", cursor_query(rows), encoding)) {}

bool RowCursor::next(KeyedRow& row) {
  ByteView line;
  if (!copy_.next(line)) return false;
  std::string_view rest = as_text(line);
  row.key.resize(keys_);
  for (std::string& value : row.key) {
    const auto tab = rest.find('\t');
    const std::string_view field = rest.substr(0, tab);
    if (field == "\\N") throw Error(ErrorCode::failed, "a row's key is NULL");
    value = copy_field(field);
    rest.remove_prefix(tab == rest.npos ? rest.size() : tab + 1);
  }
  row.content = rest;
  return true;
}

}  // namespace bkp
