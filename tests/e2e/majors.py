#!/usr/bin/python3
"""Each major version of PostgreSQL: dumped, restored and proved; upwards; a newer archive downwards.

    BKP_TEST_MAJOR=17 tests/e2e/majors.py --bkp build-dev/cmd/bkp
"""

import os
import pathlib
import subprocess
import sys

from harness import Story, main
from servers import SERVICES, Postgres

MAJOR = int(os.environ.get('BKP_TEST_MAJOR', '15'))
TARGETS = {14: [17, 18], 15: [17], 16: [17]}.get(MAJOR, [])
CONTENT = """
CREATE ROLE shop_owner LOGIN PASSWORD 'x'; CREATE ROLE clerk NOINHERIT; CREATE ROLE staff;
GRANT staff TO clerk WITH ADMIN OPTION; GRANT staff TO shop_owner;
ALTER ROLE clerk SET work_mem = '8MB';
CREATE DATABASE shop OWNER shop_owner TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8';
ALTER DATABASE shop SET work_mem = '16MB';
REVOKE CONNECT ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO staff;
"""
TABLES = """
SET ROLE shop_owner; CREATE SCHEMA app; SET search_path = app;
CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, at timestamptz);
INSERT INTO customers (name, at) SELECT 'nöme ' || i, '2026-11-20'::timestamptz + i * interval '1 h'
  FROM generate_series(1, 2000) i;
CREATE TABLE orders (id bigint PRIMARY KEY, customer int REFERENCES customers, total numeric(12, 2), tags text[])
  PARTITION BY RANGE (id);
CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (3000);
CREATE TABLE orders_2 PARTITION OF orders DEFAULT;
INSERT INTO orders SELECT i, 1 + i % 2000, i / 7.0, ARRAY['a', NULL, i::text] FROM generate_series(1, 5000) i;
CREATE VIEW totals AS SELECT customer, sum(total) FROM orders GROUP BY customer;
ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON customers TO clerk USING (name <> '');
GRANT SELECT ON customers TO staff; RESET ROLE;
SELECT lo_from_bytea(4711, 'large');
"""


def programs_of(major):
    found = subprocess.run([SERVICES / 'postgres_majors.sh', 'bin', str(major)], check=False,
                           capture_output=True, text=True)
    return pathlib.Path(found.stdout.strip()) if found.returncode == 0 else None


class Majors(Story):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Postgres(cls.place / 'major', programs_of(MAJOR))
        cls.addClassCleanup(cls.server.stop)
        cls.server.sql(CONTENT)
        cls.server.sql(TABLES, 'shop')

    def bkp_of(self, target, tools):
        """bkp that backs up the major's server and restores into `target`, with tools of a major."""
        bkp = self.new_bkp('postgres')
        bkp.edit(r'^conninfo = .*', f'conninfo = "{self.server.conninfo("shop")}"')
        bkp.edit(r'^# conninfo = .*', f'conninfo = "{target.conninfo()}"')
        bkp.edit(r'^# bin_dir = .*', f'bin_dir = "{programs_of(tools)}"')
        return bkp

    def new_server(self, major):
        programs = programs_of(major)
        if programs is None:
            self.skipTest(f'PostgreSQL {major} is not here')
        server = Postgres(self.place / f'{self._testMethodName[5:20]}-{major}', programs)
        self.addCleanup(server.stop)
        return server

    def assert_restored(self, target, database='shop'):
        query = ("SELECT d.datname = '{0}', r.rolname, pg_encoding_to_char(encoding), datcollate,"
                 " datctype, (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public')"
                 ' FROM pg_database d JOIN pg_roles r ON r.oid = datdba WHERE datname = current_database()')
        self.assertEqual(target.sql(query.format(database), database),
                         self.server.sql(query.format('shop'), 'shop'))
        for query in ('SELECT count(*), sum(total) FROM app.orders',
                      'SELECT tableowner, count(*) FROM pg_tables WHERE schemaname = \'app\' GROUP BY 1',
                      "SELECT polname, polroles::regrole[] FROM pg_policy",
                      "SELECT nextval('app.customers_id_seq') > 2000",
                      "SELECT lo_get(4711), has_table_privilege('staff', 'app.customers', 'SELECT')"):
            self.assertEqual(target.sql(query, database), self.server.sql(query, 'shop'), query)
        self.assertIn('work_mem=16MB', target.sql(
            'SELECT setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase'
            f" WHERE datname = '{database}'"))

    def test_its_own(self):
        """a database of this major is dumped with its tools, restored into its server and proved"""
        self.assertEqual(self.server.major, MAJOR)
        bkp = self.bkp_of(self.server, MAJOR)
        dumped = bkp.json('dump')[0]
        self.assertTrue(dumped['metadata']['server_version'].startswith(f'{MAJOR}.'), dumped)
        for jobs in (1, 3):
            self.addCleanup(self.server.sql, f'DROP DATABASE IF EXISTS again{jobs} WITH (FORCE)')
            restored = bkp.json('restore', 'latest', '--into', f'again{jobs}', '--jobs', jobs)
            self.assertEqual((restored['warnings'], restored['rows']), ([], 7000))
            self.assert_restored(self.server, f'again{jobs}')
        self.assertRegex(bkp.run('doctor').out, rf'ok    server: .* version {MAJOR}\.')
        # Nothing differs from what was just read, by this major's own rules.
        same = bkp.json('restore', 'latest', '--globals-only')
        self.assertEqual((same['roles'], same['differences'], same['left_out']), ([], [], []))

    def test_upwards(self):
        """a backup of this major comes back on a later one, with its roles"""
        for major in TARGETS:
            with self.subTest(major):
                target = self.new_server(major)
                bkp = self.bkp_of(target, MAJOR)
                bkp.ok('dump')
                bkp.edit(r'^bin_dir = .*', f'bin_dir = "{programs_of(major)}"')
                restored = bkp.json('restore', 'latest', '--into', 'shop', '--globals')
                self.assertEqual(restored['warnings'], [])
                self.assertEqual(restored['globals']['roles'], ['clerk', 'shop_owner', 'staff'])
                self.assert_restored(target)
                self.assertEqual(
                    target.sql("SELECT pg_has_role('clerk', 'staff', 'USAGE'),"
                               " pg_has_role('clerk', 'staff', 'MEMBER WITH ADMIN OPTION'),"
                               " (SELECT rolpassword FROM pg_authid WHERE rolname = 'shop_owner')"),
                    'f|t|' + self.server.sql(
                        "SELECT rolpassword FROM pg_authid WHERE rolname = 'shop_owner'"))

    def test_downwards(self):
        """an archive of 17's tools comes back on 15: a setting that it lacks is told, no more"""
        if MAJOR != 17:
            self.skipTest('of 17 only')
        self.server.sql("ALTER DATABASE shop SET transaction_timeout = '1h'")
        self.addCleanup(self.server.sql, 'ALTER DATABASE shop RESET transaction_timeout')
        target = self.new_server(15)
        bkp = self.bkp_of(target, 17)
        bkp.ok('dump')
        restored = bkp.json('restore', 'latest', '--into', 'shop', '--globals')
        self.assertRegex(' '.join(restored['warnings']), "setting 'transaction_timeout' of the database")
        self.assertEqual(len(restored['warnings']), 1)
        self.assert_restored(target)

    def test_a_server_newer_than_the_tools(self):
        """a server that is newer than every tool is refused with both versions and the package"""
        if MAJOR < 16:
            self.skipTest('the installed tools are not older')
        bkp = self.bkp_of(self.server, 15)
        self.told(bkp.run('dump'), 2, f'is version 15, the server is {MAJOR}',
                  hint=f'postgresql-client-{MAJOR}')
        bkp.edit(r'^bin_dir = .*', '')
        told = bkp.run('dump', PATH='/usr/bin:/bin')
        if told.code:  # a host may have newer ones
            self.told(told, 2, f'no pg_dump of PostgreSQL {MAJOR} or later', 'newest .* is',
                      hint=f'postgresql-client-{MAJOR}')


if __name__ == '__main__':
    if programs_of(MAJOR) is None:
        print(f'PostgreSQL {MAJOR} is not here: NOTHING WAS TESTED', file=sys.stderr)
        sys.exit(77)
    main()
