#!/usr/bin/python3
"""A restore in the place of a live database: under the name is always one of the two, and open."""

import contextlib
import json
import signal
import subprocess
import threading

from harness import OPTIONS, Story, main
from servers import BIN, environment, wait_until

ROUNDS = 10
LONG = 'ä' * 31  # 62 bytes


class Hammer:
    """Applications that connect to the database again and again while something is done to it.

    `seen` is what they read, `refused` what the server told those that it sent away.
    """

    def __init__(self, postgres, database, threads=2):
        self.postgres, self.database = postgres, database
        self.seen, self.refused, self.over = set(), set(), threading.Event()
        self.threads = [threading.Thread(target=self.hammer) for _ in range(threads)]

    def hammer(self):
        while not self.over.is_set():
            done = subprocess.run(
                [BIN / 'psql', '-XqAt', '-d', self.postgres.conninfo(self.database), '-c',
                 'SELECT n FROM marker; SELECT pg_sleep(0.02)'], capture_output=True, text=True,
                check=False, env=environment(self.postgres.directory))
            if done.stdout.strip():
                self.seen.add(done.stdout.split()[0])
            if done.returncode != 0:
                self.refused.add(done.stderr.strip())

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


class Swap(Story):

    SETTINGS = 'max_prepared_transactions = 5\nwal_level = logical\n'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(cls.postgres.data / 'postgresql.conf', 'a', encoding='utf-8') as file:
            file.write(cls.SETTINGS)
        cls.postgres.stop()
        cls.postgres.start()

    def setUp(self):
        super().setUp()
        self.database = self.new_database('shop')
        self.bkp = self.new_bkp(self.database)
        self.bkp.ok('dump')
        self.postgres.sql('UPDATE marker SET n = 1', self.database)

    def new_database(self, name):
        """One with marker 0, dropped with all that was swapped out of its name."""
        for old in [name, *self.olds(name)]:
            self.postgres.sql(f'DROP DATABASE IF EXISTS "{old}" WITH (FORCE)')
        self.postgres.create_database(name, megabytes=1)
        return name

    def olds(self, name=None):
        return [d for d in self.postgres.databases()
                if '_before_' in d and d.startswith((name or self.database)[:15])]

    def marker(self, database):
        return self.postgres.sql('SELECT n FROM marker', database)

    def scratch(self):
        return [d for d in self.postgres.databases() if d.startswith('bkp_')]

    def swap(self, *options, code=0, **more):
        return self.bkp.ends(code, 'restore', 'latest', '--into', self.database, '--swap', *options,
                             **more)

    def assert_open(self):
        """Everything that there is lets applications in, under the name is one of the two."""
        self.assertEqual(self.postgres.sql(
            "SELECT datname FROM pg_database WHERE NOT datallowconn AND datname <> 'template0'"
            " AND datname NOT LIKE 'bkp_restore%'"), '')
        return self.marker(self.database)

    def test_swapped_in(self):
        """--swap puts the backup under the name, and keeps the old database with what it had"""
        self.postgres.sql(f'ALTER DATABASE {self.database} SET work_mem = "8MB";'
                          f'ALTER DATABASE {self.database} CONNECTION LIMIT 40')
        result = self.swap('--json')
        told = result.json
        self.assertEqual((told['mode'], told['outcome'], told['target']),
                         ('swap', 'DONE', self.database))
        self.assertRegex(told['old_database'], rf'^{self.database}_before_\d{{8}}_\d{{6}}$')
        self.assertEqual((self.marker(self.database), self.marker(told['old_database'])), ('0', '1'))
        self.assertRegex(result.err, "connection limit '40' becomes '-1'")
        self.assertRegex(result.err, 'setting work_mem = 8MB is not in the backup')
        self.assertEqual(self.scratch(), [])
        self.assertNotEqual(self.postgres.sql(
            "SELECT reltuples FROM pg_class WHERE relname = 'filler'", self.database), '-1')
        details = self.bkp.catalog('SELECT details FROM restores')[0]['details']
        self.assertEqual(json.loads(details)['old_database'], told['old_database'])

    def test_twice(self):
        """two swaps in one second: two old databases"""
        self.swap()
        self.swap()
        self.assertEqual(len(self.olds()), 2)

    def test_under_fire(self):
        """sessions that come all the time are sent away once at most, and then see the new one"""
        with self.session('SELECT 1'), Hammer(self.postgres, self.database) as hammer:
            wait_until(lambda: hammer.seen == {'1'}, 'the first answer')
            told = self.swap('--json').json
            wait_until(lambda: '0' in hammer.seen, 'the new database')
        self.assertGreater(told['sessions_ended'] + len(hammer.refused), 0)
        for words in hammer.refused:
            self.assertRegex(words, 'terminating connection|dropped or renamed|connection to server '
                                    'was lost|server closed the connection')
        self.assertEqual(self.assert_open(), '0')

    @contextlib.contextmanager
    def session(self, statement, database=None):
        """One that has done the statement, and stays."""
        psql = subprocess.Popen([BIN / 'psql', '-XqAt', '-d',
                                 self.postgres.conninfo(database or self.database)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True)
        psql.stdin.write(statement + '; SELECT 1;\n')
        psql.stdin.flush()
        psql.stdout.readline()
        try:
            yield psql
        finally:
            with contextlib.suppress(BrokenPipeError):
                psql.communicate('COMMIT;\n')

    def test_open_transactions_end(self):
        """a transaction that is open on the old database is ended, and what it wrote is undone"""
        with self.session('BEGIN; UPDATE marker SET n = 2'):
            told = self.swap('--json').json
        self.assertEqual(told['sessions_ended'], 1)
        self.assertEqual((self.marker(self.database), self.marker(told['old_database'])), ('0', '1'))

    def test_dropped(self):
        """--drop-old wants --yes where nobody can be asked, and then leaves one database"""
        self.told(self.swap('--drop-old', code=2), 2, "wants '--yes'")
        self.assertEqual(self.marker(self.database), '1')
        told = self.swap('--drop-old', '--yes', '--json').json
        self.assertIsNone(told['old_database'])
        self.assertEqual((self.marker(self.database), self.olds()), ('0', []))

    def test_dry_run(self):
        """--dry-run says what would happen, and does nothing"""
        before = self.postgres.databases()
        with self.session('SELECT 1'):
            plan = self.swap('--dry-run', '--json').json
            text = self.swap('--dry-run', '--drop-old').out
        self.assertEqual((plan['dry_run'], plan['sessions'], plan['target']),
                         (True, 1, self.database))
        self.assertRegex(text, f"would end the sessions of '{self.database}'")
        self.assertRegex(text, f"would drop '{self.database}_before_")
        self.assertEqual(self.postgres.databases(), before)
        self.assertEqual(self.bkp.catalog('SELECT * FROM restores'), [])

    def test_refused(self):
        """what a swap would break is found before anything is built, with its cure"""
        def refused(*patterns, hint=None, code=1):
            before = self.postgres.databases()
            self.told(self.swap(code=code), code, *patterns, hint=hint)
            self.assertEqual(self.postgres.databases(), before)
            self.assertEqual(self.marker(self.database), '1')

        self.postgres.sql("BEGIN; UPDATE filler SET text = ''; PREPARE TRANSACTION 'two-phase'",
                          self.database)
        refused("prepared transaction 'two-phase'", hint="ROLLBACK PREPARED 'two-phase'")
        self.postgres.sql("ROLLBACK PREPARED 'two-phase'", self.database)

        self.postgres.sql("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')",
                          self.database)
        refused("logical replication slot 'feed'", hint=r"pg_drop_replication_slot\('feed'\)")
        self.postgres.sql("SELECT pg_drop_replication_slot('feed')")

        self.postgres.sql("CREATE SUBSCRIPTION news CONNECTION 'dbname=none' PUBLICATION p"
                          ' WITH (connect = false)', self.database)
        refused("subscription 'news'", hint='DROP SUBSCRIPTION news')
        self.postgres.sql('ALTER SUBSCRIPTION news SET (slot_name = NONE)', self.database)
        self.postgres.sql('DROP SUBSCRIPTION news', self.database)

        self.database, before = 'nowhere', self.database
        self.told(self.swap(code=2), 2, "there is no database 'nowhere'", hint='without --swap')
        self.database = 'postgres'
        self.told(self.swap(code=2), 2, "'postgres' cannot be swapped")
        self.database = before
        self.swap()

    def test_rights(self):
        """a role that may not rename or end sessions is told so before anything is built"""
        self.postgres.sql('DROP ROLE IF EXISTS maker; CREATE ROLE maker LOGIN CREATEDB')
        self.bkp.edit(r'^\[restore\]$', '[restore]\nconninfo = "' +
                      self.postgres.conninfo('postgres', 'maker') + '"')
        self.told(self.swap(code=1), 1, "role 'maker', which may not rename it", hint='superuser')
        self.postgres.sql(f'ALTER DATABASE {self.database} OWNER TO maker')
        self.told(self.swap(code=1), 1, 'may not end other sessions',
                  hint='GRANT pg_signal_backend TO "?maker')
        self.assertEqual(self.scratch(), [])

    def test_without_swap(self):
        """an existing database is refused without --swap, which the hint names"""
        self.told(self.bkp.run('restore', 'latest', '--into', self.database), 2, 'exists already',
                  hint='--swap')
        self.told(self.bkp.run('restore', 'latest', '--into', 'x', '--drop-old'), 2, '--swap')
        self.told(self.swap('--keep-old', '--drop-old', code=2), 2, 'opposite')

    def test_long_names(self):
        """the old name is cut at a character to 63 bytes"""
        self.database = self.new_database(LONG)
        self.bkp.ok('dump', '--db', LONG)
        told = self.bkp.json('restore', 'latest', '--db', LONG, '--into', LONG, '--swap')
        self.assertRegex(told['old_database'], r'^ä+_before_\d{8}_\d{6}$')
        self.assertLessEqual(len(told['old_database'].encode()), 63)
        self.assertIn(told['old_database'], self.postgres.databases())
        self.new_database(LONG)
        self.postgres.sql(f'DROP DATABASE "{LONG}"')

    def test_killed_at_random(self):
        """killed at random moments: under the name is one of the two, open; the next swap works"""
        duration = self.swap().seconds
        seen = set()
        with Hammer(self.postgres, self.database) as hammer:
            for number in range(OPTIONS.rounds or ROUNDS):
                self.postgres.sql('UPDATE marker SET n = 1', self.database)
                running = self.bkp.start('restore', 'latest', '--into', self.database, '--swap')
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.process.wait(self.random.uniform(0, duration * 1.2))
                running.kill(self.random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
                running.wait()
                with self.subTest(round=number):
                    seen.add(self.assert_open())
                    self.assert_olds_are_old()
            self.swap()
        self.assertLessEqual(hammer.seen, {'0', '1'})
        self.assertEqual((self.assert_open(), self.scratch()), ('0', []))
        self.assertEqual(self.bkp.catalog("SELECT * FROM restores WHERE outcome = 'RUNNING'"), [])

    def assert_olds_are_old(self):
        for old in self.olds():
            self.assertIn(self.marker(old), ('0', '1'))
            self.postgres.sql(f'DROP DATABASE "{old}" WITH (FORCE)')

    @contextlib.contextmanager
    def swapping(self):
        """A swap that stands in its transaction: another session holds the database's lock."""
        with self.session(f"BEGIN; COMMENT ON DATABASE {self.database} IS 'held'",
                          database='postgres'):
            running = self.bkp.start('restore', 'latest', '--into', self.database, '--swap')
            wait_until(lambda: running.ended() or self.postgres.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'BEGIN;ALTER DATABASE%'"
                " AND wait_event_type = 'Lock'") == '1', 'the rename')
            self.assertFalse(running.ended())
            yield running

    def test_killed_in_the_transaction(self):
        """killed while the server renames: it ends all of it or nothing"""
        with self.swapping() as running:
            running.kill()
            running.wait()
        wait_until(lambda: self.postgres.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'bkp%'") == '0',
            'the end of its sessions')
        self.assertEqual(len(self.olds()), int(self.assert_open() == '0'))
        self.swap()
        self.assertEqual((self.assert_open(), self.scratch()), ('0', []))

    def test_stopped_in_the_transaction(self):
        """SIGTERM while the server renames: the swap is ended first, and says how it went"""
        with self.swapping() as running:
            running.kill(signal.SIGTERM)
        self.assertEqual((running.wait().code, self.assert_open()), (0, '0'))
        self.assertEqual([r['outcome'] for r in self.bkp.catalog('SELECT * FROM restores')],
                         ['DONE'])

    def test_the_server_crashes_in_the_transaction(self):
        """the server crashing while it renames: everything is as before, and told so"""
        with self.swapping() as running:
            self.postgres.stop()
            self.addCleanup(lambda: self.postgres.answers() or self.postgres.start())
            self.told(running.wait(), 1, 'the connection was lost while databases were renamed',
                      hint='psql -l')
        self.postgres.start()
        self.assertEqual((self.assert_open(), self.olds()), ('1', []))
        self.swap()
        self.assertEqual((self.assert_open(), self.scratch()), ('0', []))


if __name__ == '__main__':
    main()
