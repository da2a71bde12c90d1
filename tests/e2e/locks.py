#!/usr/bin/python3
"""One run at a time where it matters, and nobody waits where it does not."""

import signal

from harness import Story, main
from servers import wait_until


class Locks(Story):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=2)

    def begin_dump(self, bkp, *options):
        """A dump that has begun: its backup is on record and pg_dump is running."""
        dump = bkp.start('dump', *options)
        wait_until(lambda: dump.ended() or dump.children('pg_dump'), 'start of pg_dump')
        return dump

    def test_the_second_dump_is_told_who_is_first(self):
        """a second dump ends at once with exit 5 and names the first; nothing is on record of it"""
        bkp = self.new_bkp('shop')
        with self.locked_table():
            first = self.begin_dump(bkp)
            second = bkp.run('dump')
            self.told(second, 5, r"another run holds the lock 'shop-dump': bkp dump",
                      rf'process {first.pid}\b', hint='--wait')
        self.assertEqual(first.wait().code, 0)
        self.assertEqual(len(bkp.list()), 1)
        self.assertEqual(bkp.open_alerts(), [])

    def test_the_second_dump_waits_when_told_to(self):
        """with --wait it waits for the first and then succeeds"""
        bkp = self.new_bkp('shop')
        with self.locked_table():
            first = self.begin_dump(bkp)
            second = bkp.start('--wait', '30m', 'dump')
            self.assertEqual(bkp.run('--wait', '1s', 'dump').code, 5)
            self.assertFalse(second.ended())
        self.assertEqual(first.wait().code, 0)
        self.assertEqual(second.wait().code, 0)
        self.assertEqual([b['status'] for b in bkp.list()], ['VERIFIED', 'VERIFIED'])

    def test_waiting_can_be_stopped(self):
        """a run that waits for a lock ends on SIGTERM"""
        bkp = self.new_bkp('shop')
        with self.locked_table():
            first = self.begin_dump(bkp)
            second = bkp.start('--wait', '30m', 'dump')
            wait_until(lambda: len(bkp.catalog('SELECT 1 FROM runs')) == 2, 'the second run')
            second.kill(signal.SIGTERM)
            self.told(second.wait(), 1, 'stopped by SIGTERM')
        self.assertEqual(first.wait().code, 0)

    def test_a_killed_run_holds_nothing(self):
        """a lock ends with the process that held it, however that ended"""
        bkp = self.new_bkp('shop')
        with self.locked_table():
            first = self.begin_dump(bkp)
            first.kill()
            first.wait()
        bkp.ok('dump')
        self.assertEqual([b['status'] for b in bkp.list()], ['VERIFIED', 'FAILED'])

    def test_reading_commands_wait_for_nobody(self):
        """list, show, cat, verify and restore work while a dump runs, which list shows"""
        bkp = self.new_bkp('shop')
        bkp.ok('dump')
        with self.locked_table():
            running = self.begin_dump(bkp)
            self.assertEqual([b['status'] for b in bkp.list()], ['IN_PROGRESS', 'VERIFIED'])
            whole = bkp.whole()[0]['id']
            for argv in (['show', whole], ['show', 'latest'], ['cat', 'latest'], ['verify'],
                         ['restore', 'latest', '--into', self.dropped_afterwards('meanwhile')]):
                bkp.ok(*argv)
        self.assertEqual(running.wait().code, 0)

    def test_clusters_do_not_hinder_each_other(self):
        """dumps of two clusters run at once"""
        one, other = self.new_bkp('shop'), self.new_bkp('postgres', cluster='other')
        with self.locked_table():
            running = self.begin_dump(one)
            other.ok('dump')
        self.assertEqual(running.wait().code, 0)

    def test_restores_to_one_target(self):
        """two restores to one name, from one host or two: the second ends with exit 5"""
        bkp, other = self.new_bkp('shop'), self.new_bkp('shop', cluster='of-another-host')
        bkp.ok('dump')
        other.ok('dump')
        self.dropped_afterwards('one')
        first = bkp.start('restore', 'latest', '--into', 'one')
        wait_until(lambda: first.ended() or self.scratch_databases(), 'the scratch database')
        first.kill(signal.SIGSTOP)
        try:
            self.told(bkp.run('restore', 'latest', '--into', 'one'), 5,
                      "another restore to 'one' is running", rf'process {first.pid}\b')
            self.told(other.run('restore', 'latest', '--into', 'one'), 5,
                      "another restore to 'one' is running", rf'process {first.pid}\b')
            self.assertEqual(other.open_alerts(), [])
            waiting = other.start('--wait', '30m', 'restore', 'latest', '--into', 'one')
            bkp.ok('restore', 'latest', '--into', self.dropped_afterwards('two'))
            self.assertFalse(waiting.ended())
        finally:
            first.kill(signal.SIGCONT)
        self.assertEqual(first.wait().code, 0)
        self.told(waiting.wait(), 2, "database 'one' exists already")
        self.assertEqual(self.scratch_databases(), [])

    def scratch_databases(self):
        return [name for name in self.postgres.databases() if name.startswith('bkp_restore_')]

    def test_a_locked_table_does_not_hold_a_dump_for_ever(self):
        """a table locked for longer than lock_wait fails the dump with PostgreSQL's own words"""
        bkp = self.new_bkp('shop')
        bkp.edit('^lock_wait = .*', 'lock_wait = "1s"')
        with self.locked_table():
            self.told(bkp.run('dump'), 1, "'shop'", 'pg_dump', 'timeout', 'marker')
        self.assertEqual([b['status'] for b in bkp.list()], ['FAILED'])
        bkp.assert_only_whole_backups_are_stored()


if __name__ == '__main__':
    main()
