#include <random>

#include "pg/server.h"
#include "pg/text_session.h"
#include "policy/table_match.h"
#include "tenant/database_shape.h"
#include "tenant/sequences.h"
#include "tenant/stage_difference.h"
#include "tenant/staged_writes.h"

using namespace bkp;

namespace {

PgConnection session(const TestDatabase& database) {
  PgConnection connection(database.conninfo());
  set_text_session(connection);
  return connection;
}

// Two databases of the same tables, and what a merge does between them.
class Merge {
 public:
  explicit Merge(const std::string& schema, const std::string& then_sql = {},
                 const std::string& now_sql = {})
      : then_db_("difference_then", schema), now_db_("difference_now", schema) {
    if (!then_sql.empty()) shared_cluster().psql(then_db_.name(), then_sql);
    if (!now_sql.empty()) shared_cluster().psql(now_db_.name(), now_sql);
  }

  void look(DiffMode mode) {
    then_shape_ = read_shape(then);
    now_shape_ = read_shape(now);
    const DifferenceSources sources{then, now, writer, then_shape_.encoding};
    for (std::size_t i = 0; i < now_shape_.tables.size(); ++i) {
      const TableShape& table = now_shape_.tables[i];
      TableMatch match = match_table(then_shape_.tables.at(i), &table);
      REQUIRE(match.blocked.empty());
      REQUIRE(match.key);
      StagedTable staged(table, std::move(match), i);
      staged.create(writer, mode != DiffMode::keep);
      counts[table.name] = stage_difference(sources, then_shape_.tables.at(i), staged, mode);
      staged_.emplace(i, std::move(staged));
    }
  }

  std::map<std::string, RowsWritten> write() {
    std::map<std::string, RowsWritten> written;
    for (const auto& [index, rows] : write_staged(writer, now_shape_, staged_))
      written[now_shape_.tables[index].name] = rows;
    return written;
  }

  const StagedTable& table(const std::string& name) const {
    for (const auto& [index, each] : staged_)
      if (each.now().name == name) return each;
    throw std::logic_error(name);
  }

  std::string then_value(const std::string& sql) { return then.query_value(sql); }
  std::string now_value(const std::string& sql) { return now.query_value(sql); }

  TestDatabase then_db_, now_db_;
  PgConnection then = session(then_db_), now = session(now_db_), writer = session(now_db_);
  std::map<std::string, RowCounts> counts;
  DatabaseShape then_shape_, now_shape_;
  StagedTables staged_;
};

}  // namespace

TEST_CASE("a database's shape: keys, foreign keys, partitions, generated columns, triggers") {
  const TestDatabase database("shape", R"(
CREATE TABLE p (id int PRIMARY KEY, code text, UNIQUE (code) DEFERRABLE);
CREATE UNIQUE INDEX p_lower ON p (lower(code)) WHERE id > 5;
CREATE TABLE c (id bigint GENERATED ALWAYS AS IDENTITY, p int NOT NULL REFERENCES p, twice int GENERATED ALWAYS AS (p * 2) STORED,
  at date DEFAULT now(), PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
CREATE TABLE c1 PARTITION OF c FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE r (a int, during int4range, EXCLUDE USING gist (during WITH &&));
CREATE RULE r_rule AS ON INSERT TO r DO INSTEAD NOTHING;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER one BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION f();
CREATE TRIGGER two AFTER UPDATE ON p EXECUTE FUNCTION f();
CREATE TRIGGER off AFTER UPDATE ON p EXECUTE FUNCTION f();
ALTER TABLE p ENABLE ALWAYS TRIGGER two, DISABLE TRIGGER off;
CREATE TRIGGER gone AFTER DELETE ON p EXECUTE FUNCTION f();
CREATE SEQUENCE loose INCREMENT -2 CYCLE;
)");
  PgConnection connection = session(database);
  const DatabaseShape shape = read_shape(connection);
  CHECK(shape.encoding == "UTF8");
  REQUIRE(shape.tables.size() == 3);
  const TableShape &c = shape.tables[0], &p = shape.tables[1], &r = shape.tables[2];
  CHECK((c.name == "c" && p.name == "p" && r.name == "r"));
  CHECK((c.partitioned && !p.partitioned && r.rewritten && !p.rewritten));
  CHECK(shape.root_of("public", "c1") == 0U);
  CHECK_FALSE(shape.root_of("public", "absent"));
  REQUIRE(c.columns.size() == 4);
  CHECK((c.columns[0].identity_always && c.columns[0].has_default && c.columns[0].not_null));
  CHECK(c.columns[2].generated == "(p * 2)");
  CHECK((c.columns[3].type == "date" && c.columns[3].has_default));
  REQUIRE(c.uniques.size() == 1);
  CHECK(c.uniques[0].primary);
  CHECK(c.uniques[0].parts[0].column == "at");
  CHECK(c.uniques[0].parts[1].operation == "OPERATOR(pg_catalog.=)");
  REQUIRE(p.uniques.size() == 3);
  CHECK((p.uniques[0].primary && !p.uniques[1].immediate));
  CHECK(p.uniques[2].parts[0].expression == "lower(code)");
  CHECK(p.uniques[2].predicate == "(id > 5)");
  CHECK(
      (r.uniques.at(0).exclusion && r.uniques[0].parts[0].operation == "OPERATOR(pg_catalog.&&)"));
  REQUIRE(shape.foreign_keys.size() == 1);
  CHECK((shape.foreign_keys[0].child == 0 && shape.foreign_keys[0].parent == 1));
  REQUIRE((c.triggers.size() == 1 && p.triggers.size() == 1));
  CHECK(p.triggers[0].fires == TriggerShape::Fires::always);
  REQUIRE(shape.sequences.size() == 2);
  CHECK(shape.sequences[0].columns == std::vector{std::pair{std::size_t{0}, std::string("id")}});
  CHECK((shape.sequences[1].cycles && !shape.sequences[1].ascending));
}

TEST_CASE("row-level security that binds the role is seen") {
  const TestDatabase database("shape",
                              "CREATE TABLE t (id int PRIMARY KEY);"
                              "ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
                              "DROP ROLE IF EXISTS bound; CREATE ROLE bound LOGIN;"
                              "GRANT SELECT ON t TO bound");
  PgConnection free = session(database), bound(database.conninfo("bound"));
  set_text_session(bound);
  CHECK_FALSE(read_shape(free).tables.at(0).filtered);
  CHECK(read_shape(bound).tables.at(0).filtered);
}

TEST_CASE("the server's order of any key is the difference's, and what comes back is the same") {
  const std::string type = GENERATE(as<std::string>(), "int", "bigint", "text", "uuid", "numeric",
                                    "timestamptz", "bytea", "date", "text COLLATE \"de-x-icu\"",
                                    "boolean", "float8", "inet", "text[]", "interval", "char(3)");
  const std::map<std::string, std::string> values = {
      {"int", "i - 500"},
      {"bigint", "i::bigint * i * (i % 3 - 1) * 1000 + i"},
      {"text", "chr(32 + i) || repeat(E'\\t\\n\\\\', i % 3)"},
      {"uuid", "md5(i::text)::uuid"},
      {"numeric", "(i - 500) / 7.0"},
      {"timestamptz", "timestamptz '2024-10-27 00:00+00' + (i - 500) * interval '997 hours'"},
      {"bytea", "decode(md5(i::text), 'hex')"},
      {"date", "date '0001-01-05' + (i - 500)"},
      {"text COLLATE \"de-x-icu\"", "(ARRAY['Ä','a','B','z','ß','Z','é','_'])[i % 8 + 1] || i"},
      {"boolean", "i % 2 = 0"},
      {"float8", "(i - 500) * 1e300 / 3"},
      {"inet", "'10.0.0.0'::inet + i * 977"},
      {"text[]", "ARRAY[i::text, chr(34 + i % 90), NULL]"},
      {"interval", "(i - 500) * interval '1 hour 1 min'"},
      {"char(3)", "chr(65 + i % 26) || chr(65 + i / 26)"}};
  const std::string rows = type == "boolean" ? "2" : "1000";
  const std::string fill =
      "INSERT INTO t SELECT " + values.at(type) + ", i FROM generate_series(1, " + rows + ") i;";
  Merge merge("CREATE TABLE t (k " + type + " PRIMARY KEY, v int);" + fill, "",
              type == "boolean"
                  ? "DELETE FROM t WHERE v = 2"
                  : "DELETE FROM t WHERE v % 3 = 0; UPDATE t SET v = -v WHERE v % 7 = 0;"
                    "DELETE FROM t WHERE v = 1; ");
  INFO(type);
  merge.look(DiffMode::overwrite);
  const RowCounts counts = merge.counts.at("t");
  CHECK(counts.extra == 0);
  CHECK(counts.missing + counts.changed + counts.same == std::stoul(rows));
  CHECK(counts.missing == (type == "boolean" ? 1U : 334U));
  merge.write();
  const std::string all =
      "SELECT md5(string_agg(t::text, ',' ORDER BY t::text COLLATE \"C\")) FROM public.t";
  CHECK(merge.now_value(all) == merge.then_value(all));
}

TEST_CASE("tables that refer to each other in a circle come back by one statement") {
  Merge merge(R"(
CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL);
CREATE TABLE b (id int PRIMARY KEY, c int NOT NULL);
CREATE TABLE c (id int PRIMARY KEY, a int NOT NULL REFERENCES a, up int REFERENCES c);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
ALTER TABLE b ADD FOREIGN KEY (c) REFERENCES c;)",
              R"(
SET session_replication_role = replica;
INSERT INTO a SELECT i, i FROM generate_series(1, 50) i;
INSERT INTO b SELECT i, i FROM generate_series(1, 50) i;
INSERT INTO c SELECT i, i, nullif(51 - i, i) FROM generate_series(1, 50) i;)");
  merge.look(DiffMode::keep);
  CHECK(mark_orphans(merge.writer, merge.now_shape_, merge.staged_).empty());
  const auto written = merge.write();
  CHECK(written.at("a") == RowsWritten{50, 0});
  CHECK(written.at("c") == RowsWritten{50, 0});
  CHECK(dangling_references(merge.writer, merge.now_shape_, merge.staged_).empty());
}

TEST_CASE("a value that one row gives up is taken by another within one statement") {
  Merge merge("CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE)",
              "INSERT INTO t VALUES (1, 'x'), (2, 'y')", "INSERT INTO t VALUES (2, 'x')");
  merge.look(DiffMode::overwrite);
  CHECK(mark_clashes(merge.writer, merge.table("t")).empty());
  CHECK(merge.write().at("t") == RowsWritten{1, 1});
  CHECK(merge.now_value("SELECT string_agg(u, ',' ORDER BY id) FROM public.t") == "x,y");
}

TEST_CASE("clashes are found by the index's own idea of what is equal") {
  Merge merge(
      "CREATE EXTENSION citext; CREATE TABLE t (id int PRIMARY KEY, u citext UNIQUE, l text,"
      "  g text GENERATED ALWAYS AS (lower(l)) STORED UNIQUE, n int);"
      "CREATE UNIQUE INDEX t_partial ON t (n) WHERE n > 10;",
      "INSERT INTO t VALUES (1, 'A', 'L1', DEFAULT, 5), (2, 'B', 'L2', DEFAULT, 20),"
      "  (3, 'C', 'L3', DEFAULT, 5), (4, NULL, NULL, DEFAULT, NULL);",
      "INSERT INTO t VALUES (11, 'a', 'x', DEFAULT, 5), (12, 'z', 'y', DEFAULT, 20),"
      "  (13, NULL, 'l3', DEFAULT, NULL);");
  merge.look(DiffMode::keep);
  std::map<std::string, std::uint64_t> found;
  for (const RowProblem& problem : mark_clashes(merge.writer, merge.table("t")))
    found[problem.constraint] = problem.rows;
  CHECK(found ==
        std::map<std::string, std::uint64_t>{{"t_g_key", 1}, {"t_partial", 1}, {"t_u_key", 1}});
  CHECK(merge.write().at("t") == RowsWritten{1, 0});
}

TEST_CASE("a row whose parent is not there takes those that refer to it along") {
  Merge merge(
      "CREATE TABLE a (id int PRIMARY KEY, u int UNIQUE);"
      "CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);"
      "CREATE TABLE c (id int PRIMARY KEY, b int REFERENCES b, up int REFERENCES c);",
      "INSERT INTO a VALUES (1, 1), (2, 2); INSERT INTO b VALUES (1, 1), (2, 2), (3, NULL);"
      "INSERT INTO c VALUES (1, 1, NULL), (2, 3, 1), (3, 3, 2), (4, 2, 4);",
      "INSERT INTO a VALUES (9, 1)");
  merge.look(DiffMode::keep);
  CHECK(mark_clashes(merge.writer, merge.table("a")).size() == 1);
  const auto orphans = mark_orphans(merge.writer, merge.now_shape_, merge.staged_);
  REQUIRE(orphans.size() == 2);
  CHECK(orphans.at(1).at(0).rows == 1);
  CHECK(merge.write().at("c") == RowsWritten{1, 0});
  CHECK(merge.now_value("SELECT string_agg(id::text, ',' ORDER BY id) FROM public.b") == "2,3");
}

TEST_CASE("a foreign key that a silenced write breaks is found, from either side") {
  const bool parent = GENERATE(true, false);
  Merge merge(
      "CREATE TABLE a (id int PRIMARY KEY, u int UNIQUE);"
      "CREATE TABLE b (id int PRIMARY KEY, u int REFERENCES a (u));",
      parent ? "INSERT INTO a VALUES (1, 1)"
             : "INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1)",
      parent ? "INSERT INTO a VALUES (1, 2); INSERT INTO b VALUES (7, 2)"
             : "INSERT INTO a VALUES (1, 1)");
  merge.look(DiffMode::overwrite);
  merge.writer.execute("SET session_replication_role = replica");
  merge.write();
  const auto dangling = [&] {
    return dangling_references(merge.writer, merge.now_shape_, merge.staged_);
  };
  if (!parent) {
    CHECK(dangling().empty());
    merge.writer.execute("DELETE FROM public.a");
  }
  REQUIRE(dangling().size() == 1);
  CHECK(dangling()[0].constraint == "b_u_fkey");
}

TEST_CASE("a key that came meanwhile stays as it is") {
  Merge merge("CREATE TABLE t (id numeric PRIMARY KEY, v text)",
              "INSERT INTO t VALUES (1, 'then'), (2, 'then'), (3.0, 'then')",
              "INSERT INTO t VALUES (3.00, 'now')");
  merge.look(DiffMode::keep);
  CHECK(merge.counts.at("t") == RowCounts{3, 0, 0, 1});
  CHECK(mark_present(merge.writer, merge.table("t"), staged::kKept) == 1);
  shared_cluster().psql("difference_now", "INSERT INTO t VALUES (1, 'writer')");
  merge.writer.execute("BEGIN");
  CHECK(merge.write().at("t") == RowsWritten{1, 0});
  const auto touched = touched_rows(merge.writer);
  REQUIRE(touched.count("public.t") == 1);
  CHECK(touched.at("public.t").inserted - touched.at("public.t").deleted == 1);
  CHECK(touched.size() == 1);
  merge.writer.execute("COMMIT");
  CHECK(unlike_rows(merge.writer, merge.table("t")) == 1);
  CHECK(merge.now_value("SELECT string_agg(v, ',' ORDER BY id) FROM public.t") ==
        "writer,then,now");
}

TEST_CASE("rows that a trigger changed are found before they are committed") {
  Merge merge(
      "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE log (id serial PRIMARY KEY);",
      "INSERT INTO t VALUES (1, 'x'), (2, NULL)",
      "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 1; "
      "INSERT INTO public.log DEFAULT VALUES; RETURN NEW; END';"
      "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
  merge.look(DiffMode::keep);
  merge.writer.execute("BEGIN");
  merge.write();
  CHECK(unlike_rows(merge.writer, merge.table("t")) == 2);
  CHECK(touched_rows(merge.writer).at("public.log").inserted == 2);
}

TEST_CASE("sequences are moved forward and never back") {
  Merge merge(
      "CREATE TABLE t (id serial PRIMARY KEY); CREATE SEQUENCE down INCREMENT -1;"
      "CREATE SEQUENCE round CYCLE MAXVALUE 10; CREATE SEQUENCE small MAXVALUE 100;"
      "CREATE SEQUENCE ahead;",
      "INSERT INTO t VALUES (70); SELECT setval('t_id_seq', 60), setval('down', -9),"
      "  setval('round', 9), setval('ahead', 5)",
      "SELECT setval('t_id_seq', 10), setval('down', -3), setval('ahead', 8)");
  merge.look(DiffMode::keep);
  const auto behind = [&] {
    std::map<std::string, std::int64_t> moves;
    for (const SequenceMove& move : sequences_behind(merge.then, merge.then_shape_, merge.writer,
                                                     merge.now_shape_, merge.staged_))
      moves[move.name] = move.to;
    return moves;
  };
  CHECK(behind() ==
        std::map<std::string, std::int64_t>{{"public.down", -9}, {"public.t_id_seq", 70}});
  std::vector<SequenceMove> moves;
  for (const auto& [name, to] : behind()) moves.push_back({name, to});
  shared_cluster().psql("difference_now", "SELECT setval('down', -20)");  // somebody went on
  merge.writer.execute("BEGIN");
  forward_sequences(merge.writer, moves);
  merge.writer.execute("COMMIT");
  CHECK(merge.now_value("SELECT nextval('public.t_id_seq')") == "71");
  CHECK(merge.now_value("SELECT nextval('public.down')") == "-21");
  CHECK(behind().empty());
}
