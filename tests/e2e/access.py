#!/usr/bin/python3
"""A role that may not see all rows fails at once, with the words that cure it."""

import re

from harness import Story, main

TABLES = """
CREATE SCHEMA app;
CREATE TABLE app.orders (id serial PRIMARY KEY, tenant int, total numeric);
INSERT INTO app.orders (tenant, total) SELECT i % 3, i FROM generate_series(1, 300) i;
CREATE TABLE app.tenants (id int PRIMARY KEY, name text);
INSERT INTO app.tenants VALUES (0, 'a'), (1, 'b'), (2, 'c');
"""
POLICY = """
ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.orders USING (tenant = current_setting('app.tenant', true)::int);
"""
FORCED = POLICY + """
ALTER TABLE app.orders OWNER TO taker;
ALTER TABLE app.orders FORCE ROW LEVEL SECURITY;
"""
SEE = 'GRANT USAGE ON SCHEMA app TO taker; GRANT SELECT ON ALL TABLES IN SCHEMA app TO taker;'
SEQUENCES = 'GRANT SELECT ON ALL SEQUENCES IN SCHEMA app TO taker;'
LARGE = "SELECT lo_from_bytea(0, 'abc'), lo_from_bytea(0, 'def');"

# What there is, what the role lacks, how it is told
CASES = {
    'nothing is granted': (TABLES, r'schema app', r'GRANT pg_read_all_data TO taker;'),
    'one table is not granted': (
        TABLES + SEE + SEQUENCES + 'REVOKE SELECT ON app.tenants FROM taker;',
        r'table app\.tenants', r'GRANT pg_read_all_data TO taker;'),
    'a sequence is not granted': (TABLES + SEE, r'sequence app\.orders_id_seq',
                                  r'GRANT pg_read_all_data TO taker;'),
    'a policy hides rows': (TABLES + SEE + SEQUENCES + POLICY, r'app\.orders.*row-level security',
                            r'ALTER ROLE taker BYPASSRLS;'),
    'a policy binds the owner too': (TABLES + SEE + SEQUENCES + FORCED,
                                     r'app\.orders.*row-level security',
                                     r'ALTER ROLE taker BYPASSRLS;'),
    'large objects are not granted': (TABLES + SEE + SEQUENCES + LARGE, r'large object',
                                      r'LARGE OBJECT'),
    'all of it at once': (TABLES + POLICY + LARGE, r'app\.orders',
                          r'GRANT pg_read_all_data TO taker;'),
}

POLICIES = """
SELECT schemaname, tablename, policyname, permissive, roles, cmd, qual, with_check FROM pg_policies
UNION ALL
SELECT nspname, relname, relrowsecurity::text, relforcerowsecurity::text, NULL, NULL, NULL, NULL
  FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'app'
ORDER BY 1, 2, 3
"""


class Access(Story):
    def make_database(self, statements):
        self.postgres.sql('DROP DATABASE IF EXISTS access WITH (FORCE)')
        self.postgres.sql('DROP ROLE IF EXISTS taker')
        self.postgres.sql('CREATE ROLE taker LOGIN')
        self.postgres.sql('CREATE DATABASE access')
        self.postgres.sql(statements, 'access')

    def test_the_printed_cure_cures(self):
        """a role that cannot see all is refused before pg_dump runs; the printed cure makes it work"""
        for case, (statements, problem, cure) in CASES.items():
            with self.subTest(case):
                self.make_database(statements)
                policies = self.postgres.sql(POLICIES, 'access')
                bkp = self.new_bkp('access', user='taker')
                refused = bkp.run('dump')
                self.told(refused, 1, r"role 'taker' cannot see all of database 'access'", problem,
                          hint=cure)
                self.assertNotIn('pg_dump', refused.err)
                self.assertEqual([b['status'] for b in bkp.list()], ['FAILED'])
                bkp.assert_only_whole_backups_are_stored()
                doctor = bkp.run('doctor')
                self.assertEqual(doctor.code, 1, f'\n{doctor}')
                self.assertRegex(doctor.out, cure)

                words = re.search('^hint: as a superuser: (.*)', refused.err, re.M).group(1)
                self.postgres.sql(words, 'access')
                bkp.ok('dump')
                self.assertEqual(self.postgres.sql(POLICIES, 'access'), policies)
                bkp.ok('restore', 'latest', '--into', self.dropped_afterwards('access_again'))
                self.assertEqual(self.postgres.sql('SELECT count(*) FROM app.orders',
                                                   'access_again'), '300')
                self.assertEqual(self.postgres.sql(POLICIES, 'access_again'), policies)
                self.postgres.sql('DROP DATABASE access_again')

    def test_a_role_that_may_not_connect(self):
        """a role that may not connect is told so in PostgreSQL's words"""
        self.make_database(TABLES + 'REVOKE CONNECT ON DATABASE access FROM PUBLIC;')
        bkp = self.new_bkp('postgres', user='taker')
        self.told(bkp.run('dump', '--db', 'access'), 1, "'access'",
                  'permission denied for database "access"')
        bkp.assert_only_whole_backups_are_stored()

    def test_what_is_excluded_need_not_be_seen(self):
        """a table that is left out need not be readable"""
        self.make_database(TABLES + SEE + SEQUENCES + POLICY +
                           'REVOKE SELECT ON app.tenants FROM taker;')
        bkp = self.new_bkp('access', user='taker')
        bkp.edit(r'^exclude_tables = \[\]', 'exclude_tables = ["app.tenants", "app.orders"]')
        bkp.ok('dump')

    def test_a_role_that_may_not_create_databases(self):
        """a restore by a role that may not create databases says so and leaves nothing"""
        self.make_database(TABLES)
        bkp = self.new_bkp('access')
        bkp.ok('dump')
        bkp.edit(r'^# conninfo = .*', f'conninfo = "{self.postgres.conninfo(user="taker")}"')
        before = self.postgres.databases()
        self.told(bkp.run('restore', 'latest', '--into', 'nowhere'), 1, "role 'taker'", hint='conninfo')
        self.assertEqual(self.postgres.databases(), before)


if __name__ == '__main__':
    main()
