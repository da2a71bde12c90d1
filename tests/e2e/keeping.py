#!/usr/bin/python3
"""What has had its time goes, what is lacking is brought, and nothing that is needed is lost."""

import glob
import os
import signal
import time

from harness import Story, main
from servers import make_directory, wait_until

FAKETIME = (glob.glob('/usr/lib/*/faketime/libfaketimeMT.so.1') or [''])[0]


def days_ago(days):
    """The environment of a run that takes place so many days ago."""
    return {'LD_PRELOAD': FAKETIME, 'FAKETIME': f'{-days:+d}d', 'DONT_FAKE_MONOTONIC': '1'}


class Keeping(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=2)

    def new_keeper(self, keep='keep = { dump = "30d" }', far='keep = { dump = "365d" }'):
        """Two local storages with rules of their own: backups in the past need no signed clock."""
        bkp = self.new_bkp('shop')
        far_path = make_directory(bkp.directory / 'far')
        bkp.edit(r'^type = "local"$', f'type = "local"\n{keep}')
        bkp.append(f'[[storage]]\nname = "far"\ntype = "local"\npath = "{far_path}"\n{far}\n')
        bkp.ok('init')
        return bkp

    def stored(self, bkp, storage):
        """Ids of the backups that a storage has a good copy of, as the catalog has it."""
        return {b['id'] for b in bkp.list()
                for c in b['copies'] if c['storage'] == storage and c['state'] == 'GOOD'}

    def objects(self, bkp):
        """What lies in the local storage, but for the catalog's history."""
        return [name for name in bkp.objects() if not name.startswith('shop/catalog/')]

    def dump_of(self, bkp, days):
        return bkp.json('dump', **days_ago(days))[0]['id']

    def test_cleanup_does_what_its_plan_says(self):
        """cleanup --dry-run tells what stays and goes and why; cleanup does just that"""
        bkp = self.new_keeper()
        oldest, old, young = (self.dump_of(bkp, days) for days in (400, 40, 3))
        newest = bkp.json('dump')[0]['id']
        before = self.objects(bkp)
        plan = bkp.json('cleanup', '--dry-run')
        self.assertEqual(self.objects(bkp), before)
        told = {(c['backup'], c['storage']): (c['action'], c['reason']) for c in plan['copies']}
        self.assertEqual({key for key, (action, _) in told.items() if action == 'remove'},
                         {(oldest, 'local'), (oldest, 'far'), (old, 'local')})
        self.assertIn('37 d', told[young, 'local'][1])
        text = bkp.ok('cleanup', '--dry-run').out
        self.assertRegex(text, rf'(?m)^{old[:8]}.* local +remove .*40 d old, kept for 37 d')
        result = bkp.json('cleanup')
        self.assertEqual({s['storage']: s['deleted'] for s in result['storages']},
                         {'local': 2, 'far': 1})
        self.assertEqual(result['errors'], [])
        self.assertEqual(self.stored(bkp, 'local'), {young, newest})
        self.assertEqual(self.stored(bkp, 'far'), {old, young, newest})
        self.assertEqual(bkp.json('list', '--status', 'DELETED')[0]['id'], oldest)
        run = bkp.catalog("SELECT statistics FROM runs WHERE command = 'cleanup'")[-1]
        self.assertIn('"deleted"', run['statistics'])
        bkp.ok('restore', old, '--into', self.dropped_afterwards('kept'))
        self.assertTrue(all(c['action'] == 'keep'
                            for c in bkp.json('cleanup', '--dry-run')['copies']))

    def test_the_last_good_backup_stays(self):
        """where backups stopped a year ago the last good one stays, and the damaged one is no rival"""
        bkp = self.new_keeper(far='keep = { dump = "30d" }')
        good, damaged = self.dump_of(bkp, 500), self.dump_of(bkp, 499)
        for storage in ('local', 'far'):
            name = bkp.path(bkp.json('show', damaged), storage)
            path = bkp.directory / storage / name
            content = bytearray(path.read_bytes())
            content[300] ^= 1
            path.write_bytes(content)
        bkp.ends(4, 'verify', damaged)
        bkp.ok('cleanup')
        self.assertEqual(self.stored(bkp, 'local'), {good})
        self.assertEqual(self.stored(bkp, 'far'), {good})
        bkp.ok('restore', good, '--into', self.dropped_afterwards('last'))

    def test_cleanup_with_wrong_clocks_or_disks_does_nothing(self):
        """a clock a year ahead: exit 1, nothing is removed; an unmounted disk: its reliants stay"""
        bkp = self.new_keeper()
        self.dump_of(bkp, 20)
        bkp.ok('dump')
        before = self.objects(bkp)
        ahead = bkp.run('cleanup', **days_ago(-365))
        self.told(ahead, 1, "nothing is removed: this host's clock is 365 d ahead", hint='clock')
        self.assertEqual(self.objects(bkp), before)
        self.assertEqual(bkp.open_alerts('CLEANUP')[0]['severity'], 'CRITICAL')
        self.dump_of(bkp, 40)
        (bkp.directory / 'far').rename(bkp.directory / 'unmounted')
        before = self.objects(bkp)
        self.told(bkp.run('cleanup'), 3, 'is the disk mounted|no directory')
        self.assertEqual(self.objects(bkp), before)
        (bkp.directory / 'unmounted').rename(bkp.directory / 'far')
        bkp.ok('cleanup')
        self.assertLess(len(self.objects(bkp)), len(before))
        self.assertEqual(bkp.open_alerts('CLEANUP'), [])

    def test_cleanup_killed_at_random(self):
        """killed at any moment, the next cleanup finishes, and what is needed is whole"""
        bkp = self.new_keeper()
        due = [self.dump_of(bkp, 400 + i) for i in range(6)]
        kept = self.dump_of(bkp, 10)
        for i in range(12):
            cleanup = bkp.start('cleanup')
            time.sleep(self.random.uniform(0.02, 0.25))
            cleanup.kill(signal.SIGKILL)
            cleanup.wait()
            bkp.ok('verify', kept)
            if i % 4 == 3:
                due.append(self.dump_of(bkp, 380 + i))
        bkp.ok('cleanup')
        self.assertEqual(self.stored(bkp, 'local'), {kept})
        self.assertEqual(self.stored(bkp, 'far'), {kept})
        bkp.assert_only_whole_backups_are_stored()

    def test_a_dump_that_runs_meanwhile_is_not_touched(self):
        """a cleanup beside a running dump removes nothing of it, nor the last one before it"""
        bkp = self.new_keeper()
        self.dump_of(bkp, 40)
        self.dump_of(bkp, 39)
        with self.locked_table():
            dump = bkp.start('dump')
            wait_until(lambda: dump.ended() or dump.children('pg_dump'), 'start of pg_dump')
            bkp.ok('cleanup')
        self.assertEqual(dump.wait().code, 0)
        self.assertEqual(len(self.stored(bkp, 'local')), 2)  # the last good one of before, too

    def test_temporary_things_go_after_a_day(self):
        """old temporary files, orphans and scratch databases go; young ones stay"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        bkp.ok('dump')
        self.postgres.sql('CREATE DATABASE bkp_restore_0123456789abcdef')
        self.dropped_afterwards('bkp_restore_mine')
        self.postgres.sql('CREATE DATABASE bkp_restore_mine')
        folder = (bkp.local / bkp.path(bkp.whole()[0])).parent
        orphan = 'backup_full_database_20260101_020000_0badcafe.dump.gz.enc'
        for name in ('old.tmp', 'young.tmp', orphan, 'test_restore_1'):
            bkp.write(folder / name, 'x')
            if name != 'young.tmp':
                past = time.time() - 2 * 86400
                os.utime(folder / name, (past, past))
        result = bkp.json('cleanup')
        self.assertEqual([s for s in result['storages'] if s['storage'] == 'local'][0]['temporary'],
                         2)
        left = {path.name for path in folder.iterdir()}
        self.assertIn('young.tmp', left)
        self.assertTrue(left.isdisjoint({'old.tmp', orphan, 'test_restore_1'}))
        self.assertEqual(result['scratch'], 1)
        databases = self.postgres.sql('SELECT datname FROM pg_database')
        self.assertIn('bkp_restore_mine', databases)
        self.assertNotIn('bkp_restore_0123456789abcdef', databases)
        (folder / 'young.tmp').unlink()
        bkp.assert_only_whole_backups_are_stored(copies=2)

    def test_a_night_without_the_second_storage(self):
        """down for a night: warnings; in the morning sync brings the copies, VERIFIED, no alert"""
        bkp = self.new_bkp('shop', clouds=['r2', 'b2'])
        bkp.move_s3('r2', self.new_deaf_port())
        first = bkp.json('dump', code=3)[0]['id']
        second = bkp.json('dump', code=3)[0]['id']
        self.assertEqual(len(bkp.open_alerts('COPY_MISSING')), 1)
        self.told(bkp.run('sync'), 3, "'r2'")
        bkp.move_s3('r2', self.rgw.port)
        lacking = bkp.json('sync', '--dry-run')['copies']
        self.assertEqual([(c['backup'], c['storage']) for c in lacking],
                         [(second, 'r2'), (first, 'r2')])
        for i in range(3):
            sync = bkp.start('sync')
            time.sleep(0.05 + 0.1 * i)
            sync.kill(signal.SIGKILL)
            sync.wait()
        bkp.ok('sync')
        self.assertIn('nothing is lacking', bkp.ok('sync').out)
        self.assertEqual({b['status'] for b in bkp.whole()}, {'VERIFIED'})
        self.assertEqual(bkp.open_alerts(), [])
        bkp.ok('verify', '--all', '--deep')
        bkp.ok('restore', first, '--into', self.dropped_afterwards('morning'))

    def test_damage_is_healed(self):
        """a flipped byte, a cut file and a missing manifest are rebuilt from the other copy"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        backup = bkp.json('dump')[0]
        path = bkp.local / bkp.path(backup)
        whole = path.read_bytes()
        manifest = path.parent / (path.name.rsplit('.dump', 1)[0] + '.manifest.json')
        for damage in (lambda: path.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]),
                       lambda: path.write_bytes(whole[:-7]), path.unlink, manifest.unlink):
            damage()
            bkp.ends(4, 'verify', backup['id'])
            bkp.ok('sync')
            self.assertEqual(path.read_bytes(), whole)
            bkp.ok('verify', backup['id'])
        self.assertEqual(bkp.open_alerts(), [])


if __name__ == '__main__':
    main()
