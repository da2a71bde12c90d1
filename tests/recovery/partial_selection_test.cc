#include "recovery/partial_selection.h"

#include <catch2/catch.hpp>

using namespace bkp;

namespace {

using Ids = std::set<std::int64_t>;

ArchiveEntry entry(std::int64_t id, std::string kind, std::string schema, std::string tag,
                   std::vector<std::int64_t> depends_on = {}, bool has_data = false) {
  return {id,  std::move(kind), std::move(schema),    std::move(tag),
          "o", has_data,        std::move(depends_on)};
}

// customers ← orders (foreign key), a view, a type, a trigger's function, a sequence.
std::vector<ArchiveEntry> shop() {
  return {entry(1, "ENCODING", "", "ENCODING"),
          entry(2, "SCHEMA", "", "app"),
          entry(3, "TYPE", "app", "mood", {2}),
          entry(4, "FUNCTION", "app", "stamp()", {2}),
          entry(5, "TABLE", "app", "customers", {2, 3}),
          entry(6, "COMMENT", "app", "TABLE customers", {5}),
          entry(7, "SEQUENCE", "app", "customers_id_seq", {5, 2}),
          entry(8, "SEQUENCE OWNED BY", "app", "customers_id_seq", {7}),
          entry(9, "TABLE", "app", "orders", {2}),
          entry(10, "VIEW", "app", "happy", {5, 5}),
          entry(11, "DEFAULT", "app", "customers id", {5, 7}),
          entry(12, "TABLE DATA", "app", "customers", {5}, true),
          entry(13, "TABLE DATA", "app", "orders", {9}, true),
          entry(14, "SEQUENCE SET", "app", "customers_id_seq", {7}),
          entry(15, "CONSTRAINT", "app", "customers customers_pkey", {5}),
          entry(16, "INDEX", "app", "by_customer", {9}),
          entry(17, "TRIGGER", "app", "customers stamp", {4, 5}),
          entry(18, "FK CONSTRAINT", "app", "orders orders_customer_fkey", {9, 5, 15}),
          entry(19, "ACL", "app", "TYPE mood", {3}),
          entry(20, "BLOBS", "", "BLOBS", {}, true)};
}

PartialSelection select(PartialWish wish, Ids there = {}) {
  static const std::vector<ArchiveEntry> kEntries = shop();
  return select_entries(kEntries, wish,
                        [there](const ArchiveEntry& each) { return there.contains(each.id); });
}

PartialWish tables(Ids relations, PartialContent content = PartialContent::all) {
  return {std::move(relations), {}, false, content};
}

}  // namespace

TEST_CASE("a table comes with what hangs on it and what it needs, and nothing else") {
  const PartialSelection found = select(tables({5}));
  CHECK(found.entries == Ids{2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 17, 19});
  CHECK(found.existing.empty());
  CHECK(found.missing.empty());
}

TEST_CASE("what is needed and there is left out, with its privileges") {
  CHECK(select(tables({5}), {2, 3, 4}).entries == Ids{5, 6, 7, 8, 11, 12, 14, 15, 17});
}

TEST_CASE("a foreign key's table must be there or be chosen") {
  const PartialSelection found = select(tables({9}));
  REQUIRE(found.missing.size() == 1);
  CHECK(found.missing[0].name == "app.customers");
  CHECK(found.missing[0].needed_by == "FK CONSTRAINT app.\"orders orders_customer_fkey\"");
  CHECK(select(tables({9}), {5}).entries == Ids{2, 9, 13, 16, 18});
  CHECK(select(tables({5, 9})).missing.empty());
  CHECK(select(tables({10})).missing.size() == 1);
}

TEST_CASE("what is chosen and there is told") {
  const PartialSelection found = select(tables({5}), {5, 7, 2});
  REQUIRE(found.existing.size() == 2);
  CHECK(found.existing[0]->tag == "customers");
}

TEST_CASE("a schema is everything in it; one that is there is filled") {
  const PartialWish wish{{}, {"app"}, false, PartialContent::all};
  const Ids all{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
  CHECK(select(wish).entries == all);
  Ids rest = all;
  rest.erase(2);
  CHECK(select(wish, {2}).entries == rest);
  CHECK(select(wish, {2}).existing.empty());
}

TEST_CASE("definitions alone, rows alone") {
  CHECK(select(tables({5}, PartialContent::schema)).entries ==
        Ids{2, 3, 4, 5, 6, 7, 8, 11, 15, 17, 19});
  const PartialSelection rows = select(tables({5}, PartialContent::data), {5, 7});
  CHECK(rows.entries == Ids{12, 14});
  CHECK(rows.absent.empty());
  CHECK(select(tables({5}, PartialContent::data)).absent.size() == 2);
}

TEST_CASE("everything is everything but large objects") {
  const PartialSelection found = select({{}, {}, true, PartialContent::schema});
  CHECK(found.entries.size() == 15);
  CHECK(!found.entries.contains(20));
}

TEST_CASE("a partitioned table comes with its partitions") {
  const std::vector<ArchiveEntry> entries = {
      entry(1, "TABLE", "public", "events"),
      entry(2, "TABLE", "public", "events_1", {1}),
      entry(3, "TABLE ATTACH", "public", "events_1", {2, 1}),
      entry(4, "TABLE DATA", "public", "events_1", {2}, true),
      entry(5, "INDEX", "public", "at", {1}),
      entry(6, "INDEX", "public", "at_1", {2}),
      entry(7, "INDEX ATTACH", "public", "at_1", {5, 2, 6, 1})};
  const auto none = [](const ArchiveEntry&) { return false; };
  CHECK(select_entries(entries, tables({1}), none).entries == Ids{1, 2, 3, 4, 5, 6, 7});
  const PartialSelection one = select_entries(entries, tables({2}), none);
  CHECK(one.missing.size() == 1);  // the table that it is a part of
}

TEST_CASE("entries that depend on what is not there, on themselves or in a circle do no harm") {
  const std::vector<ArchiveEntry> entries = {
      entry(1, "TABLE", "a", "t", {99, 1}),  entry(2, "TYPE", "a", "x", {3}),
      entry(3, "FUNCTION", "a", "f()", {2}), entry(4, "DEFAULT", "a", "t id", {1, 3}),
      entry(5, "COMMENT", "a", "TABLE t"),   entry(6, "TABLE ATTACH", "a", "t", {1})};
  const auto none = [](const ArchiveEntry&) { return false; };
  CHECK(select_entries(entries, tables({1}), none).entries == Ids{1, 2, 3, 4, 6});
}

TEST_CASE("the list names ids in the archive's order") {
  CHECK(list_file(
            {entry(9, "TABLE", "a", "t"), entry(3, "TABLE", "a", "u"), entry(4, "TABLE", "a", "v")},
            {3, 9}) == "9;\n3;\n");
  CHECK(list_file({}, {1}).empty());
}
