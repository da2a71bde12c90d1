#!/usr/bin/python3
"""One catalog on PostgreSQL for several hosts; and what is left when it is away or lost."""

from harness import Story, main
from servers import Postgres, make_directory, wait_until


class SharedCatalog(Story):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=2)
        cls.postgres.sql('CREATE DATABASE crm')
        cls.server = Postgres(cls.place / 'catalog-server')
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.name = f'cat{len(self._testMethodName)}{abs(hash(self._testMethodName)) % 10000}'
        self.server.sql(f'CREATE DATABASE {self.name}')
        self.addCleanup(self.server.sql, f'DROP DATABASE IF EXISTS {self.name} WITH (FORCE)')

    def url(self, server=None, name=None):
        return (server or self.server).conninfo(name or self.name)

    def host(self, name, cluster='shop', local=None, url=None, database='shop'):
        """A host of its own name, state and storage, with the common catalog."""
        bkp = self.new_bkp(database, cluster=cluster, local=local)
        state = make_directory(bkp.directory / 'state')
        bkp.edit(r'^url = .*', f'url = "{url or self.url()}"')
        bkp.edit(r'^# state_dir = .*', f'state_dir = "{state}"')
        bkp.catalog_file.unlink()
        bkp.ok('init')
        bkp.state = state
        return bkp

    def rows(self, query):
        return [row for row in self.server.sql(query, self.name).splitlines() if row]

    def unsent(self, bkp):
        return sorted(path.name for path in bkp.state.glob('*-unsent-*.db'))

    def test_two_hosts(self):
        """two clusters dump at once into one catalog: it has both, and each host lists its own or all"""
        first = self.host('one')
        second = self.host('two', cluster='crm', database='crm')
        running = [first.start('dump'), second.start('dump')]
        for one in running:
            self.assertEqual(one.wait().code, 0)
        self.assertEqual(sorted(self.rows('SELECT cluster FROM bkp.backups')), ['crm', 'shop'])
        clusters = {backup['cluster'] for bkp in (first, second) for backup in bkp.list()}
        self.assertEqual(clusters, {'shop', 'crm'})
        self.assertEqual(self.unsent(first) + self.unsent(second), [])
        self.assertEqual(len(self.rows("SELECT 1 FROM bkp.runs WHERE command = 'dump'")), 2)

    def test_one_storage_two_hosts(self):
        """two hosts of one cluster share storage and catalog: each sees what the other has made"""
        first = self.host('one')
        keys = make_directory(self.place / f'bkp-{self._testMethodName[:60]}-1') / 'keys.toml'
        first.write(keys, (first.directory / 'keys.toml').read_text(encoding='utf-8'))
        second = self.host('two', local=first.local)
        first.ok('dump')
        self.assertEqual(len(second.list()), 1)

    def test_away_from_the_start(self):
        """without its catalog a dump makes its backup, says so, ends with 3; the next hands it over"""
        bkp = self.host('one')
        self.server.stop()
        try:
            self.told(bkp.run('dump'), 3, 'cannot reach the catalog', 'going on without the catalog',
                      'the catalog does not know of this run')
            self.told(bkp.run('list'), 1, 'cannot reach the catalog')
        finally:
            self.server.start()
        self.assertEqual(len(self.unsent(bkp)), 1)
        self.assertEqual(bkp.list(), [])
        result = bkp.ok('dump')
        self.assertIn('of a run that had no catalog', result.err)
        self.assertEqual([b['status'] for b in bkp.list()], ['VERIFIED', 'VERIFIED'])
        self.assertEqual(self.unsent(bkp), [])
        self.assertEqual(len(self.rows('SELECT 1 FROM bkp.runs WHERE exit_code IS NOT NULL')), 2)
        bkp.assert_only_whole_backups_are_stored(copies=1)

    def test_gone_in_the_middle(self):
        """a catalog that stops in the middle of a dump does not stop the dump"""
        bkp = self.host('one')
        with self.locked_table():
            dump = bkp.start('dump')
            wait_until(lambda: dump.ended() or dump.children('pg_dump'), 'start of pg_dump')
            self.server.stop()
        try:
            self.told(dump.wait(), 3, 'going on without the catalog')
        finally:
            self.server.start()
        self.assertEqual([b['status'] for b in bkp.list()], ['IN_PROGRESS'])
        bkp.ok('dump')
        self.assertEqual([b['status'] for b in bkp.list()], ['VERIFIED', 'VERIFIED'])

    def test_cut_in_the_middle(self):
        """a connection that is cut in the middle of a dump is made again, and the dump ends with 0"""
        bkp = self.host('one')
        with self.locked_table():
            dump = bkp.start('dump')
            wait_until(lambda: dump.ended() or dump.children('pg_dump'), 'start of pg_dump')
            self.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            f" WHERE datname = '{self.name}'")
        result = dump.wait()
        self.told(result, 0, 'was lost and is there again')
        self.assertEqual([b['status'] for b in bkp.list()], ['VERIFIED'])

    def test_killed_in_the_middle(self):
        """a killed dump leaves a row that the next one of this host calls failed"""
        bkp = self.host('one')
        with self.locked_table():
            dump = bkp.start('dump')
            wait_until(lambda: dump.ended() or dump.children('pg_dump'), 'start of pg_dump')
            dump.kill()
            dump.wait()
        bkp.ok('dump')
        self.assertEqual([b['status'] for b in bkp.list()], ['VERIFIED', 'FAILED'])

    def test_inside_what_is_backed_up(self):
        """a catalog in the database that is backed up is refused; beside it, told, and left out of --all"""
        bkp = self.new_bkp('shop')
        bkp.edit(r'^url = .*', f'url = "{self.url(self.postgres, "shop")}"')
        bkp.edit(r'^# state_dir = .*', f'state_dir = "{bkp.directory}"')
        for argv in (['init'], ['dump'], ['dump', '--db', 'shop']):
            self.told(bkp.run(*argv), 2, "the catalog is in database 'shop', which is to be backed up",
                      hint='another database')
        self.postgres.sql('DROP SCHEMA IF EXISTS bkp CASCADE', 'shop')
        self.postgres.sql('CREATE DATABASE beside')
        self.addCleanup(self.postgres.sql, 'DROP DATABASE beside WITH (FORCE)')
        bkp.edit(r'^url = .*', f'url = "{self.url(self.postgres, "beside")}"')
        self.assertIn('both are lost at once', bkp.ok('init').err)
        self.assertIn('both are lost at once', bkp.run('doctor').out)
        result = bkp.ok('dump', '--all')
        self.assertIn("database 'beside' is left out", result.err)
        self.assertNotIn('beside', {backup['database'] for backup in bkp.list()})
        self.told(bkp.run('dump', '--db', 'beside'), 2, "the catalog is in database 'beside'")

    def test_history_survives(self):
        """a lost catalog is made again from one storage: backups, and who ran and restored what"""
        bkp = self.host('one')
        bkp.ok('dump')
        bkp.ok('restore', 'latest', '--into', self.dropped_afterwards('again'), '--reason', 'ticket 1')
        bkp.ok('dump')
        runs = set(self.rows("SELECT id FROM bkp.runs WHERE command = 'restore'"))
        self.server.sql(f'DROP DATABASE {self.name} WITH (FORCE)')
        self.server.sql(f'CREATE DATABASE {self.name}')
        bkp.ok('init')
        self.assertEqual(len(bkp.whole()), 2)
        self.assertEqual(self.rows('SELECT reason FROM bkp.restores'), ['ticket 1'])
        self.assertLessEqual(runs, set(self.rows('SELECT id FROM bkp.runs')))
        names = [name for name in bkp.objects() if name.startswith('shop/catalog/')]
        self.assertTrue(1 <= len(names) <= 3, names)

    def test_rebuilt(self):
        """a lost catalog is rebuilt into PostgreSQL, and one that lost rows is completed"""
        bkp = self.host('one')
        bkp.ok('dump')
        bkp.ok('dump')
        self.server.sql('DROP SCHEMA bkp CASCADE', self.name)
        self.assertEqual(bkp.json('catalog', 'rebuild')['added'], 2)
        self.assertEqual(len(bkp.whole()), 2)
        self.assertEqual(self.rows("SELECT count(*) FROM bkp.runs WHERE command = 'dump'"), ['2'])
        lost = bkp.whole()[0]['id']
        self.server.sql(f"DELETE FROM bkp.backups WHERE id = '{lost}'; DELETE FROM bkp.runs", self.name)
        self.assertEqual(bkp.json('catalog', 'rebuild')['added'], 1)
        self.assertEqual(len(bkp.whole()), 2)
        self.assertEqual(self.rows("SELECT count(*) FROM bkp.runs WHERE command = 'dump'"), ['2'])

    def test_no_password_is_told(self):
        """the password of a catalog's url is told nowhere, and not kept where others can read"""
        bkp = self.new_bkp('shop')
        bkp.secrets.append('verysecret')
        bkp.edit(r'^url = .*', 'url = "postgresql://bkp:verysecret@127.0.0.1:1/bkp"')
        bkp.config.chmod(0o640)
        self.told(bkp.run('list'), 2, 'url holds a password, and others can read this file')
        bkp.config.chmod(0o600)
        for argv in (['list'], ['doctor'], ['init'], ['dump', '--db', 'none_such']):
            self.assertNotEqual(bkp.run(*argv).code, 0)
        bkp.edit(r'^url = .*', 'url_env = "CATALOG_URL"')
        self.told(bkp.run('list'), 2, "environment variable 'CATALOG_URL' of 'url_env' is not set")
        self.told(bkp.run('list', CATALOG_URL='postgresql://bkp:verysecret@127.0.0.1:1/bkp'), 1,
                  'cannot reach the catalog')


if __name__ == '__main__':
    main()
