#include "pg/census.h"
#include "pg/foreign_key_check.h"
#include "pg/index_check.h"
#include "pg/soundness.h"
#include "server.h"

using namespace bkp;

namespace {

Soundness soundness(const TestDatabase& database, Effort effort,
                    const std::string& user = "postgres") {
  PgConnection connection(database.conninfo(user));
  connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  return read_soundness(connection, effort);
}

using Names = std::vector<std::string>;

Names census(const TestDatabase& database) {
  PgConnection connection(database.conninfo());
  Names out;
  for (const auto& [kind, number] : take_census(connection))
    out.push_back(kind + " " + std::to_string(number));
  return out;
}

std::vector<std::string> orphans(const TestDatabase& database) {
  std::vector<std::string> out;
  for (const ForeignKeyCheck& each : check_foreign_keys(database.conninfo(), 2)) {
    CHECK(each.problem.empty());
    out.push_back(each.constraint + " " + std::to_string(each.orphans));
  }
  return out;
}

std::vector<std::string> names(const std::vector<LowSequence>& sequences) {
  std::vector<std::string> out;
  for (const LowSequence& each : sequences)
    out.push_back(each.sequence + " " + each.next + " " + each.column + " " + each.reached);
  return out;
}

}  // namespace

TEST_CASE("the census counts what pg_dump takes: no extension, no clones, no invalid index") {
  const TestDatabase empty("census_empty");
  CHECK(census(empty).empty());
  const TestDatabase database("census", R"(
CREATE EXTENSION hstore;
CREATE SCHEMA more;
CREATE TYPE mood AS ENUM ('a'); CREATE TYPE pair AS (a int, b int); CREATE DOMAIN d AS int CHECK (value > 0);
CREATE TYPE span AS RANGE (subtype = int);
CREATE TABLE a (id serial PRIMARY KEY, n int CHECK (n > 0), UNIQUE (n));
CREATE TABLE more.p (id int, a int REFERENCES a, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE more.p1 PARTITION OF more.p FOR VALUES FROM (0) TO (9);
CREATE TABLE more.p2 PARTITION OF more.p FOR VALUES FROM (9) TO (99);
CREATE INDEX broken ON a (n); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass;
CREATE VIEW v AS SELECT 1 AS one; CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE PROCEDURE pr() LANGUAGE sql AS '';
CREATE TRIGGER t AFTER INSERT ON more.p FOR EACH ROW EXECUTE FUNCTION f();
CREATE POLICY po ON a; CREATE RULE r AS ON INSERT TO a DO ALSO NOTHING;
CREATE PUBLICATION pu FOR TABLE a;
CREATE TEMP TABLE t (id int PRIMARY KEY);)");
  CHECK(census(database) == Names{"check constraints 1",
                                  "columns 10",
                                  "composite types 1",
                                  "domain constraints 1",
                                  "domains 1",
                                  "enums 1",
                                  "extensions 1",
                                  "foreign keys 1",
                                  "functions 1",
                                  "indexes 5",
                                  "materialized views 1",
                                  "partitioned tables 1",
                                  "policies 1",
                                  "primary keys 2",
                                  "procedures 1",
                                  "publications 1",
                                  "range types 1",
                                  "rules 1",
                                  "schemas 1",
                                  "sequences 1",
                                  "tables 3",
                                  "triggers 1",
                                  "unique constraints 1",
                                  "views 1"});
}

TEST_CASE("constraints that are not valid and indexes that are not are told by name") {
  const TestDatabase database("soundness", R"(
CREATE TABLE "A b" (id int PRIMARY KEY, n int);
ALTER TABLE "A b" ADD CONSTRAINT "No" CHECK (n > 0) NOT VALID;
CREATE TABLE c (a int); ALTER TABLE c ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES "A b" NOT VALID;
CREATE DOMAIN d AS int; ALTER DOMAIN d ADD CONSTRAINT positive CHECK (value > 0) NOT VALID;
CREATE INDEX i ON c (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass;)");
  for (const Effort effort : {Effort::cheap, Effort::whole}) {
    const Soundness found = soundness(database, effort);
    CHECK(found.not_valid == Names{"public.\"A b\".\"No\"", "public.c.f", "public.d.positive"});
    CHECK(found.invalid_indexes == Names{"public.i"});
    CHECK(found.unread.empty());
    CHECK(found.major == PgConnection(database.conninfo()).major());
  }
}

TEST_CASE("a sequence is low when its next value is in its column or was passed") {
  const TestDatabase database("soundness", R"(
CREATE TABLE good (id serial PRIMARY KEY); INSERT INTO good SELECT FROM generate_series(1, 9);
CREATE TABLE empty (id serial PRIMARY KEY);
CREATE TABLE low (id serial PRIMARY KEY); INSERT INTO low VALUES (1), (7);
CREATE TABLE equal (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
INSERT INTO equal OVERRIDING SYSTEM VALUE VALUES (4); SELECT setval('equal_id_seq', 4, false);
CREATE SEQUENCE down INCREMENT -2; CREATE TABLE falling (id bigint DEFAULT nextval('down') PRIMARY KEY);
INSERT INTO falling VALUES (-11); SELECT setval('down', -9);
CREATE SEQUENCE round CYCLE MAXVALUE 5; CREATE TABLE cycled (id int DEFAULT nextval('round') PRIMARY KEY);
INSERT INTO cycled VALUES (5);
CREATE SEQUENCE times; CREATE TABLE tenfold (id int DEFAULT nextval('times') * 10 PRIMARY KEY);
INSERT INTO tenfold VALUES (10), (20);
CREATE SEQUENCE owned; CREATE TABLE owner (id int, PRIMARY KEY (id)); ALTER SEQUENCE owned OWNED BY owner.id;
INSERT INTO owner VALUES (3);
CREATE TABLE slow (id serial); INSERT INTO slow VALUES (8);
CREATE TABLE parts (id serial, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (99); INSERT INTO parts VALUES (6);)");
  const Names cheap{"public.down -11 public.falling.id -11",
                    "public.equal_id_seq 4 public.equal.id 4",
                    "public.low_id_seq 1 public.low.id 7", "public.owned 1 public.owner.id 3",
                    "public.parts_id_seq 1 public.parts.id 6"};
  Soundness found = soundness(database, Effort::cheap);
  CHECK(names(found.low_sequences) == cheap);
  CHECK(found.unlooked_sequences ==
        std::map<std::string, std::string>{{"public.slow_id_seq", "1"}});
  found = soundness(database, Effort::whole);
  Names whole = cheap;
  whole.push_back("public.slow_id_seq 1 public.slow.id 8");
  CHECK(names(found.low_sequences) == whole);
  CHECK(found.unlooked_sequences.empty());
}

TEST_CASE("what a role may not read, and what is locked, is left out, and no lock stays") {
  const TestDatabase database("soundness", R"(
DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN;
CREATE TABLE a (id serial PRIMARY KEY); INSERT INTO a VALUES (5);
CREATE TABLE b (id serial PRIMARY KEY); INSERT INTO b VALUES (5);)");
  const Soundness strange = soundness(database, Effort::cheap, "stranger");
  CHECK(strange.census == soundness(database, Effort::cheap).census);
  CHECK(strange.low_sequences.empty());
  CHECK(strange.unlooked_sequences.size() == 2);
  PgConnection application(database.conninfo());
  application.execute("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE");
  PgConnection connection(database.conninfo());
  connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  const Soundness found = read_soundness(connection, Effort::cheap);
  CHECK(names(found.low_sequences) == Names{"public.b_id_seq 1 public.b.id 5"});
  CHECK(found.unlooked_sequences == std::map<std::string, std::string>{{"public.a_id_seq", ""}});
  CHECK(connection.query_value("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()"
                               " AND relation IN ('b'::regclass, 'b_pkey'::regclass)") == "0");
  CHECK(connection.query_value("SHOW lock_timeout") == "0");
  shared_cluster().psql("soundness", "ALTER TABLE b ADD COLUMN n int");
}

TEST_CASE("orphans are found as the server would find them: collations, char, enums, MATCH FULL") {
  const TestDatabase database("soundness", R"(
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE e AS ENUM ('x', 'y');
CREATE TABLE t (id text COLLATE ci PRIMARY KEY); INSERT INTO t VALUES ('Ab');
CREATE TABLE t_ref (a text COLLATE ci REFERENCES t); INSERT INTO t_ref VALUES ('Ab'), ('AB'), (NULL);
CREATE TABLE c (id char(3) PRIMARY KEY); INSERT INTO c VALUES ('xyz'), ('x');
CREATE TABLE c_ref (a char(5) REFERENCES c, b varchar(3)); INSERT INTO c_ref VALUES ('xyz'), ('x');
CREATE TABLE n (id e PRIMARY KEY); INSERT INTO n VALUES ('x');
CREATE TABLE n_ref (a e REFERENCES n); INSERT INTO n_ref VALUES ('x');
CREATE TABLE i (id bigint PRIMARY KEY); INSERT INTO i VALUES (1), (2);
CREATE TABLE i_ref (a smallint REFERENCES i); INSERT INTO i_ref VALUES (1), (2), (NULL);
CREATE TABLE two (a int, b int, PRIMARY KEY (a, b)); INSERT INTO two VALUES (1, 1);
CREATE TABLE two_simple (a int, b int, FOREIGN KEY (a, b) REFERENCES two); INSERT INTO two_simple VALUES (1, 1), (9, NULL);
CREATE TABLE two_full (a int, b int, FOREIGN KEY (a, b) REFERENCES two MATCH FULL); INSERT INTO two_full VALUES (1, 1), (NULL, NULL);
CREATE TABLE par (id int PRIMARY KEY); CREATE TABLE kid () INHERITS (par); INSERT INTO par VALUES (1); INSERT INTO kid VALUES (2);
CREATE TABLE par_ref (a int REFERENCES par); INSERT INTO par_ref VALUES (1);
CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); INSERT INTO p VALUES (1);
CREATE TABLE p_ref (a int REFERENCES p, k int) PARTITION BY RANGE (k); CREATE TABLE p_ref1 PARTITION OF p_ref FOR VALUES FROM (0) TO (9); INSERT INTO p_ref VALUES (1, 1);)");
  CHECK(orphans(database) == Names{"public.c_ref.c_ref_a_fkey 0", "public.i_ref.i_ref_a_fkey 0",
                                   "public.n_ref.n_ref_a_fkey 0", "public.p_ref.p_ref_a_fkey 0",
                                   "public.par_ref.par_ref_a_fkey 0", "public.t_ref.t_ref_a_fkey 0",
                                   "public.two_full.two_full_a_b_fkey 0",
                                   "public.two_simple.two_simple_a_b_fkey 0"});
  shared_cluster().psql("soundness", R"(
SET session_replication_role = replica;
INSERT INTO t_ref VALUES ('no'); INSERT INTO c_ref VALUES ('xy'), ('z'); INSERT INTO n_ref VALUES ('y');
INSERT INTO i_ref VALUES (3); INSERT INTO two_simple VALUES (1, 2); INSERT INTO two_full VALUES (1, 2), (1, NULL);
INSERT INTO par_ref VALUES (2); INSERT INTO p_ref VALUES (2, 2), (3, 3);)");
  CHECK(orphans(database) == Names{"public.c_ref.c_ref_a_fkey 2", "public.i_ref.i_ref_a_fkey 1",
                                   "public.n_ref.n_ref_a_fkey 1", "public.p_ref.p_ref_a_fkey 2",
                                   "public.par_ref.par_ref_a_fkey 1", "public.t_ref.t_ref_a_fkey 1",
                                   "public.two_full.two_full_a_b_fkey 2",
                                   "public.two_simple.two_simple_a_b_fkey 1"});
}

TEST_CASE("every btree index is looked into, and a broken one named") {
  const TestDatabase database("soundness", R"(
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE TABLE a (id int PRIMARY KEY, t text, g int4range);
INSERT INTO a SELECT i, repeat('x', 100), int4range(i, i + 1) FROM generate_series(1, 1000) i;
CREATE INDEX g ON a USING gist (g); CREATE INDEX "by F" ON a (f(id));)");
  IndexChecks checks = check_indexes(database.conninfo(), 3);
  CHECK(checks.unavailable.empty());
  CHECK(checks.looked_into == 3);  // that of large values too
  CHECK(checks.others == 1);
  CHECK(checks.broken.empty());
  shared_cluster().psql("soundness",
                        "CREATE OR REPLACE FUNCTION f(int) RETURNS int LANGUAGE sql "
                        "IMMUTABLE AS 'SELECT -$1'");
  checks = check_indexes(database.conninfo(), 1);
  REQUIRE(checks.broken.size() == 1);
  CHECK(checks.broken[0].index == "public.\"by F\"");
  CHECK(checks.broken[0].problem.find("index") != std::string::npos);
}

TEST_CASE("where amcheck may not be installed, that is told") {
  const TestDatabase database("soundness", R"(
DROP ROLE IF EXISTS maker; CREATE ROLE maker LOGIN; CREATE TABLE a (id int PRIMARY KEY);
ALTER TABLE a OWNER TO maker; GRANT CREATE ON DATABASE soundness TO maker;)");
  const IndexChecks checks = check_indexes(database.conninfo("maker"), 2);
  CHECK_THAT(checks.unavailable, Catch::Contains("amcheck cannot be installed"));
  CHECK(checks.looked_into == 0);
  shared_cluster().psql("soundness", "DROP OWNED BY maker");
}
