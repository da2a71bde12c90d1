#include "tenant/staged_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "pg/name.h"

namespace bkp {

StagedTable::StagedTable(const TableShape& now, TableMatch match, std::size_t number)
    : now_(&now), match_(std::move(match)), stage_(fmt::format("pg_temp.bkp_staged_{}", number)) {}

const UniqueShape* StagedTable::key() const {
  return match_.key ? &now_->uniques.at(*match_.key) : nullptr;
}

std::string StagedTable::name() const { return qualified_name(now_->schema, now_->name); }

std::string StagedTable::live() const { return (now_->partitioned ? "" : "ONLY ") + name(); }

void StagedTable::create(PgConnection& connection, bool updates) {
  updates_ = updates;
  std::string columns;
  for (std::size_t i = 0; i < match_.columns.size(); ++i)
    columns += fmt::format(", {} AS c{}", quoted_name(match_.columns[i]), i);
  connection.execute(fmt::format(
      "CREATE TEMPORARY TABLE {} AS SELECT 'i'::pg_catalog.\"char\" AS what{} FROM {} WITH NO DATA",
      stage_.substr(stage_.find('.') + 1), columns, name()));
}

void StagedTable::drop(PgConnection& connection) const {
  connection.execute("DROP TABLE " + stage_);
}

std::string StagedTable::copy_statement(const std::string& encoding) const {
  return fmt::format("COPY {} FROM STDIN (ENCODING '{}')", stage_, encoding);
}

void StagedTable::analyze(PgConnection& connection) const {
  connection.execute("ANALYZE " + stage_);
}

std::uint64_t StagedTable::count(PgConnection& connection, char what) const {
  return std::stoull(connection.query_value(
      fmt::format("SELECT count(*) FROM {} WHERE what = '{}'", stage_, what)));
}

std::string StagedTable::staged_column(std::string_view name) const {
  const auto found = std::find(match_.columns.begin(), match_.columns.end(), name);
  if (found == match_.columns.end())
    throw Error(ErrorCode::failed, fmt::format("column '{}' is not staged", name));
  return fmt::format("c{}", found - match_.columns.begin());
}

std::string StagedTable::same_key(std::string_view staged_alias,
                                  std::string_view live_alias) const {
  std::string condition;
  for (const IndexPart& part : key()->parts)
    condition += fmt::format("{}{}.{} {} {}.{}", condition.empty() ? "" : " AND ", live_alias,
                             quoted_name(part.column), part.operation, staged_alias,
                             staged_column(part.column));
  return condition;
}

std::string StagedTable::rows() const {
  std::string inner = "ctid AS \"bkp row\", what AS \"bkp what\"", outer = "x.*";
  for (const ColumnShape& column : now_->columns) {
    const auto found = std::find(match_.columns.begin(), match_.columns.end(), column.name);
    if (found != match_.columns.end())
      inner += fmt::format(", c{} AS {}", found - match_.columns.begin(), quoted_name(column.name));
    else if (column.generated.empty())
      inner += fmt::format(", NULL::{} AS {}", column.type, quoted_name(column.name));
    else
      outer += fmt::format(", ({}) AS {}", column.generated, quoted_name(column.name));
  }
  return fmt::format("(SELECT {} FROM (SELECT {} FROM {}) AS x)", outer, inner, stage_);
}

std::string StagedTable::written() const { return updates_ ? "'i', 'u'" : "'i'"; }

}  // namespace bkp
