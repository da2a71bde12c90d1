// Rows on their way into a live table: a temporary table in the same session, in which each row
// says what is to become of it, and the SQL that speaks of both.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"
#include "policy/table_match.h"
#include "policy/table_shape.h"

namespace bkp {

// What becomes of a staged row: one letter in the staging table.
namespace staged {
inline constexpr char kInsert = 'i';    // no row has its key
inline constexpr char kUpdate = 'u';    // a row has its key, and differs
inline constexpr char kKept = 'k';      // a row with its key came meanwhile: that one stays
inline constexpr char kClash = 'c';     // another row holds one of its unique keys
inline constexpr char kNoParent = 'p';  // a row that it refers to is not there
}  // namespace staged

class StagedTable {
 public:
  // `now` must outlive this. `number` tells the staging tables of a session apart.
  StagedTable(const TableShape& now, TableMatch match, std::size_t number);

  const TableShape& now() const { return *now_; }
  const TableMatch& match() const { return match_; }
  const UniqueShape* key() const;  // null: it is filled, not merged
  bool writes_updates() const { return updates_; }
  std::string name() const;  // "shop.orders"

  // CREATE TEMPORARY TABLE …, in which the backup's columns are c0, c1, …
  void create(PgConnection& connection, bool updates);
  void drop(PgConnection& connection) const;
  // COPY … FROM STDIN: lines are the letter, a tab, and the columns' COPY text.
  std::string copy_statement(const std::string& encoding) const;
  // After the last row: so that the server knows what is in it.
  void analyze(PgConnection& connection) const;
  std::uint64_t count(PgConnection& connection, char what) const;

  // --- SQL

  const std::string& stage() const { return stage_; }      // "pg_temp.bkp_staged_3"
  std::string live() const;                                // "ONLY shop.orders"
  std::string staged_column(std::string_view name) const;  // "c3"
  // Whether the rows of two aliases have one key; staged: with c0, c1, … for columns.
  std::string same_key(std::string_view staged_alias, std::string_view live_alias) const;
  // A subquery of the staged rows under the live table's column names, generated columns worked
  // out, with "bkp row" (ctid) and "bkp what".
  std::string rows() const;
  // "'i', 'u'": the letters of rows that will be written.
  std::string written() const;

 private:
  const TableShape* now_;
  TableMatch match_;
  std::string stage_;
  bool updates_ = false;
};

}  // namespace bkp
