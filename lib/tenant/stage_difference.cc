#include "tenant/stage_difference.h"

#include "crypto/digest.h"
#include "pg/copy_stream.h"
#include "pg/name.h"
#include "tenant/row_cursor.h"

namespace bkp {
namespace {

RowSelection selection(const TableShape& table, const TableMatch& match, const UniqueShape* key) {
  RowSelection rows;
  rows.from = (table.partitioned ? "" : "ONLY ") + qualified_name(table.schema, table.name);
  rows.columns = match.columns;
  if (key != nullptr) {
    for (const IndexPart& part : key->parts) rows.key.push_back(part.column);
    rows.order = match.key_order;
  }
  return rows;
}

// Lines of a staging table: a letter, then the row.
class StageWriter {
 public:
  StageWriter(const DifferenceSources& sources, const StagedTable& table)
      : copy_(sources.writer, table.copy_statement(sources.encoding)),
        has_columns_(!table.match().columns.empty()) {}

  void add(char what, std::string_view row) {
    line_.assign(1, what);
    if (has_columns_) line_ += '\t';
    line_ += row;
    line_ += '\n';
    copy_.write(as_bytes(line_));
  }
  void finish() { copy_.finish(); }

 private:
  CopyIn copy_;
  bool has_columns_;
  std::string line_;
};

struct Contents {
  std::uint64_t rows = 0;
  RowDigest digest;
  friend bool operator==(const Contents&, const Contents&) = default;
};

Contents contents_of(PgConnection& connection, const RowSelection& rows,
                     const std::string& encoding) {
  Contents contents;
  RowCursor cursor(connection, rows, encoding);
  for (KeyedRow row; cursor.next(row); ++contents.rows) contents.digest.add(as_bytes(row.content));
  return contents;
}

}  // namespace

RowCounts stage_difference(const DifferenceSources& sources, const TableShape& then,
                           const StagedTable& table, DiffMode mode) {
  StageWriter writer(sources, table);
  RowCounts counts;
  {
    RowCursor left(sources.then, selection(then, table.match(), table.key()), sources.encoding);
    RowCursor right(sources.now, selection(table.now(), table.match(), table.key()),
                    sources.encoding);
    counts = diff_rows(left, right, table.match().key_order,
                       [&](RowState state, const KeyedRow* row, const KeyedRow*) {
                         const RowAction action = action_for(state, mode);
                         if (action == RowAction::insert) writer.add(staged::kInsert, row->content);
                         if (action == RowAction::update) writer.add(staged::kUpdate, row->content);
                       });
  }
  writer.finish();
  return counts;
}

RowCounts compare_unkeyed(const DifferenceSources& sources, const TableShape& then,
                          const StagedTable& table) {
  const Contents left =
      contents_of(sources.then, selection(then, table.match(), nullptr), sources.encoding);
  const Contents right =
      contents_of(sources.now, selection(table.now(), table.match(), nullptr), sources.encoding);
  RowCounts counts;
  if (left == right) {
    counts.same = left.rows;
  } else {
    counts.missing = left.rows;
    counts.extra = right.rows;
  }
  return counts;
}

void stage_all(const DifferenceSources& sources, const TableShape& then, const StagedTable& table) {
  StageWriter writer(sources, table);
  RowCursor cursor(sources.then, selection(then, table.match(), nullptr), sources.encoding);
  for (KeyedRow row; cursor.next(row);) writer.add(staged::kInsert, row.content);
  writer.finish();
}

}  // namespace bkp
