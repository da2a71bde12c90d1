// COPY text as pg_dump writes it into an archive: rows, the line `\.`, blank lines. Counted and
// digested in pieces of any size; nothing of a row is kept, however long it is.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "pg/archive_reader.h"

namespace bkp {

class RowScanner {
 public:
  explicit RowScanner(Digests digests) : digests_(digests) {}

  // Throws Error(integrity) for anything but blank lines after the line `\.`.
  void feed(ByteView piece);
  // Adds what was scanned to `table` and starts anew. Throws Error(integrity) when the line `\.`
  // is missing.
  void finish(TableData& table);

 private:
  void whole_row(ByteView row);
  void part_of_row(ByteView part);
  void end_of_parts();
  void only_blank_lines(ByteView rest) const;

  Digests digests_;
  bool ended_ = false;
  std::uint64_t rows_ = 0;
  std::uint64_t bytes_ = 0;
  RowDigest digest_;

  // A row that came in pieces so far.
  bool in_parts_ = false;
  std::uint64_t parts_size_ = 0;
  std::array<std::byte, 2> parts_start_{};
  RowHasher hasher_;
};

}  // namespace bkp
