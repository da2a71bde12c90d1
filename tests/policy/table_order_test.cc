#include "policy/table_order.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

using namespace bkp;

namespace {

using Groups = std::vector<std::vector<std::size_t>>;

}  // namespace

TEST_CASE("parents come before children, circles together, whatever the foreign keys") {
  std::mt19937 random(GENERATE(range(0U, 100U)));
  const std::size_t tables = 1 + random() % 12;
  std::vector<TableReference> references;
  for (std::size_t i = random() % (tables * 2); i > 0; --i)
    references.push_back({random() % tables, random() % tables});
  const TableOrder order = order_tables(tables, references);

  std::vector<std::size_t> group_of(tables, tables), all;
  for (std::size_t g = 0; g < order.groups.size(); ++g)
    for (const std::size_t table : order.groups[g]) {
      group_of[table] = g;
      all.push_back(table);
    }
  std::sort(all.begin(), all.end());
  REQUIRE(all.size() == tables);
  CHECK(std::unique(all.begin(), all.end()) == all.end());

  // The naive model: who reaches whom.
  std::vector<std::vector<bool>> reaches(tables, std::vector<bool>(tables, false));
  for (const auto& [child, parent] : references) reaches[child][parent] = true;
  for (std::size_t k = 0; k < tables; ++k)
    for (std::size_t i = 0; i < tables; ++i)
      for (std::size_t j = 0; j < tables; ++j)
        if (reaches[i][k] && reaches[k][j]) reaches[i][j] = true;
  for (std::size_t i = 0; i < tables; ++i)
    for (std::size_t j = 0; j < tables; ++j) {
      if (i == j) continue;
      CHECK((group_of[i] == group_of[j]) == (reaches[i][j] && reaches[j][i]));
      if (reaches[i][j]) CHECK(group_of[j] <= group_of[i]);
    }
  for (std::size_t i = 0; i < tables; ++i) {
    const bool self = std::any_of(references.begin(), references.end(),
                                  [&](auto& r) { return r.child == i && r.parent == i; });
    CHECK(std::count(order.self_references.begin(), order.self_references.end(), i) == self);
  }
}

TEST_CASE("tables that do not depend on each other keep their order") {
  CHECK(order_tables(3, {}).groups == Groups{{0}, {1}, {2}});
  CHECK(order_tables(3, {{0, 2}}).groups == Groups{{2}, {0}, {1}});
  CHECK(order_tables(4, {{0, 1}, {1, 0}, {2, 1}, {3, 3}}).groups == Groups{{0, 1}, {2}, {3}});
  CHECK(order_tables(0, {}).groups.empty());
}

TEST_CASE("a long chain of tables is no matter") {
  std::vector<TableReference> references;
  constexpr std::size_t kTables = 200'000;
  for (std::size_t i = 1; i < kTables; ++i) references.push_back({i - 1, i});
  const TableOrder order = order_tables(kTables, references);
  CHECK(order.groups.front() == std::vector<std::size_t>{kTables - 1});
  CHECK(order.groups.back() == std::vector<std::size_t>{0});
}
