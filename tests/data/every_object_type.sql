-- A database with every common type of object, for round trips, of PostgreSQL 15 or later. Run as
-- a superuser of an empty database of a cluster of its own: it makes roles.
SET client_min_messages = warning;

-- Roles, once a cluster
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'every_owner') THEN
    CREATE ROLE every_owner;
    CREATE ROLE every_reader;
    CREATE ROLE "Odd ""Role""";
  END IF;
END $$;

-- Extensions, one of which has a configuration table's worth of rows
CREATE SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE EXTENSION btree_gist SCHEMA ext;
CREATE EXTENSION pg_trgm SCHEMA ext;
CREATE EXTENSION postgres_fdw SCHEMA ext;
COMMENT ON EXTENSION hstore IS 'another comment';

-- Schemas and names
CREATE SCHEMA app AUTHORIZATION every_owner;
COMMENT ON SCHEMA app IS 'it''s a "schema" with a \ in its comment';
CREATE SCHEMA "Ünï ""cödé"" schema";
CREATE TABLE "Ünï ""cödé"" schema"."select" ("from" int PRIMARY KEY, "a b" text, "日本語" text, "quo""te" text);
INSERT INTO "Ünï ""cödé"" schema"."select" VALUES (1, 'x', '東京', 'y'), (2, NULL, '', '"');
CREATE TABLE app.U&"new\000Aline\0009tab\\slash'quote" (id int, U&"col\000Aumn" text);
INSERT INTO app.U&"new\000Aline\0009tab\\slash'quote" VALUES (1, E'a\nb'), (2, E'\t');
CREATE TABLE app."a name that is exactly as long as a name can be: sixty-three ch" (a int);
INSERT INTO app."a name that is exactly as long as a name can be: sixty-three ch" VALUES (1);

-- Types
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'it''s "happy"', 'ungewöhnlich');
CREATE TYPE app.address AS (street text, number int, tags text[]);
CREATE DOMAIN app.positive AS int DEFAULT 1 CONSTRAINT above_zero CHECK (VALUE > 0);
CREATE DOMAIN app.positives AS app.positive[] CHECK (cardinality(VALUE) < 10);
CREATE TYPE app.float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
COMMENT ON TYPE app.mood IS 'how it goes';

CREATE TABLE app.every_type (
  id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 5) PRIMARY KEY,
  b boolean, i2 smallint, i4 integer DEFAULT 7, i8 bigint, n numeric, n2 numeric(12, 3),
  f4 real, f8 double precision, m money, t text, v varchar(20), c character(10), c1 "char", nm name,
  by bytea, d date, ti time, titz time with time zone, ts timestamp, tstz timestamp with time zone,
  iv interval, u uuid, j json, jb jsonb, jp jsonpath, x xml,
  cidr cidr, inet inet, mac macaddr, mac8 macaddr8, bi bit(5), vb bit varying(9),
  pt point, ln line, ls lseg, bx box, pa path, po polygon, ci circle,
  tv tsvector, tq tsquery, r4 int4range, rn numrange, rts tstzrange, rd daterange,
  mr int4multirange, fr app.float_range, ai int[], at text[], aa text[][], ad date[],
  mo app.mood, ao app.mood[], ad2 app.address, aad app.address[], po2 app.positive, pos app.positives,
  o oid, rc regclass, rp regprocedure, ls2 pg_lsn, sn pg_snapshot, h ext.hstore, ct ext.citext,
  doubled integer GENERATED ALWAYS AS (i4 * 2) STORED
);
INSERT INTO app.every_type (b, i2, i4, i8, n, n2, f4, f8, m, t, v, c, c1, nm, by, d, ti, titz, ts, tstz,
  iv, u, j, jb, jp, x, cidr, inet, mac, mac8, bi, vb, pt, ln, ls, bx, pa, po, ci, tv, tq, r4, rn, rts, rd,
  mr, fr, ai, at, aa, ad, mo, ao, ad2, aad, po2, pos, o, rc, rp, ls2, sn, h, ct)
VALUES
 (true, -32768, 2147483647 / 2, 9223372036854775807, 'NaN', 123456789.125, 'NaN', 0.1::float8 + 0.2, 1234.56,
  E'tab\there, newline\nhere, return\rhere, back\\slash, \\. and \\N and \b\f\v', 'v', 'c', 'x', 'name',
  '\x00ff5c2e0a', '2024-02-29', '23:59:59.999999', '12:00:00+05:45', '2024-03-31 02:30:00.123456',
  '2024-03-31 02:30:00.123456+00', '1 year -2 mons +3 days -04:05:06.789', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  '{"a": 1,  "a": 2}', '{"b": [1, null, "\u00e4"], "a": {}}', '$.a[*] ? (@ > 1)', '<a b="c">d&amp;e</a>',
  '10.0.0.0/8', '192.168.0.1/24', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '10101', '101',
  '(1.5,-2)', '{1,2,3}', '[(0,0),(1,1)]', '((0,0),(1,1))', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),2>',
  to_tsvector('simple', 'the quick brown''s fox'), 'a & !b | (c <-> d)', '[1,10)', '(,5.5]',
  '[2024-01-01 00:00+00,2024-06-01 00:00+00)', 'empty', '{[1,3),[5,7)}', '[0.5,1.5]',
  '{1,NULL,3}', ARRAY['a', NULL, 'NULL', '', 'b"\ {},'], '{{a,b},{c,d}}', '[2:3]={2024-01-01,infinity}',
  'it''s "happy"', '{sad,"it''s \"happy\""}', ('Straße "x", y', 5, '{a,b}'), ARRAY[('a', NULL, NULL)::app.address],
  3, '{1,2}', 4294967295, 'app.every_type', 'pg_catalog.lower(text)', '16/B374D848', '10:20:10,14,15',
  'a=>1, "b c"=>NULL', 'CaSe'),
 (false, 0, 0, 0, 'Infinity', 0, '-Infinity', 1e-300, '-$0.01', '', '', '', '', '', '', '-infinity', '00:00', '00:00+00',
  '-infinity', 'infinity', '-1 mons +1 day', NULL, 'null', 'null', NULL, NULL, NULL, '::1', NULL, NULL, '00000', '',
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', '', 'empty', NULL, '(,)', '[2024-01-01,)', '{}', NULL, '{}', '{}',
  '{}', '{}', 'sad', '{}', (NULL, NULL, NULL), '{}', 1, '{}', 0, NULL, NULL, '0/0', NULL, '', '');
INSERT INTO app.every_type DEFAULT VALUES;
INSERT INTO app.every_type (f4, f8, iv, tstz, m) SELECT random(), random() * 10 ^ (i % 40 - 20),
  make_interval(years => i % 3 - 1, days => -i, secs => i * 1.001), timestamptz '2000-01-01 00:00+00' + i * interval '1 day 1 sec 7 us', i * 1.11
  FROM generate_series(1, 500) i;

-- Tables of every shape
CREATE TABLE app.empty (a int, b text);
CREATE TABLE app.no_columns ();
INSERT INTO app.no_columns SELECT FROM generate_series(1, 17);
CREATE TABLE app.all_dropped (a int, b int);
INSERT INTO app.all_dropped VALUES (1, 2), (3, 4);
ALTER TABLE app.all_dropped DROP COLUMN a, DROP COLUMN b;
CREATE TABLE app.some_dropped (a int, gone int, b text, gone2 text, c int DEFAULT 5);
INSERT INTO app.some_dropped VALUES (1, 2, 'x', 'y');
ALTER TABLE app.some_dropped DROP COLUMN gone, DROP COLUMN gone2, ADD COLUMN added text DEFAULT 'added';
INSERT INTO app.some_dropped VALUES (2, '\.', 6, NULL), (3, '', 7, '\N');
CREATE TABLE app.only_generated (a int GENERATED ALWAYS AS (1) STORED);
INSERT INTO app.only_generated DEFAULT VALUES;
CREATE TABLE app.one_text (t text);
INSERT INTO app.one_text VALUES ('\.'), (E'\\.\n'), (''), (NULL), (E'\n\n\n'), (E'\\'), ('.'), ('\N'), (E'\r\n'), ('x');
CREATE TABLE app.wide_rows (id int, t text, b bytea);
ALTER TABLE app.wide_rows ALTER COLUMN t SET STORAGE EXTERNAL;
INSERT INTO app.wide_rows VALUES (1, repeat('0123456789', 500000), NULL),
  (2, repeat(E'\n\\', 1000000), decode(repeat('00ff', 1500000), 'hex')), (3, '', '');
CREATE UNLOGGED TABLE app.unlogged (a int PRIMARY KEY);
INSERT INTO app.unlogged SELECT generate_series(1, 10);
CREATE TABLE app.identity_by_default (id int GENERATED BY DEFAULT AS IDENTITY, t text COLLATE "C");
INSERT INTO app.identity_by_default (t) VALUES ('a'), ('b');
CREATE TABLE app.with_options (id serial, t text) WITH (fillfactor = 70, autovacuum_enabled = false);
ALTER TABLE app.with_options ALTER COLUMN t SET STATISTICS 500, ALTER COLUMN t SET STORAGE EXTERNAL;
INSERT INTO app.with_options (t) SELECT 'row ' || i FROM generate_series(1, 3000) i;
CREATE TABLE app.typed OF app.address (PRIMARY KEY (street));
INSERT INTO app.typed VALUES ('a', 1, NULL);

-- Inheritance and partitions
CREATE TABLE app.parent (id int, t text, CHECK (id > 0));
CREATE TABLE app.child (extra int) INHERITS (app.parent);
INSERT INTO app.parent VALUES (1, 'parent');
INSERT INTO app.child VALUES (2, 'child', 3);
CREATE TABLE app.by_range (id int, at date NOT NULL, t text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE app.by_range_2024 PARTITION OF app.by_range FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE app.by_range_rest PARTITION OF app.by_range DEFAULT;
CREATE TABLE app.by_range_2025 (t text, at date NOT NULL, id int NOT NULL);
ALTER TABLE app.by_range ATTACH PARTITION app.by_range_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO app.by_range SELECT i, date '2023-12-01' + i, 'row ' || i FROM generate_series(1, 900) i;
CREATE TABLE app.by_list (k text, v int) PARTITION BY LIST (k);
CREATE TABLE app.by_list_ab PARTITION OF app.by_list FOR VALUES IN ('a', 'b') PARTITION BY HASH (v);
CREATE TABLE app.by_list_ab_0 PARTITION OF app.by_list_ab FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.by_list_ab_1 PARTITION OF app.by_list_ab FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE app.by_list_null PARTITION OF app.by_list FOR VALUES IN (NULL);
INSERT INTO app.by_list SELECT (ARRAY['a', 'b', NULL])[i % 3 + 1], i FROM generate_series(1, 100) i;
CREATE TABLE app.by_enum_hash (m app.mood, v int) PARTITION BY HASH (m);
CREATE TABLE app.by_enum_hash_0 PARTITION OF app.by_enum_hash FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE app.by_enum_hash_1 PARTITION OF app.by_enum_hash FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE app.by_enum_hash_2 PARTITION OF app.by_enum_hash FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO app.by_enum_hash SELECT m, i FROM unnest(enum_range(NULL::app.mood)) m, generate_series(1, 5) i;

-- Constraints
CREATE TABLE app.customers (id int PRIMARY KEY, email ext.citext UNIQUE, name text NOT NULL);
INSERT INTO app.customers SELECT i, 'u' || i || '@example.com', 'name ' || i FROM generate_series(1, 200) i;
CREATE TABLE app.orders (
  id int PRIMARY KEY, customer int REFERENCES app.customers ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  previous int REFERENCES app.orders, during tstzrange, total numeric CHECK (total >= 0) NO INHERIT,
  EXCLUDE USING gist (customer WITH =, during WITH &&));
INSERT INTO app.orders SELECT i, i % 200 + 1, nullif(i - 1, 0),
  tstzrange('2024-01-01 00:00+00'::timestamptz + i * interval '1 hour', '2024-01-01 00:30+00'::timestamptz + i * interval '1 hour'), i
  FROM generate_series(1, 500) i;
INSERT INTO app.orders VALUES (0, 1, NULL, NULL, 1);
ALTER TABLE app.orders ADD CONSTRAINT total_not_one CHECK (total <> 1) NOT VALID;
CREATE TABLE app.round_a (id int PRIMARY KEY, b int);
CREATE TABLE app.round_b (id int PRIMARY KEY, a int REFERENCES app.round_a);
INSERT INTO app.round_a VALUES (1, 1);
INSERT INTO app.round_b VALUES (1, 1);
ALTER TABLE app.round_a ADD FOREIGN KEY (b) REFERENCES app.round_b;

-- Indexes and statistics
CREATE INDEX customers_lower_name ON app.customers (lower(name) text_pattern_ops DESC) INCLUDE (email);
CREATE UNIQUE INDEX orders_open ON app.orders (customer, id) WHERE total > 5;
CREATE INDEX every_type_jb ON app.every_type USING gin (jb jsonb_path_ops);
CREATE INDEX customers_trgm ON app.customers USING gin (name ext.gin_trgm_ops);
CREATE INDEX orders_brin ON app.orders USING brin (id) WITH (pages_per_range = 16);
CREATE INDEX by_range_t ON app.by_range (t);
CREATE INDEX customers_nulls ON app.customers (name NULLS FIRST);
ALTER TABLE app.customers CLUSTER ON customers_nulls;
ALTER TABLE app.customers REPLICA IDENTITY FULL;
CREATE STATISTICS app.orders_stats (ndistinct, dependencies, mcv) ON customer, total FROM app.orders;
CREATE STATISTICS app.customers_expression ON (lower(name)), id FROM app.customers;

-- Sequences
CREATE SEQUENCE app.counter AS smallint INCREMENT BY -3 MAXVALUE 100 MINVALUE -100 START 50 CYCLE CACHE 5;
SELECT nextval('app.counter') FROM generate_series(1, 3);
CREATE SEQUENCE app.unused;

-- Views
CREATE VIEW app.open_orders WITH (security_barrier) AS SELECT * FROM app.orders WHERE total > 5 WITH CASCADED CHECK OPTION;
CREATE VIEW app.by_others WITH (security_invoker) AS SELECT count(*) AS n FROM app.open_orders;
CREATE RECURSIVE VIEW app.chain (id, depth) AS
  SELECT id, 0 FROM app.orders WHERE previous IS NULL UNION ALL SELECT o.id, depth + 1 FROM app.orders o JOIN chain ON previous = chain.id WHERE depth < 3;
CREATE MATERIALIZED VIEW app.totals AS SELECT customer, sum(total) AS total FROM app.orders GROUP BY customer WITH DATA;
CREATE UNIQUE INDEX totals_customer ON app.totals (customer);
CREATE MATERIALIZED VIEW app.not_populated AS SELECT 1 AS one WITH NO DATA;

-- Functions, procedures, aggregates, operators, casts
CREATE FUNCTION app.twice(i int DEFAULT 1, OUT o int, VARIADIC r int[] DEFAULT '{}') LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 5
  AS $body$ SELECT i * 2 /* '\' $$ */ $body$;
CREATE FUNCTION app.sql_body(a int) RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT a + count(*)::int FROM app.customers; END;
CREATE FUNCTION app.definer() RETURNS TABLE (a int, b text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET work_mem = '8MB'
  AS $$ BEGIN RETURN QUERY SELECT 1, 'x'::text; END $$;
CREATE PROCEDURE app.do_it(INOUT a int) LANGUAGE plpgsql AS $$ BEGIN a := a + 1; END $$;
CREATE FUNCTION app.add_state(numeric, numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT coalesce($1, 0) + coalesce($2, 0)';
CREATE AGGREGATE app.total (numeric) (sfunc = app.add_state, stype = numeric, initcond = '0', parallel = safe);
CREATE FUNCTION app.same_mood(app.mood, app.mood) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE OPERATOR app.=== (leftarg = app.mood, rightarg = app.mood, function = app.same_mood, commutator = OPERATOR(app.===));
CREATE OPERATOR FAMILY app.mood_ops USING hash;
CREATE FUNCTION app.mood_number(app.mood) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT array_position(enum_range(NULL::app.mood), $1) $$;
CREATE CAST (app.mood AS int) WITH FUNCTION app.mood_number(app.mood) AS ASSIGNMENT;
CREATE CONVERSION app.my_conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON FUNCTION app.twice(int, int[]) IS E'two\nlines';

-- Triggers, event triggers, rules
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.name || '!'; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE OF name ON app.customers FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION app.touch('it''s', 'an argument');
CREATE FUNCTION app.check_order() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER check_order AFTER INSERT ON app.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.check_order();
CREATE TRIGGER by_statement AFTER DELETE ON app.orders REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION app.check_order();
ALTER TABLE app.orders DISABLE TRIGGER by_statement;
CREATE TRIGGER on_partitions AFTER INSERT ON app.by_range FOR EACH ROW EXECUTE FUNCTION app.check_order();
CREATE FUNCTION app.ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER every_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION app.ddl();
CREATE RULE no_delete AS ON DELETE TO app.open_orders DO INSTEAD NOTHING;

-- Row-level security
ALTER TABLE app.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.customers AS PERMISSIVE FOR SELECT TO every_reader, "Odd ""Role""" USING (id = current_setting('app.tenant', true)::int);
CREATE POLICY narrow ON app.customers AS RESTRICTIVE FOR ALL USING (name <> '') WITH CHECK (id > 0);
ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- Large objects
SELECT lo_from_bytea(4000000001, '\x00010203ff'), lo_from_bytea(50001, ''), lo_from_bytea(50002, decode(repeat('616263', 1000000), 'hex')),
       lo_from_bytea(50003, decode(repeat('ff', 20000000), 'hex'));
COMMENT ON LARGE OBJECT 50001 IS 'an empty one';
GRANT SELECT ON LARGE OBJECT 50002 TO every_reader;
ALTER LARGE OBJECT 50002 OWNER TO every_owner;

-- Text search, collations
CREATE TEXT SEARCH DICTIONARY app.stems (TEMPLATE = snowball, language = 'german', stopwords = 'german');
CREATE TEXT SEARCH CONFIGURATION app.search (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION app.search ALTER MAPPING FOR word, asciiword WITH app.stems, simple;
CREATE COLLATION app.german (provider = icu, locale = 'de-u-co-phonebk');
CREATE COLLATION app.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE app.collated (a text COLLATE app.german, b text COLLATE app.any_case);
INSERT INTO app.collated VALUES ('Ä', 'x'), ('z', 'X');

-- Foreign data
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'nowhere');
CREATE USER MAPPING FOR every_owner SERVER far OPTIONS (user 'x', password 'it''s');
CREATE FOREIGN TABLE app.far_table (id int OPTIONS (column_name 'ID'), t text) SERVER far OPTIONS (table_name 't');
GRANT USAGE ON FOREIGN SERVER far TO every_reader;

-- Publications
CREATE PUBLICATION some_tables FOR TABLE app.customers (id, name) WHERE (id > 10), app.one_text WITH (publish = 'insert, update');
CREATE PUBLICATION a_schema FOR TABLES IN SCHEMA app;

-- Privileges
GRANT USAGE ON SCHEMA app TO every_reader, "Odd ""Role""";
GRANT SELECT ON ALL TABLES IN SCHEMA app TO every_reader;
GRANT SELECT (id), UPDATE (name) ON app.customers TO "Odd ""Role""" WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION app.definer() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.definer() TO pg_read_all_data;
REVOKE USAGE ON TYPE app.mood FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE every_owner IN SCHEMA app GRANT SELECT ON TABLES TO every_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE every_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER TABLE app.orders OWNER TO every_owner;
ALTER TABLE app.with_options OWNER TO "Odd ""Role""";

-- Comments and the rest
COMMENT ON TABLE app.customers IS 'customers; with a semicolon -- and a dash';
COMMENT ON COLUMN app.customers.name IS 'a "name"';
COMMENT ON INDEX app.customers_lower_name IS 'an index';
COMMENT ON CONSTRAINT total_not_one ON app.orders IS 'a constraint';
COMMENT ON TRIGGER touch ON app.customers IS 'a trigger';
COMMENT ON POLICY own ON app.customers IS 'a policy';
CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE app.other_method (a int) USING heap_too;
INSERT INTO app.other_method VALUES (1);
CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));
REFRESH MATERIALIZED VIEW app.totals;
