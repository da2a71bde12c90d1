#include "policy/table_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace bkp {
namespace {

int integer_width(std::string_view type) {
  return type == "smallint" ? 2 : type == "integer" ? 4 : type == "bigint" ? 8 : 0;
}

// "character varying(20)" → 20, "character varying" and "text" → 0 (no limit), others nullopt.
std::optional<int> text_limit(std::string_view type) {
  constexpr std::string_view kVarying = "character varying";
  if (type == "text" || type == kVarying) return 0;
  if (!type.starts_with(kVarying) || !type.ends_with(')')) return std::nullopt;
  return std::atoi(std::string(type.substr(kVarying.size() + 1)).c_str());
}

std::vector<std::string> key_columns(const UniqueShape& unique, const TableShape& table) {
  std::vector<std::string> names;
  if (unique.exclusion || !unique.predicate.empty()) return {};
  for (const IndexPart& part : unique.parts) {
    const ColumnShape* column = part.column.empty() ? nullptr : table.column(part.column);
    if (column == nullptr || !column->not_null) return {};
    names.push_back(part.column);
  }
  return names;
}

bool is_key_of(const TableShape& table, std::vector<std::string> columns) {
  std::sort(columns.begin(), columns.end());
  return std::any_of(table.uniques.begin(), table.uniques.end(), [&](const UniqueShape& unique) {
    std::vector<std::string> names = key_columns(unique, table);
    std::sort(names.begin(), names.end());
    return names == columns;
  });
}

KeyOrder order_of(std::string_view then, std::string_view now) {
  if (integer_width(then) > 0 && integer_width(now) > 0) return KeyOrder::number;
  return then == "uuid" && now == "uuid" ? KeyOrder::uuid : KeyOrder::text;
}

void choose_key(TableMatch& match, const TableShape& then, const TableShape& now) {
  for (std::size_t i = 0; i < now.uniques.size(); ++i) {
    const std::vector<std::string> names = key_columns(now.uniques[i], now);
    const bool written = std::all_of(names.begin(), names.end(), [&](const std::string& name) {
      return std::find(match.columns.begin(), match.columns.end(), name) != match.columns.end();
    });
    if (names.empty() || !written || !is_key_of(then, names)) continue;
    match.key = i;
    for (const std::string& name : names)
      match.key_order.push_back(order_of(then.column(name)->type, now.column(name)->type));
    return;
  }
}

// The columns that both have; what the live table lacks or cannot hold is in the way.
std::string match_columns(TableMatch& match, const TableShape& then, const TableShape& now) {
  for (const ColumnShape& column : then.columns) {
    const ColumnShape* other = now.column(column.name);
    if (!column.generated.empty() && (other == nullptr || !other->generated.empty())) continue;
    if (other == nullptr)
      return fmt::format("its column '{}' is not in the database any more", column.name);
    if (!other->generated.empty())
      return fmt::format("its column '{}' is generated in the database", column.name);
    if (!fits_type(column.type, other->type))
      return fmt::format("its column '{}' is {} in the backup and {} in the database", column.name,
                         column.type, other->type);
    match.columns.push_back(column.name);
  }
  for (const ColumnShape& column : now.columns) {
    if (then.column(column.name) != nullptr || !column.generated.empty()) continue;
    if (column.not_null && !column.has_default)
      return fmt::format("its column '{}' is new, NOT NULL and has no default", column.name);
    match.notes.push_back(
        fmt::format("column '{}' is not in the backup: rows that come back get {}", column.name,
                    column.has_default ? "its default" : "NULL"));
  }
  return {};
}

}  // namespace

bool fits_type(std::string_view from, std::string_view to) {
  if (from == to) return true;
  if (integer_width(from) > 0) return integer_width(to) >= integer_width(from);
  const std::optional<int> have = text_limit(from), room = text_limit(to);
  if (!have || !room) return false;
  return *room == 0 || (*have > 0 && *have <= *room);
}

TableMatch match_table(const TableShape& then, const TableShape* now) {
  TableMatch match;
  if (now == nullptr) {
    match.blocked = "the database has no such table";
  } else if (now->filtered || then.filtered) {
    match.blocked = "row-level security hides rows of it from the role that restores";
  } else if (now->rewritten) {
    match.blocked = "a rule stands in for INSERT or UPDATE on it";
  } else {
    match.blocked = match_columns(match, then, *now);
    if (match.blocked.empty()) choose_key(match, then, *now);
  }
  return match;
}

}  // namespace bkp
