#!/usr/bin/python3
"""Test restores: what a restore brings is found and named, what the source had too is told apart,
and nothing stays behind."""

import html.parser
import json
import signal

from harness import SOURCE, Story, main
from servers import BIN, make_directory, wait_until

SCHEMA = r"""
CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric,
  customer int REFERENCES customers, CHECK (amount > 0));
CREATE FUNCTION tag(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower($1) $$;
CREATE INDEX customers_tag ON customers (tag(name));
CREATE SEQUENCE tickets;
CREATE TABLE visits (ticket bigint DEFAULT nextval('tickets'), at date) PARTITION BY RANGE (at);
CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO customers (name) SELECT 'Customer ' || i FROM generate_series(1, 300) i;
INSERT INTO orders (amount, customer) SELECT i, i FROM generate_series(1, 300) i;
INSERT INTO visits (at) SELECT '2026-05-01' FROM generate_series(1, 50);
SELECT lo_from_bytea(7001, 'seven');
CREATE TABLE marker (n int); INSERT INTO marker VALUES (1);
"""

# What is done to the restored database behind pg_restore's back, and what must be said of it.
FAULTS = [
    ('a row missing', 'DELETE FROM orders WHERE id = 7',
     ['rows: table public.orders: 299 rows instead of 300']),
    ('a row changed', "UPDATE customers SET name = name || ' ' WHERE id = 9",
     ['rows: table public.customers: its 300 rows differ']),
    ('a large object changed', "SELECT lo_put(7001, 0, 'S')", ['rows: large objects: ']),
    ('a table gone', 'DROP TABLE marker',
     ['rows: table public.marker: is not there', 'objects: tables: 3 instead of 4',
      'objects: columns: ']),
    ('an index broken', 'CREATE OR REPLACE FUNCTION tag(text) RETURNS text LANGUAGE sql IMMUTABLE'
     ' AS $$ SELECT upper($1) $$', ['indexes: public.customers_tag: ']),
    ('an index invalid', "UPDATE pg_index SET indisvalid = false"
     " WHERE indexrelid = 'customers_tag'::regclass",
     ['indexes: public.customers_tag: is invalid here', 'objects: indexes: ']),
    ('an index gone', 'DROP INDEX customers_tag', ['objects: indexes: 2 instead of 3']),
    ('a serial behind', "SELECT setval('customers_id_seq', 299)",
     ['sequences: public.customers_id_seq: its next value is 300, but public.customers.id has'
      ' reached 300']),
    ('an identity at its start', 'ALTER TABLE orders ALTER id RESTART',
     ['sequences: public.orders_id_seq: its next value is 1, ']),
    ('a constraint not valid', 'ALTER TABLE orders DROP CONSTRAINT orders_amount_check;'
     'ALTER TABLE orders ADD CONSTRAINT orders_amount_check CHECK (amount > 0) NOT VALID',
     ['constraints: public.orders.orders_amount_check: is NOT VALID here']),
    ('orphans under a constraint that is called valid', 'SET session_replication_role = replica;'
     'DELETE FROM customers WHERE id < 3',
     ['foreign keys: public.orders.orders_customer_fkey: 2 rows refer to no row of'
      ' public.customers', 'rows: table public.customers: 298 rows instead of 300']),
    ('a function gone, and a policy more', 'DROP INDEX customers_tag; DROP FUNCTION tag;'
     'CREATE POLICY p ON orders', ['objects: functions: 0 instead of 1', 'objects: indexes: 2 in',
                                   'objects: policies: 1 instead of 0']),
]


class Page(html.parser.HTMLParser):
    """What a browser makes of a report: its text, its elements, and whether they nest."""

    EMPTY = ('meta', 'link', 'br')

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        assert self.open == [], self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.words.append(data)


class Proof(Story):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tools = make_directory(cls.place / 'tools', 0o755)
        cls.plant, cls.halt = cls.place / 'plant.sql', cls.place / 'halt'
        for tool in BIN.iterdir():
            (cls.tools / tool.name).symlink_to(tool)
        wrapper = cls.tools / 'pg_restore'
        wrapper.unlink()
        wrapper.write_text(
            '#!/bin/sh\n'
            f'{BIN}/pg_restore "$@" || exit\n'
            'for word; do case $word in --dbname=*) to=${word#--dbname=};; esac; done\n'
            f'[ -z "$to" ] || [ ! -e {cls.plant} ] ||\n'
            f'  {BIN}/psql -Xq -v ON_ERROR_STOP=1 -d "$to" -f {cls.plant} >&2 || exit\n'
            f'[ -z "$to" ] || while [ -e {cls.halt} ]; do sleep 0.05; done\n', encoding='utf-8')
        wrapper.chmod(0o755)

    def setUp(self):
        super().setUp()
        for file in (self.plant, self.halt):
            file.unlink(missing_ok=True)

    def shop(self, schema=SCHEMA, name='shop', **options):
        """A database with a backup, and a bkp whose restores can be meddled with."""
        self.dropped_afterwards(name)
        self.postgres.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.postgres.sql(f'CREATE DATABASE "{name}"')
        self.postgres.sql(schema, name)
        bkp = self.new_bkp(name, **options)
        bkp.edit(r'^\[postgres\]$', f'[postgres]\nbin_dir = "{self.tools}"')
        bkp.ok('dump')
        return bkp

    def meddle(self, statements):
        self.plant.write_text(statements + ';', encoding='utf-8')
        self.plant.chmod(0o644)

    def scratch(self):
        return [d for d in self.postgres.databases() if d.startswith('bkp_')]

    def prove(self, bkp, *options, code=0):
        """The reports; nothing stays on the server."""
        reports = bkp.json('verify', '--restore', *options, code=code)
        self.assertEqual(self.scratch(), [])
        return reports

    def told_of(self, report, level):
        return [f'{f["check"]}: {f["object"]}{": " if f["object"] else ""}{f["text"]}'
                for f in report['proof']['findings'] if f['level'] == level]

    def test_good(self):
        """a good backup is proved: exit 0, on record, list and show say when"""
        bkp = self.shop()
        self.assertIsNone(bkp.whole()[0]['proved_at'])
        self.assertRegex(bkp.ok('status').out, r'shop .* never')
        report, = self.prove(bkp)
        proof = report['proof']
        self.assertEqual((proof['outcome'], proof['mode'], proof['failures'], proof['warnings']),
                         ('PROVED', 'proof', 0, 0), proof)
        self.assertEqual((proof['rows'], proof['source_storage']), (651, 'local'))
        self.assertEqual([f['check'] for f in proof['findings']],
                         ['rows', 'objects', 'constraints', 'foreign keys', 'sequences', 'indexes'])
        self.assertIsNotNone(bkp.whole()[0]['proved_at'])
        self.assertRegex(bkp.ok('show', 'latest').out, r'(?m)^Proved +2')
        self.assertIn('PROVED', bkp.ok('list').out)
        series, = bkp.json('status')['backups']
        self.assertEqual(series['proved_at'], bkp.whole()[0]['proved_at'])
        self.assertNotIn('never', bkp.ok('status').out)
        kept, = bkp.catalog('SELECT * FROM restores')
        self.assertEqual((kept['mode'], kept['outcome'], kept['backup_id']),
                         ('proof', 'DONE', report['id']))
        self.assertEqual(json.loads(kept['details'])['findings'], proof['findings'])
        self.assertEqual(bkp.open_alerts(), [])

    def test_every_kind_of_object(self):
        """no false alarm for a database that has every kind of object, streamed or by jobs"""
        self.postgres.sql('DROP DATABASE IF EXISTS kinds WITH (FORCE); CREATE DATABASE kinds')
        self.dropped_afterwards('kinds')
        self.postgres.load(SOURCE / 'tests/data/every_object_type.sql', 'kinds')
        bkp = self.new_bkp('kinds')
        bkp.ok('dump')
        for jobs in '14':
            report, = self.prove(bkp, '--jobs', jobs)
            self.assertEqual((self.told_of(report, 'failed'), self.told_of(report, 'warning')),
                             ([], ['constraints: app.orders.total_not_one: is NOT VALID, as at the'
                                   ' source']))

    def test_faults(self):
        """what a restore brings is found and named, with exit 4, an alert, and nothing left"""
        bkp = self.shop()
        self.prove(bkp)
        for name, statements, expected in FAULTS:
            with self.subTest(name):
                self.meddle(statements)
                report, = self.prove(bkp, code=4)
                failed = self.told_of(report, 'failed')
                for words in expected:
                    self.assertTrue(any(line.startswith(words) for line in failed), failed)
                self.assertEqual(len(failed), len(expected), failed)
                self.assertEqual(report['proof']['outcome'], 'FAULTY')
                self.assertIsNone(bkp.whole()[0]['proved_at'])
                alert, = bkp.open_alerts()
                self.assertEqual((alert['type'], alert['severity'], alert['dedup_key']),
                                 ('TEST_RESTORE', 'CRITICAL', 'TEST_RESTORE:shop'))
                self.assertIn(expected[0].split(': ')[1], alert['message'])
        self.meddle(FAULTS[0][1])
        told = bkp.ends(4, 'verify', '--restore')
        self.assertRegex(told.out, 'FAILED .*\n +failed +rows: table public.orders: 299 rows')
        self.told(told, 4, "backup '.*' of database 'shop' is not proved: 1 fault\n",
                  hint='the backup is untouched')
        self.plant.unlink()
        self.prove(bkp)
        self.assertEqual(bkp.open_alerts(), [])
        self.assertIsNotNone(bkp.whole()[0]['proved_at'])

    def test_several_at_once(self):
        """one fault does not hide another: all are in the report, rows next to indexes"""
        bkp = self.shop()
        self.meddle(';'.join(statements for name, statements, _ in FAULTS if name in (
            'a row missing', 'an index broken', 'a serial behind', 'a constraint not valid')))
        report, = self.prove(bkp, code=4)
        self.assertEqual({f['check'] for f in report['proof']['findings']
                          if f['level'] == 'failed'},
                         {'rows', 'indexes', 'sequences', 'constraints'})

    def test_as_at_the_source(self):
        """what the source had too is a warning, and the exit code 0"""
        bkp = self.shop(SCHEMA + """
            ALTER TABLE orders ADD CONSTRAINT small CHECK (amount < 100) NOT VALID;
            INSERT INTO orders (amount, customer) VALUES (50, NULL);
            CREATE TABLE notes (customer int);
            INSERT INTO notes VALUES (1), (4711);
            ALTER TABLE notes ADD FOREIGN KEY (customer) REFERENCES customers NOT VALID;
            SELECT setval('customers_id_seq', 5);
            SELECT setval('tickets', 5);
            CREATE INDEX broken ON notes (customer);
            UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass;
            """)
        report, = self.prove(bkp)
        self.assertEqual(self.told_of(report, 'failed'), [])
        warnings = self.told_of(report, 'warning')
        for words in ['constraints: public.orders.small: is NOT VALID, as at the source',
                      'constraints: public.notes.notes_customer_fkey: is NOT VALID, as at',
                      'foreign keys: public.notes.notes_customer_fkey: 1 row refers to no row of'
                      ' public.customers; the constraint is NOT VALID',
                      'sequences: public.customers_id_seq: its next value is 6, but'
                      ' public.customers.id has reached 300, as at the source',
                      'sequences: public.tickets: its next value is 6, but public.visits.ticket'
                      ' has reached 50; the source was not asked',
                      'indexes: public.broken: was invalid at the source']:
            self.assertTrue(any(line.startswith(words) for line in warnings), (words, warnings))
        self.assertEqual(len(warnings), 6, warnings)
        self.assertIsNotNone(bkp.whole()[0]['proved_at'])
        self.assertEqual(bkp.open_alerts(), [])
        # One that the source had not is a fault beside them.
        self.meddle("SELECT setval('tickets', 3)")
        report, = self.prove(bkp, code=4)
        self.assertEqual(len(self.told_of(report, 'failed')), 1)

    def test_exclusions(self):
        """what a dump left out on purpose is no fault"""
        bkp = self.shop()
        bkp.edit(r'^exclude_tables = .*$', 'exclude_tables = ["visits*"]')
        bkp.ok('dump')
        report, = self.prove(bkp)
        self.assertIn('objects: not compared: the dump left out tables visits*',
                      self.told_of(report, 'ok'))

    def test_without_amcheck(self):
        """a role that may not install amcheck proves all the rest, and says so"""
        self.postgres.sql('DROP ROLE IF EXISTS maker; CREATE ROLE maker LOGIN CREATEDB')
        self.dropped_afterwards('own')
        self.postgres.sql('DROP DATABASE IF EXISTS own WITH (FORCE)')
        self.postgres.sql('CREATE DATABASE own OWNER maker')
        self.postgres.sql('SET ROLE maker; CREATE TABLE t (id serial PRIMARY KEY);'
                          'INSERT INTO t DEFAULT VALUES', 'own')
        bkp = self.new_bkp('own')
        bkp.edit(r'^\[restore\]$', '[restore]\nconninfo = "' +
                 self.postgres.conninfo('postgres', 'maker') + '"')
        bkp.ok('dump')
        report, = self.prove(bkp)
        warning, = self.told_of(report, 'warning')
        self.assertRegex(warning, 'indexes: none was looked into: .*amcheck')

    def test_which(self):
        """the newest of each database, one at random, or those that are named"""
        bkp = self.shop()
        self.dropped_afterwards('other')
        self.postgres.create_database('other')
        bkp.ok('dump', '--db', 'other')
        old = bkp.json('dump')[0]['id']
        new = bkp.json('dump')[0]['id']
        for options in ([], ['--newest']):
            reports = self.prove(bkp, *options)
            self.assertEqual([r['database'] for r in reports], ['other', 'shop'])
            self.assertEqual(reports[1]['id'], new)
        self.assertEqual([r['database'] for r in self.prove(bkp, '--db', 'other')], ['other'])
        self.assertEqual([r['id'] for r in self.prove(bkp, old)], [old])
        self.assertEqual(len(self.prove(bkp, '--random')), 1)
        random, = self.prove(bkp, '--random', '--db', 'other')
        self.assertEqual(random['database'], 'other')
        self.told(bkp.run('verify', '--restore', '--db', 'none'), 2,
                  "there is no backup of database 'none'", hint='bkp dump')
        for wrong in (['--restore', '--all'], ['--restore', '--deep'], ['--newest'],
                      ['--restore', old, '--random'], ['--restore', '--newest', '--random'],
                      ['--html', 'x']):
            self.assertEqual(bkp.run('verify', *wrong).code, 2, wrong)

    def test_html(self):
        """--html writes one page that needs no other, whatever things are called"""
        name = 'sh<o>p&co'
        bkp = self.shop('CREATE TABLE "<script>alert(1)</script>" (id serial PRIMARY KEY);'
                        'INSERT INTO "<script>alert(1)</script>" DEFAULT VALUES', name)
        page = bkp.directory / 'proof.html'
        self.prove(bkp, '--html', page)
        good = Page(page.read_text(encoding='utf-8'))
        self.assertIn('proved', good.words)
        self.meddle('DELETE FROM "<script>alert(1)</script>"')
        self.prove(bkp, '--html', page, code=4)
        text = page.read_text(encoding='utf-8')
        bad = Page(text)
        self.assertNotIn('<script', text)
        self.assertNotRegex(text, 'https?:|src=|href=')
        self.assertIn('faulty', bad.words)
        self.assertRegex(''.join(bad.words), 'table public."<script>alert')
        self.assertIn(('meta', {'name': 'viewport',
                                'content': 'width=device-width, initial-scale=1'}), bad.elements)
        self.assertEqual([f.name for f in bkp.directory.glob('*.html*')], ['proof.html'])
        self.told(bkp.run('verify', '--restore', '--html', '/nowhere/x.html'), 1,
                  "cannot write '/nowhere/x.html'")

    def test_untried(self):
        """a server that is down or a restore that fails is told, with exit 1 and an alert"""
        bkp = self.shop()
        self.meddle('SELECT nonsense')
        report, = self.prove(bkp, code=1)
        self.assertEqual(report['proof']['outcome'], 'FAILED')
        self.assertRegex(self.told_of(report, 'failed')[0], 'restore: pg_restore failed')
        self.plant.unlink()
        bkp.edit(r'^\[restore\]$', '[restore]\nconninfo = "host=/nowhere dbname=postgres"')
        report, = bkp.json('verify', '--restore', code=1)
        self.assertRegex(report['proof']['failure']['message'], '/nowhere')
        alert, = bkp.open_alerts()
        self.assertEqual((alert['type'], alert['occurrences']), ('TEST_RESTORE', 2))

    def test_damaged_copies(self):
        """a copy that is damaged is told beside what the good one brings; no good one is exit 4"""
        bkp = self.shop()
        path = bkp.local / bkp.path(bkp.whole()[0])
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        report, = self.prove(bkp, code=4)
        self.assertEqual(report['proof']['outcome'], 'FAULTY')

    def test_killed(self):
        """killed or stopped in the middle: the next run drops what was left, and proves"""
        bkp = self.shop()
        for number, left in ((signal.SIGKILL, 1), (signal.SIGTERM, 0)):
            self.halt.touch()
            running = bkp.start('verify', '--restore')
            wait_until(lambda: running.ended() or (self.scratch() and self.postgres.sql(
                "SELECT count(*) FROM pg_class WHERE relname = 'customers_tag'",
                self.scratch()[0]) == '1'), 'the restore')
            running.kill(number)
            running.wait()
            self.halt.unlink()
            self.assertEqual(len(self.scratch()), left)
            self.prove(bkp)
        self.assertEqual(bkp.catalog("SELECT * FROM restores WHERE outcome = 'RUNNING'"), [])
        self.assertEqual(bkp.open_alerts(), [])

    def test_two_at_once(self):
        """a second run on the same database is told who is there first, without an alert"""
        bkp = self.shop()
        self.halt.touch()
        running = bkp.start('verify', '--restore')
        wait_until(lambda: running.ended() or self.scratch(), 'the first run')
        self.told(bkp.run('verify', '--restore'), 5, 'is not proved: another run works in')
        self.halt.unlink()
        self.assertEqual(running.wait().code, 0)
        self.assertEqual(bkp.open_alerts(), [])
        self.assertEqual(self.scratch(), [])


if __name__ == '__main__':
    main()
