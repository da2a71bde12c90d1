#include "tenant/row_cursor.h"

#include <catch2/catch.hpp>

using namespace bkp;

TEST_CASE("a field of COPY text is the value that it stands for") {
  CHECK(copy_field("plain") == "plain");
  CHECK(copy_field("") == "");
  CHECK(copy_field(R"(a\tb\nc\rd\be\ff\vg\\h)") == "a\tb\nc\rd\be\ff\vg\\h");
  CHECK(copy_field(R"(\\N)") == "\\N");
  CHECK(copy_field("\\") == "\\");
}

TEST_CASE("a cursor's query quotes names and lets the server sort") {
  const RowSelection rows{
      "ONLY s.t", {"id", "A b"}, {KeyOrder::number, KeyOrder::text}, {"id", "A b", "c"}, "id > 5"};
  CHECK(cursor_query(rows) ==
        "SELECT id, \"A b\"::pg_catalog.text COLLATE pg_catalog.\"C\", id, \"A b\", c "
        "FROM ONLY s.t WHERE id > 5 ORDER BY 1, 2");
  CHECK(cursor_query({"t", {"u"}, {KeyOrder::uuid}, {"a"}, ""}) == "SELECT u, a FROM t ORDER BY 1");
  CHECK(cursor_query({"t", {}, {}, {"a"}, ""}) == "SELECT a FROM t");
}
