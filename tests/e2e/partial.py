#!/usr/bin/python3
"""A part of a backup into a database: with all that hangs on it, in one transaction, and proved."""

from harness import Story, main

SCHEMA = r"""
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('good', 'bad');
CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.note := coalesce(NEW.note, 'none'); RETURN NEW; END $$;
CREATE TABLE app.customers (id serial PRIMARY KEY, mood app.mood DEFAULT 'good',
  note text CHECK (note <> ''), number int GENERATED ALWAYS AS IDENTITY);
CREATE INDEX customers_note ON app.customers (note);
CREATE STATISTICS app.customers_stat ON id, note FROM app.customers;
CREATE TRIGGER stamp BEFORE INSERT ON app.customers FOR EACH ROW EXECUTE FUNCTION app.stamp();
ALTER TABLE app.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.customers USING (true);
COMMENT ON TABLE app.customers IS 'who buys';
COMMENT ON COLUMN app.customers.note IS 'free text';
COMMENT ON INDEX app.customers_note IS 'for search';
GRANT SELECT ON app.customers TO PUBLIC;
GRANT UPDATE (note) ON app.customers TO PUBLIC;
CREATE TABLE app.baskets (id int PRIMARY KEY, customer int REFERENCES app.customers,
  parent int REFERENCES app.baskets);
CREATE TABLE app.amounts (basket int REFERENCES app.baskets, amount numeric);
CREATE TABLE public.events (id int, at date) PARTITION BY RANGE (id);
CREATE TABLE public.events_1 PARTITION OF public.events FOR VALUES FROM (0) TO (100);
CREATE INDEX events_at ON public.events (at);
CREATE VIEW app.happy AS SELECT * FROM app.customers WHERE mood = 'good';
CREATE MATERIALIZED VIEW app.sad AS SELECT * FROM app.customers WHERE mood = 'bad';
CREATE TABLE public."Odd ""name" ("a b" text);
INSERT INTO app.customers (note) SELECT 'n' || i FROM generate_series(1, 1000) i;
INSERT INTO app.baskets SELECT i, i FROM generate_series(1, 500) i;
INSERT INTO app.amounts SELECT i, i * 1.5 FROM generate_series(1, 500) i;
INSERT INTO events SELECT i, DATE '2026-01-01' + i FROM generate_series(0, 99) i;
INSERT INTO "Odd ""name" VALUES (E'\\.'), (E'a\tb\nc'), (NULL);
REFRESH MATERIALIZED VIEW app.sad;
"""
DESCRIBED = r"""
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '{0}'::regclass
UNION ALL SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
          WHERE indrelid = '{0}'::regclass
UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = '{0}'::regclass
          AND NOT tgisinternal
UNION ALL SELECT polname, pg_get_expr(polqual, polrelid) FROM pg_policy
          WHERE polrelid = '{0}'::regclass
UNION ALL SELECT attname, concat_ws(',', format_type(atttypid, atttypmod), attidentity, attacl,
          col_description(attrelid, attnum), (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
          WHERE adrelid = attrelid AND adnum = attnum)) FROM pg_attribute
          WHERE attrelid = '{0}'::regclass AND attnum > 0
UNION ALL SELECT stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
          WHERE stxrelid = '{0}'::regclass
UNION ALL SELECT relname, concat_ws(',', relacl, relrowsecurity, obj_description(oid, 'pg_class'))
          FROM pg_class WHERE oid = '{0}'::regclass
UNION ALL SELECT c.relname, obj_description(indexrelid, 'pg_class') FROM pg_index
          JOIN pg_class AS c ON c.oid = indexrelid WHERE indrelid = '{0}'::regclass
ORDER BY 1, 2
"""


class Partial(Story):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.sql('CREATE DATABASE shop')
        cls.postgres.sql(SCHEMA, 'shop')

    def setUp(self):
        super().setUp()
        self.bkp = self.new_bkp('shop')
        self.bkp.ok('dump')
        self.target = self.dropped_afterwards('target')

    def restore(self, *options, code=0, into='target'):
        return self.bkp.ends(code, 'restore', 'latest', '--into', into, *options)

    def create_target(self, sql=''):
        self.postgres.sql('CREATE DATABASE target')
        self.postgres.sql(sql, 'target')

    def rows(self, table, database):
        return self.postgres.sql(f'SELECT count(*), sum(hashtext(t::text)::bigint) FROM {table} t',
                                 database)

    def assert_same_table(self, table):
        self.assertEqual(self.rows(table, 'target'), self.rows(table, 'shop'))
        described = DESCRIBED.format(table)
        self.assertEqual(self.postgres.sql(described, 'target'),
                         self.postgres.sql(described, 'shop'))

    def relations(self):
        return self.postgres.sql(
            "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE nspname IN ('app', 'public') AND relkind IN ('r', 'v', 'm', 'S', 'p') "
            'ORDER BY 1', 'target').splitlines()

    def assert_nothing_done(self):
        self.assertEqual([d for d in self.postgres.databases() if d.startswith('bkp_')], [])
        self.assertFalse([path for path in self.bkp.directory.iterdir() if 'list' in path.name])

    def test_a_table_into_an_existing_database(self):
        """--tables brings a table with all that hangs on it, and the type and function it needs"""
        self.create_target('CREATE TABLE bystander AS SELECT 1 AS n')
        told = self.restore('--tables', 'app.customers', '--json').json
        self.assertEqual((told['mode'], told['tables'], told['rows'], told['created'],
                          told['counted']), ('partial', 1, 1000, False, []))
        self.assert_same_table('app.customers')
        self.assertEqual(self.relations(), ['bystander', 'app.customers', 'app.customers_id_seq',
                                            'app.customers_number_seq'])
        self.assertEqual(self.postgres.sql(
            "SET search_path TO app; INSERT INTO customers (note) VALUES ('x')"
            ' RETURNING id, number', 'target'), '1001|1001')

    def test_a_table_into_a_new_database(self):
        """into a database that is not there: it is created, with that part alone"""
        text = self.restore('--tables', 'app.customers', 'app.bas*', 'app.happy').out
        self.assertRegex(text, "into the new database 'target': 2 tables with 1500 rows, every one"
                               ' as in the backup')
        self.assert_same_table('app.customers')
        self.assert_same_table('app.baskets')
        self.assertEqual(self.rows('app.happy', 'target'), self.rows('app.happy', 'shop'))
        self.assert_nothing_done()

    def test_partitions_come_with_their_table(self):
        """a partitioned table comes with its partitions, their indexes and rows"""
        self.create_target()
        self.restore('--tables', 'events')
        self.assert_same_table('public.events')
        self.assert_same_table('public.events_1')

    def test_odd_names(self):
        r"""names and rows that need quoting, a row '\.' among them"""
        self.create_target()
        self.restore('--tables', 'public."Odd ""name"')
        self.assert_same_table('public."Odd ""name"')

    def test_a_schema(self):
        """--schema brings all of a schema; one that is there already is filled"""
        self.create_target('CREATE SCHEMA app')
        self.restore('--schema', 'app')
        for table in ('app.customers', 'app.baskets', 'app.amounts'):
            self.assert_same_table(table)
        self.assertNotIn('events', self.relations())
        self.assertIn('app.sad', self.relations())

    def test_schema_only(self):
        """--schema-only of everything into a new database is pg_dump's schema"""
        told = self.restore('--schema-only', '--json').json
        self.assertEqual((told['tables'], told['rows']), (0, 0))
        self.assertEqual(self.postgres.schema_of('target'), self.postgres.schema_of('shop'))
        self.assertEqual(self.postgres.sql('SELECT count(*) FROM app.customers', 'target'), '0')

    def test_data_only(self):
        """--data-only adds rows in the order of foreign keys; then proved by count alone"""
        self.restore('--schema-only')
        told = self.restore('--data-only', '--json').json
        self.assertEqual((told['rows'], told['counted']), (2103, []))
        for table in ('app.customers', 'app.baskets', 'app.amounts', 'events'):
            self.assertEqual(self.rows(table, 'target'), self.rows(table, 'shop'))
        told = self.restore('--data-only', '--tables', 'app.amounts', '--json').json
        self.assertEqual(told['counted'], ['app.amounts'])
        self.assertEqual(self.postgres.sql('SELECT count(*) FROM app.amounts', 'target'), '1000')
        self.bkp.ends(1, 'restore', 'latest', '--into', 'target', '--data-only', '--tables',
                      'app.customers')
        self.assertEqual(self.rows('app.customers', 'target'), self.rows('app.customers', 'shop'))

    def test_refused(self):
        """what is in the way, missing or misspelt is named before anything is done"""
        self.create_target('CREATE SCHEMA app; CREATE VIEW app.customers AS SELECT 1 AS n')
        before = self.postgres.schema_of('target')
        for options, words, hint in (
                (['--tables', 'app.customers'], 'there is already: TABLE app.customers',
                 '--data-only'),
                (['--schema', 'app'], 'there is already: TABLE app.customers', 'drop or rename'),
                (['--tables', 'app.amounts'],
                 r'app.baskets \(for FK CONSTRAINT app."amounts amounts_basket_fkey"\)', '--tables'),
                (['--tables', 'app.custmers'], "matches 'app.custmers'", "did you mean 'app.customers'"),
                (['--schema', 'ap'], "no schema 'ap'", "did you mean 'app'"),
                (['--data-only', '--tables', 'app.baskets'], "lacks TABLE app.baskets", ''),
                (['--schema-only', '--data-only'], 'opposite', None),
                (['--swap', '--tables', 'x'], 'whole database', None)):
            with self.subTest(options=options):
                self.told(self.bkp.run('restore', 'latest', '--into', 'target', *options), 2, words,
                          hint=hint)
                self.assertEqual(self.postgres.schema_of('target'), before)
                self.assert_nothing_done()

    def test_what_was_left_out_is_told(self):
        """a backup records what it leaves out and whether it has digests; restores say so"""
        self.bkp.edit(r'^#? ?exclude_tables = .*', 'exclude_tables = ["app.amo*"]')
        self.bkp.edit(r'^#? ?exclude_table_data = .*', 'exclude_table_data = ["events*"]')
        self.bkp.edit(r'^#? ?digests = .*', 'digests = false')
        self.bkp.ok('dump')
        left_out = 'tables app.amo*; rows of tables events*'
        self.assertIn(left_out, self.bkp.ok('show', 'latest').out)
        result = self.bkp.ok('restore', 'latest', '--into', 'target')
        self.assertIn('without ' + left_out, result.err)
        self.assertIn('which has no digests', result.out)
        self.assertNotIn('every one as in the backup', result.out)
        self.dropped_afterwards('again')
        told = self.restore('--tables', 'app.customers', '--json', into='again').json
        self.assertEqual((told['left_out'], told['digests'], told['counted']),
                         (left_out, False, ['app.customers']))

    def test_one_transaction(self):
        """an error at the very end leaves the database as it was"""
        self.create_target('CREATE SCHEMA app; CREATE FUNCTION app.veto() RETURNS event_trigger'
                           " LANGUAGE plpgsql AS $$ BEGIN RAISE 'no policies here'; END $$;"
                           "CREATE EVENT TRIGGER veto ON ddl_command_end WHEN TAG IN "
                           "('CREATE POLICY') EXECUTE FUNCTION app.veto()")
        before = self.postgres.schema_of('target')
        self.told(self.restore('--tables', 'app.customers', code=1), 1, 'no policies here')
        self.assertEqual(self.postgres.schema_of('target'), before)

    def test_rows_that_change_on_the_way(self):
        """rows that are not those of the backup are found before the commit: exit 4, nothing done"""
        self.create_target('CREATE TABLE events (id int, at date);'
                           'CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS '
                           "$$ BEGIN NEW.at := NEW.at + 1; RETURN NEW; END $$;"
                           'CREATE TABLE events_1 () INHERITS (events);'
                           'CREATE TRIGGER wrong BEFORE INSERT ON events_1 FOR EACH ROW EXECUTE'
                           ' FUNCTION wrong()')
        self.told(self.restore('--data-only', '--tables', 'events_1', code=4), 4, 'events_1',
                  'differ', hint='nothing was changed')
        self.assertEqual(self.postgres.sql('SELECT count(*) FROM events', 'target'), '0')


if __name__ == '__main__':
    main()
