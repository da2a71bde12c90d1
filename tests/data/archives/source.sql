-- The database that the archives beside this file were made of, by
--   pg_dump -Fc -Z0 -d tiny | cat > pg_dump-<major>.dump
-- of PostgreSQL 15, 17 and 18 from a server of version 15.
CREATE ROLE tiny_owner;
CREATE SCHEMA "Odd ""Schema""" AUTHORIZATION tiny_owner;
CREATE TABLE plain (id integer PRIMARY KEY, name text, amount numeric);
INSERT INTO plain VALUES
  (1, 'one', 1.50), (2, NULL, 'NaN'), (3, E'tab\tnewline\nback\\slash\\.', -1), (4, '\.', NULL), (5, '', 0);
CREATE TABLE empty (id integer);
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE "Odd ""Schema"""."It's (a) ""table"".x" ("A ""b"" (c)" text, "größe" integer);
ALTER TABLE "Odd ""Schema"""."It's (a) ""table"".x" OWNER TO tiny_owner;
INSERT INTO "Odd ""Schema"""."It's (a) ""table"".x" VALUES ('ä', 1), ('b', 2);
CREATE TABLE generated (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED);
INSERT INTO generated VALUES (1), (2);
CREATE TABLE dropped (a integer, gone text, b integer);
INSERT INTO dropped VALUES (1, 'x', 2);
ALTER TABLE dropped DROP COLUMN gone;
CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
CREATE TABLE hashed (c colour, n integer) PARTITION BY HASH (c);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO hashed SELECT c, n FROM unnest(enum_range(NULL::colour)) c, generate_series(1, 3) n;
CREATE TABLE long_row (t text);
INSERT INTO long_row VALUES (repeat('0123456789', 1200));
CREATE VIEW plain_view AS SELECT id FROM plain;
CREATE MATERIALIZED VIEW plain_copy AS SELECT id FROM plain;
CREATE FUNCTION twice(i integer) RETURNS integer LANGUAGE sql AS 'SELECT i * 2';
SELECT lo_from_bytea(4000000001, 'a large object'), lo_from_bytea(16001, '');
COMMENT ON TABLE plain IS 'a comment';
