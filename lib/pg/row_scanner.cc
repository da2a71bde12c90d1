#include "pg/row_scanner.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace bkp {
namespace {

constexpr std::array<std::byte, 2> kEndOfData = {std::byte{'\\'}, std::byte{'.'}};

}  // namespace

void RowScanner::feed(ByteView piece) {
  const std::byte* at = piece.data();
  const std::byte* const end = at + piece.size();
  while (at != end && !ended_) {
    const auto left = static_cast<std::size_t>(end - at);
    const auto* newline = static_cast<const std::byte*>(std::memchr(at, '\n', left));
    if (!newline) return part_of_row({at, left});
    const ByteView line(at, newline);
    if (in_parts_) {
      part_of_row(line);
      end_of_parts();
    } else {
      whole_row(line);
    }
    at = newline + 1;
  }
  only_blank_lines({at, end});
}

void RowScanner::finish(TableData& table) {
  if (!ended_) throw Error(ErrorCode::integrity, "the data end without their last line");
  table.rows += rows_;
  table.bytes += bytes_;
  table.digest.add(digest_);
  ended_ = false;
  rows_ = bytes_ = 0;
  digest_ = RowDigest();
}

void RowScanner::whole_row(ByteView row) {
  if (row.size() == 2 && row[0] == kEndOfData[0] && row[1] == kEndOfData[1]) {
    ended_ = true;
    return;
  }
  ++rows_;
  bytes_ += row.size() + 1;
  if (digests_ == Digests::yes) digest_.add(row);
}

void RowScanner::part_of_row(ByteView part) {
  in_parts_ = true;
  if (parts_size_ < parts_start_.size()) {
    const auto taken = std::min<std::size_t>(parts_start_.size() - parts_size_, part.size());
    std::copy_n(part.begin(), taken, parts_start_.begin() + static_cast<long>(parts_size_));
  }
  parts_size_ += part.size();
  if (digests_ == Digests::yes) hasher_.update(part);
}

void RowScanner::end_of_parts() {
  in_parts_ = false;
  const std::uint64_t size = std::exchange(parts_size_, 0);
  RowDigest row;
  if (digests_ == Digests::yes) hasher_.finish(row);
  if (size == 2 && parts_start_ == kEndOfData) {
    ended_ = true;
    return;
  }
  ++rows_;
  bytes_ += size + 1;
  digest_.add(row);
}

void RowScanner::only_blank_lines(ByteView rest) const {
  if (std::any_of(rest.begin(), rest.end(), [](std::byte b) { return b != std::byte{'\n'}; }))
    throw Error(ErrorCode::integrity, "something follows the last line of the data");
}

}  // namespace bkp
