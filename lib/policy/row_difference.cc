#include "policy/row_difference.h"

#include <fmt/format.h>

#include <charconv>
#include <compare>
#include <utility>

#include "base/error.h"

namespace bkp {
namespace {

std::int64_t to_number(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end)
    throw Error(ErrorCode::failed, fmt::format("key '{}' is not the number it should be", text));
  return value;
}

std::strong_ordering compare(const KeyedRow& a, const KeyedRow& b,
                             const std::vector<KeyOrder>& key) {
  for (std::size_t i = 0; i < key.size(); ++i) {
    // std::string compares as memcmp does, which is what COLLATE "C" orders by.
    const auto order = key[i] == KeyOrder::number ? to_number(a.key[i]) <=> to_number(b.key[i])
                                                  : a.key[i].compare(b.key[i]) <=> 0;
    if (order != 0) return order;
  }
  return std::strong_ordering::equal;
}

// The front of a stream, which must ascend.
class Front {
 public:
  Front(RowStream& stream, const std::vector<KeyOrder>& key, const char* name)
      : stream_(stream), key_(key), name_(name) {
    advance();
  }

  bool ended() const { return ended_; }
  const KeyedRow& row() const { return row_; }

  void advance() {
    std::swap(row_, before_);
    ended_ = !stream_.next(row_);
    if (ended_) return;
    if (row_.key.size() != key_.size())
      throw Error(ErrorCode::failed, fmt::format("a row of {} has {} key values instead of {}",
                                                 name_, row_.key.size(), key_.size()));
    if (std::exchange(begun_, true) && compare(before_, row_, key_) >= 0)
      throw Error(ErrorCode::failed,
                  fmt::format("two rows of {} have one key, or come out of order", name_));
  }

 private:
  RowStream& stream_;
  const std::vector<KeyOrder>& key_;
  const char* name_;
  KeyedRow row_, before_;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace

RowCounts diff_rows(RowStream& then, RowStream& now, const std::vector<KeyOrder>& key,
                    const RowVisitor& visit) {
  RowCounts counts;
  Front left(then, key, "the backup"), right(now, key, "the database");
  while (!left.ended() || !right.ended()) {
    const auto order = left.ended()    ? std::strong_ordering::greater
                       : right.ended() ? std::strong_ordering::less
                                       : compare(left.row(), right.row(), key);
    if (order < 0) {
      ++counts.missing;
      visit(RowState::missing, &left.row(), nullptr);
    } else if (order > 0) {
      ++counts.extra;
      visit(RowState::extra, nullptr, &right.row());
    } else {
      const bool same = left.row().content == right.row().content;
      ++(same ? counts.same : counts.changed);
      visit(same ? RowState::same : RowState::changed, &left.row(), &right.row());
    }
    if (order <= 0) left.advance();
    if (order >= 0) right.advance();
  }
  return counts;
}

RowAction action_for(RowState state, DiffMode mode) {
  switch (state) {
    case RowState::missing:
      return RowAction::insert;
    case RowState::changed:
      return mode == DiffMode::keep ? RowAction::none : RowAction::update;
    case RowState::extra:
      return mode == DiffMode::replace ? RowAction::remove : RowAction::none;
    case RowState::same:
      break;
  }
  return RowAction::none;
}

}  // namespace bkp
