#include "policy/row_difference.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "base/error.h"

using namespace bkp;

namespace {

class Rows final : public RowStream {
 public:
  explicit Rows(std::vector<KeyedRow> rows) : rows_(std::move(rows)) {}
  bool next(KeyedRow& row) override {
    if (at_ == rows_.size()) return false;
    row = rows_[at_++];
    return true;
  }

 private:
  std::vector<KeyedRow> rows_;
  std::size_t at_ = 0;
};

using Key = std::vector<std::string>;
using Model = std::map<Key, std::string>;

std::vector<KeyedRow> ordered(const Model& model, const std::vector<KeyOrder>& order) {
  std::vector<KeyedRow> rows;
  for (const auto& [key, content] : model) rows.push_back({key, content});
  std::sort(rows.begin(), rows.end(), [&](const KeyedRow& a, const KeyedRow& b) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (a.key[i] == b.key[i]) continue;
      return order[i] == KeyOrder::number ? std::stoll(a.key[i]) < std::stoll(b.key[i])
                                          : a.key[i] < b.key[i];
    }
    return false;
  });
  return rows;
}

RowCounts difference(std::vector<KeyedRow> then, std::vector<KeyedRow> now,
                     const std::vector<KeyOrder>& order, const RowVisitor& visit) {
  Rows left(std::move(then)), right(std::move(now));
  return diff_rows(left, right, order, visit);
}

}  // namespace

TEST_CASE("a difference is what a map of all rows says, and applied it gives the rows as asked") {
  std::mt19937 random(GENERATE(range(0U, 60U)));
  const auto below = [&](unsigned n) { return static_cast<int>(random() % n); };
  const std::vector<KeyOrder> order = random() % 2 != 0
                                          ? std::vector{KeyOrder::number}
                                          : std::vector{KeyOrder::text, KeyOrder::number};
  const auto a_key = [&] {
    Key key;
    for (const KeyOrder each : order)
      key.push_back(each == KeyOrder::number
                        ? std::to_string(below(40) - 20)
                        : std::string(1 + random() % 2, static_cast<char>(random())));
    return key;
  };
  Model then, now;
  for (int i = below(60); i > 0; --i) then[a_key()] = std::to_string(below(3));
  now = then;
  for (int i = below(60); i > 0; --i) {  // a history: rows come, change and go
    if (random() % 2 != 0)
      now[a_key()] = std::to_string(below(3));
    else if (!now.empty())
      now.erase(std::next(now.begin(), below(static_cast<unsigned>(now.size()))));
  }

  const DiffMode mode = GENERATE(values({DiffMode::keep, DiffMode::overwrite, DiffMode::replace}));
  Model applied = now;
  std::map<RowState, std::uint64_t> seen;
  const RowCounts counts =
      difference(ordered(then, order), ordered(now, order), order,
                 [&](RowState state, const KeyedRow* old, const KeyedRow* live) {
                   ++seen[state];
                   REQUIRE((old == nullptr) == (state == RowState::extra));
                   REQUIRE((live == nullptr) == (state == RowState::missing));
                   switch (action_for(state, mode)) {
                     case RowAction::insert:
                     case RowAction::update:
                       applied[old->key] = old->content;
                       break;
                     case RowAction::remove:
                       applied.erase(live->key);
                       break;
                     case RowAction::none:
                       break;
                   }
                 });

  Model wanted = mode == DiffMode::replace ? then : now;
  RowCounts expected;
  for (const auto& [key, content] : then) {
    const auto found = now.find(key);
    ++(found == now.end()         ? expected.missing
       : found->second == content ? expected.same
                                  : expected.changed);
    if (found == now.end() || mode != DiffMode::keep) wanted[key] = content;
  }
  for (const auto& [key, content] : now) expected.extra += then.count(key) == 0;
  CHECK(counts == expected);
  CHECK(seen[RowState::missing] == expected.missing);
  CHECK(seen[RowState::extra] == expected.extra);
  CHECK(applied == wanted);
}

TEST_CASE("numbers are told apart by value and texts by bytes") {
  const auto none = [](RowState, const KeyedRow*, const KeyedRow*) {};
  CHECK(difference({{{"-5"}, ""}, {{"9"}, ""}, {{"10"}, ""}}, {{{"10"}, ""}}, {KeyOrder::number},
                   none) == RowCounts{2, 0, 1, 0});
  CHECK(difference({{{"10"}, ""}, {{"9"}, ""}, {{"\xff"}, ""}}, {{{"9"}, "x"}}, {KeyOrder::text},
                   none) == RowCounts{2, 1, 0, 0});
}

TEST_CASE("streams out of order, with a key twice or with a key that is none are refused") {
  const auto none = [](RowState, const KeyedRow*, const KeyedRow*) {};
  const auto refused = [&](std::vector<KeyedRow> then, std::vector<KeyedRow> now, KeyOrder order) {
    CHECK_THROWS_AS(difference(std::move(then), std::move(now), {order}, none), Error);
  };
  refused({{{"2"}, ""}, {{"1"}, ""}}, {}, KeyOrder::number);
  refused({}, {{{"1"}, "a"}, {{"1"}, "b"}}, KeyOrder::number);
  refused({{{"b"}, ""}, {{"a"}, ""}}, {{{"a"}, ""}}, KeyOrder::text);
  refused({{{"1x"}, ""}}, {{{"1"}, ""}}, KeyOrder::number);
  refused({{{"1", "2"}, ""}}, {}, KeyOrder::text);
}
