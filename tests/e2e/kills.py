#!/usr/bin/python3
"""Whatever is killed, cut off or full leaves nothing that looks like a backup, and nothing for good.

    kills.py --bkp PROGRAM --rounds 200 --seed 1     the campaign: so many kills at random moments
"""

import contextlib
import os
import signal
import subprocess
import time

from harness import OPTIONS, Story, main
from servers import OWNER, make_directory, wait_until

ROUNDS = 12
TARGET = 'target'


class Kills(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=56)

    def mark(self, number):
        """What tells one state of the database from the next."""
        self.postgres.sql(f'UPDATE marker SET n = {number}', 'shop')

    def sessions(self):
        return self.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE pid <> "
                                 "pg_backend_pid() AND backend_type = 'client backend'")

    def assert_nobody_left(self):
        wait_until(lambda: self.sessions() == '0', 'end of all sessions', 10)

    def scratch(self):
        """Databases and spools that restores work in: what is not there when a directory is made."""
        known = {'bkp.toml', 'secrets.env', 'keys.toml', 'local', 'recovery-kit-shop.txt',
                 'shop-history'}
        files = [str(path) for bkp in self.bkps for path in bkp.directory.iterdir()
                 if path.name not in known and path.suffix != '.lock'
                 and not path.name.startswith('catalog.db')]
        return [name for name in self.postgres.databases() if name.startswith('bkp_')] + files

    def in_mid_stream(self, bkp):
        """A dump whose pg_dump stands still in mid stream while a cloud has a part: (bkp, pg_dump).

        It comes to that by letting pg_dump go on in short steps; uncompressed, the parts are many.
        """
        bkp.edit('^dump = ".*"', 'dump = "none"')
        running = bkp.start('dump')
        pid = wait_until(lambda: running.children('pg_dump'), 'start of pg_dump')[0]
        while not bkp.uploads():
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.01)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.03)
        return running, pid

    def assert_latest_restores(self, bkp):
        """`restore latest` gives the newest whole backup, as it was when that was made."""
        latest = bkp.whole()[0]
        restored = bkp.json('restore', 'latest', '--into', self.dropped_afterwards(TARGET))
        self.assertEqual(restored['backup_id'], latest['id'])
        self.assertEqual(self.postgres.sql('SELECT n FROM marker', TARGET), latest['note'])
        self.postgres.sql(f'DROP DATABASE {TARGET}')

    # --- bkp itself

    def kill_a_dump(self, bkp, number, duration):
        """Kills a dump at a random moment; what claims to be whole then is whole."""
        self.mark(number)
        before = {b['id'] for b in bkp.whole()}
        signal_number = self.random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        running = bkp.start('dump', '--note', number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(self.random.uniform(0, duration * 1.1))
        running.kill(signal_number)
        result = running.wait()
        self.assert_nobody_left()
        for backup in bkp.whole():
            if backup['id'] not in before:  # with a signal, some clouds may have no copy: exit 3
                self.assertIn(bkp.run('verify', backup['id']).code,
                              (0, 3) if result.code == 3 else (0,))
        if signal_number == signal.SIGTERM and result.code != -signal.SIGTERM:
            self.assertIn(result.code, (0, 1, 3))
            if result.code == 1:
                self.assertIn('stopped by SIGTERM', result.err)
            self.assertEqual([b for b in bkp.list() if b['status'] == 'IN_PROGRESS'
                              and b['note'] == str(number)], [])
        return result

    def test_dumps_killed_at_random(self):
        """dumps killed at random moments: the next run works, clears up, and latest is whole"""
        ended = []
        for number in range(1, (OPTIONS.rounds or ROUNDS) + 1):
            if number % 20 == 1:  # the gateway keeps everything in memory
                self.empty_buckets()
                bkp = self.new_bkp('shop', clouds=['r2', 'b2'])
                self.mark(0)
                duration = bkp.ok('dump', '--note', '0').seconds
            with self.subTest(round=number):
                ended.append(self.kill_a_dump(bkp, number, duration).code)
                if self.random.random() < 0.3:
                    self.assert_latest_restores(bkp)
                if self.random.random() < 0.4 or number == (OPTIONS.rounds or ROUNDS):
                    self.assert_next_dump_clears_up(bkp, number)
        print(f'exit codes: {ended}')

    def empty_buckets(self):
        for bkp in self.bkps:
            for client, bucket in bkp.buckets.values():
                for name in client.list(bucket):
                    client.delete(bucket, name)

    def assert_next_dump_clears_up(self, bkp, number):
        made = bkp.json('dump', '--note', number)[0]
        bkp.assert_only_whole_backups_are_stored()
        listed = bkp.list()
        self.assertEqual(listed[0]['id'], made['id'])
        self.assertEqual([b['id'] for b in listed if b['status'] == 'IN_PROGRESS'], [])
        for backup in listed:
            if backup['status'] == 'FAILED':
                error = bkp.catalog('SELECT error FROM backups WHERE id = ?', backup['id'])
                self.assertRegex(error[0]['error'], 'killed|stopped by SIGTERM')
        self.assertEqual(bkp.open_alerts('BACKUP_FAILURE'), [])
        self.assert_latest_restores(bkp)

    def test_a_dump_stopped_leaves_nothing(self):
        """SIGTERM and SIGINT in the middle: exit 1, FAILED, and nothing is left at once"""
        bkp = self.new_bkp('shop', clouds=['r2', 'b2'])
        for number, name in ((signal.SIGTERM, 'SIGTERM'), (signal.SIGINT, 'SIGINT')):
            running, _ = self.in_mid_stream(bkp)
            running.kill(number)
            self.told(running.wait(), 1, f'stopped by {name}')
            self.assertEqual(bkp.whole(), [])
            self.assertEqual(bkp.list()[0]['status'], 'FAILED')
            bkp.assert_only_whole_backups_are_stored()
            self.assert_nobody_left()

    def test_killed_between_manifest_and_catalog(self):
        """killed after the manifests were written: the next run takes the backup into the catalog"""
        for stalled in range(1, 12):
            bkp = self.new_bkp('postgres')
            proxy = self.new_proxy()
            bkp.add_s3('r2', self.rgw, port=proxy.port)
            proxy.mode(f'stall-answer:{stalled}')
            running = bkp.start('dump')
            wait_until(lambda: running.ended() or proxy.requests() >= stalled, 'the request')
            ended = running.ended()
            whole = [n for s in ('local', 'r2') for n in bkp.objects(s) if '.manifest.' in n]
            running.kill()
            running.wait()
            proxy.mode('pass')
            with self.subTest(stalled_request=stalled, manifests=len(whole)):
                bkp.ok('dump')
                bkp.assert_only_whole_backups_are_stored()
                if len(whole) == 2:
                    self.assertEqual(len(bkp.whole()), 2)
                    copies = bkp.whole()[1]['copies']
                    self.assertEqual({c['storage']: c['state'] for c in copies},
                                     {'local': 'GOOD', 'r2': 'GOOD'})
                for backup in bkp.whole():
                    bkp.run('verify', backup['id'])
            if ended:
                break

    # --- what it works with

    def test_pg_dump_killed(self):
        """pg_dump killed: exit 1, FAILED with the cause, nothing is left"""
        bkp = self.new_bkp('shop', clouds=['r2', 'b2'])
        for number, words in ((signal.SIGKILL, 'pg_dump was killed by signal 9'),
                              (signal.SIGTERM, 'pg_dump failed with exit status 1')):
            running, pid = self.in_mid_stream(bkp)
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)
            result = running.wait()
            self.told(result, 1, "backup of 'shop'", words)
            row = bkp.catalog('SELECT status, error FROM backups ORDER BY created_at DESC')[0]
            self.assertEqual(row['status'], 'FAILED')
            self.assertIn(words, row['error'])
            self.assertIn(words, bkp.open_alerts('BACKUP_FAILURE')[0]['message'])
            bkp.assert_only_whole_backups_are_stored()
        bkp.ok('dump')
        self.assertEqual(bkp.open_alerts(), [])

    def test_the_server_gone(self):
        """the session of pg_dump ended by the server: exit 1 with its words, nothing is left"""
        bkp = self.new_bkp('shop')
        running = bkp.start('dump')
        wait_until(lambda: running.ended() or running.children('pg_dump'), 'start of pg_dump')
        wait_until(lambda: running.ended() or self.postgres.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'pg_dump' AND query LIKE 'COPY%'") != '0', 'COPY')
        self.told(running.wait(), 1, 'pg_dump failed', 'Error message from server')
        bkp.assert_only_whole_backups_are_stored()
        self.assertEqual([b['status'] for b in bkp.list()], ['FAILED'])

    def test_the_gateway_killed(self):
        """the clouds' server killed in mid upload: exit 3, the local copy is good; then all is well"""
        bkp = self.new_bkp('shop', clouds=['r2', 'b2'])
        running, pid = self.in_mid_stream(bkp)
        self.rgw.kill_gateway()
        os.kill(pid, signal.SIGCONT)
        try:
            self.told(running.wait(), 3, "no copy in 'r2'", "no copy in 'b2'")
            backup = bkp.list()[0]
            self.assertEqual(backup['status'], 'COMPLETED')
            bkp.ok('verify', backup['id'], '--storage', 'local')
            self.assertEqual(bkp.run('verify', backup['id'], '--storage', 'r2').code, 1)
            self.mark(7)
        finally:
            self.rgw.start_gateway()
        bkp.ok('dump', '--note', '7')
        bkp.assert_only_whole_backups_are_stored()
        self.assert_latest_restores(bkp)

    @contextlib.contextmanager
    def small_disk(self, size):
        place = make_directory(self.place / f'disk-{size}')
        mounted = subprocess.run(
            ['mount', '-t', 'tmpfs', '-o',
             f'size={size},uid={OWNER.pw_uid},gid={OWNER.pw_gid},mode=700', 'bkp-test', place],
            check=False, capture_output=True)
        if mounted.returncode != 0:
            self.skipTest('cannot mount a small file system here: ' + mounted.stderr.decode())
        try:
            yield place
        finally:
            subprocess.run(['umount', '-l', place], check=True)

    def test_a_full_disk(self):
        """the local disk full: exit 1, nothing is left; with clouds exit 3 and their copies good"""
        with self.small_disk('8m') as disk:
            bkp = self.new_bkp('shop', local=disk / 'local')
            self.told(bkp.run('dump'), 1, "'local'", 'No space left on device')
            self.assertEqual([b['status'] for b in bkp.list()], ['FAILED'])
            bkp.assert_only_whole_backups_are_stored()
            self.assertEqual([p for p in disk.rglob('*') if p.is_file() and
                              p.parent.name != 'catalog'],
                             [disk / 'local' / 'shop' / 'cluster.json'])
            bkp.add_s3('r2', self.rgw)
            self.told(bkp.run('dump'), 3, "no copy in 'local'", 'No space left on device')
            backup = bkp.list()[0]
            self.assertEqual({c['storage']: c['state'] for c in backup['copies']},
                             {'local': 'FAILED', 'r2': 'GOOD'})
            bkp.ok('restore', 'latest', '--into', self.dropped_afterwards(TARGET))
            subprocess.run(['mount', '-o', 'remount,size=200m', disk], check=True)
            bkp.ok('dump')
            bkp.assert_only_whole_backups_are_stored()

    def test_a_full_catalog(self):
        """no room for the catalog when a dump ends: told; the next run takes the backup into it"""
        with self.small_disk('3m') as disk:
            bkp = self.new_bkp('postgres', clouds=['r2'])
            bkp.catalog_file = disk / 'catalog.db'
            bkp.edit('^url = .*', f'url = "sqlite:{bkp.catalog_file}"')
            bkp.ok('init')
            bkp.ok('dump', '--note', 'before')
            self.postgres.sql('CREATE TABLE IF NOT EXISTS marker ()')
            with self.locked_table('postgres'):
                running = bkp.start('dump', '--note', 'meanwhile')
                wait_until(lambda: running.ended() or running.children('pg_dump'), 'pg_dump')
                with contextlib.suppress(OSError), open(disk / 'more', 'wb') as more:
                    while True:
                        more.write(b'x' * 512)
                        more.flush()
            self.told(running.wait(), 1, 'database or disk is full', hint='free space')
            (disk / 'more').unlink()
            bkp.ok('dump')
            bkp.assert_only_whole_backups_are_stored(copies=2)
            self.assertEqual([b['note'] for b in bkp.whole()], ['', 'meanwhile', 'before'])

    def test_init_killed(self):
        """init killed at random moments: run again it goes on, and everything works"""
        for number in range((OPTIONS.rounds or ROUNDS) // 2):
            bkp = self.new_bkp('postgres')
            again = bkp.directory / 'again'
            make_directory(again)
            bkp.config = again / 'bkp.toml'
            words = ['init', '--cluster', 'shop', '--conninfo', self.postgres.conninfo(), '--local',
                     again / 'local', '--yes']
            with self.subTest(round=number):
                running = bkp.start(*words)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.process.wait(self.random.uniform(0, 0.12))
                running.kill()
                running.wait()
                bkp.ok(*words)
                bkp.ok('dump')
                bkp.ok('doctor')

    def test_a_full_spool(self):
        """no room for the spool of a parallel restore: told before, and how to do without"""
        bkp = self.new_bkp('shop')
        bkp.ok('dump')
        with self.small_disk('9m') as disk:
            bkp.edit('^# spool_dir = .*', f'spool_dir = "{disk}"')
            self.told(bkp.run('restore', 'latest', '--into', TARGET), 1, str(disk), 'free',
                      hint='--jobs 1')
            self.assertEqual(self.scratch(), [])
            bkp.ok('restore', 'latest', '--jobs', '1', '--into', self.dropped_afterwards(TARGET))

    # --- restores

    def test_restores_killed_at_random(self):
        """a restore killed at random moments leaves no half database; the next one works"""
        bkp = self.new_bkp('shop')
        bkp.ok('dump', '--note', self.postgres.sql('SELECT n FROM marker', 'shop'))
        self.dropped_afterwards(TARGET)
        for jobs in ('4', '1'):
            duration = bkp.ok('restore', 'latest', '--into', TARGET, '--jobs', jobs).seconds
            self.postgres.sql(f'DROP DATABASE {TARGET}')
            for number in range((OPTIONS.rounds or ROUNDS) // 4):
                running = bkp.start('restore', 'latest', '--into', TARGET, '--jobs', jobs)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.process.wait(self.random.uniform(0, duration))
                running.kill()
                result = running.wait()
                with self.subTest(jobs=jobs, round=number):
                    self.assert_nobody_left()
                    # Named already, it was proved before: then it is whole.
                    if result.code == -signal.SIGKILL and TARGET in self.postgres.databases():
                        for table in ('marker', 'filler'):
                            rows = f'SELECT count(*), sum(hashtext(t::text)) FROM {table} t'
                            self.assertEqual(self.postgres.sql(rows, TARGET),
                                             self.postgres.sql(rows, 'shop'))
                    self.postgres.sql(f'DROP DATABASE IF EXISTS {TARGET}')
            bkp.ok('restore', 'latest', '--into', TARGET, '--jobs', jobs)
            self.assertEqual(self.scratch(), [])
            self.postgres.sql(f'DROP DATABASE {TARGET}')

    def test_a_restore_stopped_leaves_nothing(self):
        """a restore ended by SIGTERM leaves neither database nor spool, and says so in the log"""
        bkp = self.new_bkp('shop')
        bkp.ok('dump')
        for jobs in ('4', '1'):
            running = bkp.start('restore', 'latest', '--into', TARGET, '--jobs', jobs)
            wait_until(lambda: running.ended() or running.children('pg_restore'), 'pg_restore')
            running.kill(signal.SIGTERM)
            self.told(running.wait(), 1, 'stopped by SIGTERM')
            self.assert_nobody_left()
            self.assertNotIn(TARGET, self.postgres.databases())
            self.assertEqual(self.scratch(), [])
            log = bkp.catalog('SELECT outcome, error FROM restores ORDER BY started_at DESC')[0]
            self.assertEqual((log['outcome'], 'SIGTERM' in log['error']), ('FAILED', True))

    def test_pg_restore_killed(self):
        """pg_restore killed: exit 1 with the cause, no database, nothing is left"""
        bkp = self.new_bkp('shop')
        bkp.ok('dump')
        for jobs in ('4', '1'):
            running = bkp.start('restore', 'latest', '--into', TARGET, '--jobs', jobs)
            pids = wait_until(lambda: running.ended() or running.children('pg_restore'),
                              'pg_restore')
            os.kill(pids[0], signal.SIGKILL)
            self.told(running.wait(), 1, 'pg_restore')
            self.assertNotIn(TARGET, self.postgres.databases())
            self.assertEqual(self.scratch(), [])


if __name__ == '__main__':
    main()
