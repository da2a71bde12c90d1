#!/usr/bin/python3
"""Removing on purpose: in the right order, never the last copy by accident, never what is held."""

import sqlite3
import subprocess

from harness import Story, main
from servers import free_port


class Removal(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=1)

    def three(self, bkp):
        return [bkp.json('dump')[0] for _ in range(3)]

    def test_one_backup_everywhere(self):
        """rm takes a backup out of every storage and out of the list; what stays verifies"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        oldest, _, newest = self.three(bkp)
        plan = bkp.json('rm', oldest['id'], '--dry-run')
        self.assertEqual(plan[0]['storages'], ['local', 'r2'])
        self.assertEqual(len(bkp.list()), 3)
        self.told(bkp.run('rm', oldest['id']), 2, 'needs --yes')
        bkp.ok('rm', oldest['id'], '--yes')
        self.assertEqual(len(bkp.list()), 2)
        self.assertEqual(bkp.list('--status', 'DELETED')[0]['id'], oldest['id'])
        bkp.assert_only_whole_backups_are_stored(copies=2)
        bkp.ok('verify', '--all')
        bkp.ok('catalog', 'rebuild')
        self.assertEqual(len(bkp.list()), 2)
        self.told(bkp.run('rm', newest['id'], '--yes'), 2, 'newest good backup',
                  hint='--even-last')
        self.assertEqual(len(bkp.list()), 2)
        bkp.ok('rm', *[b['id'] for b in bkp.list()], '--yes', '--even-last')
        self.assertEqual([b for b in bkp.objects() + bkp.objects('r2') if 'backup_' in b], [])

    def test_copies_in_one_storage(self):
        """rm --storage frees one storage; the backup restores from the others and stays VERIFIED"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        backup = bkp.json('dump')[0]
        bkp.ok('rm', 'latest', '--storage', 'local', '--yes')
        self.assertEqual([name for name in bkp.objects() if 'backup_' in name], [])
        self.assertEqual(bkp.json('verify', '--all')[0]['status'], 'VERIFIED')
        self.told(bkp.run('rm', 'latest', '--storage', 'r2', '--yes'), 2, 'no good copy')
        into = self.dropped_afterwards('from_r2')
        self.assertEqual(bkp.json('restore', backup['id'], '--into', into)['source_storage'], 'r2')

    def test_the_copy_that_is_relied_on_is_looked_at(self):
        """a copy is not removed where the other one has gone without anybody knowing"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        bkp.ok('dump')
        for name in bkp.objects('r2'):
            if name.endswith('.manifest.json'):
                self.rgw.client.delete(bkp.buckets['r2'][1], name)
        before = bkp.objects()
        self.told(bkp.run('rm', 'latest', '--storage', 'local', '--yes'), 2, 'no other storage')
        self.assertEqual(bkp.objects(), before)

    def test_a_storage_that_does_not_answer(self):
        """where a storage does not answer the row stays, says so, and rm again finishes it"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        oldest = self.three(bkp)[0]
        bkp.move_s3('r2', free_port())
        result = bkp.run('rm', oldest['id'], '--yes', timeout=300)
        self.told(result, 3, "not removed from 'r2'", 'again finishes')
        shown = bkp.json('show', oldest['id'], '--tables', 'none')
        self.assertEqual({c['storage']: c['state'] for c in shown['copies']},
                         {'local': 'DELETED', 'r2': 'DELETING'})
        self.told(bkp.run('restore', oldest['id'], '--into', 'never'), 2)
        bkp.move_s3('r2', self.rgw.port)
        bkp.ok('verify', '--all')
        bkp.ok('rm', oldest['id'], '--yes')
        self.assertEqual(len(bkp.list()), 2)
        bkp.assert_only_whole_backups_are_stored(copies=2)

    def test_a_storage_that_is_not_mounted(self):
        """nothing counts as removed from a disk that is not mounted"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        oldest = self.three(bkp)[0]
        bkp.local.rename(bkp.directory / 'away')
        bkp.local.mkdir()
        self.told(bkp.run('rm', oldest['id'], '--yes'), 3, 'is the disk mounted')
        bkp.local.rmdir()
        (bkp.directory / 'away').rename(bkp.local)
        bkp.ok('rm', oldest['id'], '--yes')
        bkp.assert_only_whole_backups_are_stored(copies=2)

    def test_killed_at_any_moment(self):
        """killed wherever it is, rm again finishes it and nothing is left"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        bkp.ok('dump')
        victim = bkp.json('dump')[0]
        bkp.ok('dump')
        took = 0.3
        for part in range(12):
            running = bkp.start('rm', victim['id'], '--yes')
            try:
                running.process.wait(took * part / 12)
            except subprocess.TimeoutExpired:
                running.kill()
            result = running.wait()
            shown = bkp.json('show', victim['id'], '--tables', 'none')
            whole = [n for n in bkp.objects() + bkp.objects('r2') if victim['id'][:8] in n]
            if result.code == 0 or shown['status'] == 'DELETED':
                self.assertEqual(whole, [])
                victim = bkp.json('dump')[0]
                bkp.ok('dump')
        bkp.run('rm', victim['id'], '--yes')
        bkp.assert_only_whole_backups_are_stored(copies=2)

    def test_held(self):
        """what is held stays: here, on another host, and after the catalog was built anew"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        oldest = self.three(bkp)[0]
        bkp.ok('hold', oldest['id'], '--reason', 'the case of ACME')
        for name in bkp.objects():
            if name.endswith('.hold.json'):
                self.assertNotIn('ACME', (bkp.local / name).read_text(encoding='utf-8'))
        self.told(bkp.run('rm', oldest['id'], '--yes', '--even-last'), 2, 'is held',
                  hint='bkp release')
        bkp.catalog_file.unlink()
        bkp.ok('catalog', 'rebuild', '--from', 'r2')
        shown = bkp.json('show', oldest['id'])
        self.assertTrue(shown['held'])
        self.assertEqual(shown['metadata']['hold_reason'], 'the case of ACME')
        bkp.ok('verify', '--all')
        self.assertTrue(bkp.json('show', oldest['id'])['held'])
        # A catalog that does not know is told by the storages.
        with sqlite3.connect(bkp.catalog_file) as database:
            database.execute('UPDATE backups SET held = 0')
        database.close()
        self.told(bkp.run('rm', oldest['id'], '--yes'), 2, 'as the storages have it')
        bkp.ok('release', oldest['id'])
        bkp.ok('rm', oldest['id'], '--yes')
        bkp.assert_only_whole_backups_are_stored(copies=2)

    def test_released_in_part(self):
        """a hold that a storage could not give back goes on holding"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        oldest = self.three(bkp)[0]
        bkp.ok('hold', oldest['id'])
        bkp.local.rename(bkp.directory / 'away')
        self.assertEqual(bkp.run('release', oldest['id']).code, 3)
        self.told(bkp.run('rm', oldest['id'], '--yes'), 2, 'is held')
        (bkp.directory / 'away').rename(bkp.local)
        bkp.ok('release', oldest['id'])
        bkp.ok('rm', oldest['id'], '--yes')


if __name__ == '__main__':
    main()
