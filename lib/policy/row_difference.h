// What differs between two states of one table: a merge by key over two streams of rows, each in
// the order of its key. Nothing of a stream is kept but the row at its front.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bkp {

// How the values of one key column follow each other: whole numbers (int2, int4, int8) by value,
// everything else by the bytes of its text. The server's own order is that of numbers and UUIDs: it
// need not sort where it has an index.
enum class KeyOrder { number, uuid, text };

struct KeyedRow {
  std::vector<std::string> key;  // the key's values as text, none of them NULL
  std::string content;           // COPY text of the compared columns
};

class RowStream {
 public:
  virtual ~RowStream() = default;
  // The next row, in ascending order of its key; false at the end. Throws Error.
  virtual bool next(KeyedRow& row) = 0;
};

// A row of "then" (a backup) beside that of "now" (the live table).
enum class RowState {
  missing,  // it was there then, and is not now
  changed,  // it is there, and differs
  same,
  extra,  // it is there now, and was not then
};

struct RowCounts {
  std::uint64_t missing = 0, changed = 0, same = 0, extra = 0;
  friend bool operator==(const RowCounts&, const RowCounts&) = default;
};

// then: null for an extra row; now: null for a missing one. Valid during the call.
using RowVisitor = std::function<void(RowState state, const KeyedRow* then, const KeyedRow* now)>;

// Throws Error(failed) when a stream is out of order or has a key twice: what is merged by such a
// key would be wrong.
RowCounts diff_rows(RowStream& then, RowStream& now, const std::vector<KeyOrder>& key,
                    const RowVisitor& visit);

// What a restore makes of a row.
enum class RowAction { none, insert, update, remove };
// keep: add what is missing. overwrite: also bring back what changed. replace: also remove what was
// not there then.
enum class DiffMode { keep, overwrite, replace };
RowAction action_for(RowState state, DiffMode mode);

}  // namespace bkp
