#!/usr/bin/python3
"""The catalog is an index: lost, damaged, cut to nothing or behind, the storages make it whole."""

import os
import shutil
import sqlite3

from harness import Story, main


class Catalog(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=1)

    def known(self, bkp):
        return sorted((b['id'], b['checksum'], b['database'], b['note']) for b in bkp.whole())

    def ruin(self, bkp, content):
        """The catalog's file with other content, nothing beside it."""
        for suffix in ('-wal', '-shm'):
            (bkp.directory / f'catalog.db{suffix}').unlink(missing_ok=True)
        bkp.write(bkp.catalog_file, '')
        bkp.catalog_file.write_bytes(content)

    def test_rebuilt_from_any_storage(self):
        """a lost catalog comes back from each storage alone, and says what it found"""
        bkp = self.new_bkp('shop', clouds=['r2', 'b2'])
        bkp.ok('dump', '--note', 'first')
        bkp.ok('dump', '--note', 'second')
        before = self.known(bkp)
        for storage in ('local', 'r2', 'b2'):
            bkp.catalog_file.unlink()
            result = bkp.json('catalog', 'rebuild', '--from', storage)
            self.assertEqual((result['made'], result['found'], result['added']), (True, 2, 2))
            self.assertEqual(self.known(bkp), before)
            self.assertEqual([c['storage'] for c in bkp.whole()[0]['copies']], [storage])
        result = bkp.json('catalog', 'rebuild')
        self.assertEqual((result['made'], result['added'], result['problems']), (False, 0, []))
        self.assertEqual([c['storage'] for c in bkp.whole()[0]['copies']], ['b2', 'local', 'r2'])
        bkp.ok('verify', '--all')
        self.assertEqual({b['status'] for b in bkp.list()}, {'VERIFIED'})

    def test_damage_is_told_and_moved_aside(self):
        """a catalog of nonsense or of no bytes is told as damage, kept aside, and made anew"""
        bkp = self.new_bkp('shop')
        bkp.ok('dump')
        before = self.known(bkp)
        for content in (b'x' * 5000, b'', bkp.catalog_file.read_bytes()[:6000]):
            with self.subTest(len(content)):
                self.ruin(bkp, content)
                for words in (['list'], ['dump'], ['init'], ['show', 'latest']):
                    self.told(bkp.run(*words), 1, 'the catalog is damaged',
                              hint='bkp catalog rebuild')
                self.assertEqual(bkp.catalog_file.read_bytes(), content)
                result = bkp.json('catalog', 'rebuild')
                with open(result['moved_to'], 'rb') as aside:
                    self.assertEqual(aside.read(), content)
                self.assertEqual(self.known(bkp), before)
        bkp.ok('dump')

    def test_history_is_kept(self):
        """runs, restores and alerts outlive a rebuild, in place and beside a damaged file"""
        bkp = self.new_bkp('shop')
        bkp.ok('dump')
        bkp.ok('restore', 'latest', '--into', self.dropped_afterwards('kept'))
        bkp.ends(1, 'dump', '--db', 'nosuch')
        tables = ('runs', 'restores', 'alerts')
        before = [bkp.catalog(f'SELECT * FROM {table} ORDER BY id') for table in tables]
        bkp.ok('catalog', 'rebuild')
        self.assertEqual([bkp.catalog(f'SELECT * FROM {t} ORDER BY id') for t in tables], before)
        self.assertEqual([b['status'] for b in bkp.list()], ['FAILED', 'VERIFIED'])
        # An index that does not fit its table: integrity_check tells, the rows are still there.
        with sqlite3.connect(bkp.catalog_file) as database:
            root = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'backups_by_type'")
            page = root.fetchone()[0]
            size = database.execute('PRAGMA page_size').fetchone()[0]
            database.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        database.close()
        with open(bkp.catalog_file, 'r+b') as file:
            file.seek((page - 1) * size)
            file.write(b'\0' * size)
        result = bkp.json('catalog', 'rebuild')
        self.assertTrue(result['damage'])
        self.assertGreater(result['history'], 2)
        self.assertEqual([bkp.catalog(f'SELECT * FROM {t} ORDER BY id') for t in tables], before)
        self.assertEqual(len(bkp.whole()), 1)

    def test_no_storage_no_rebuild(self):
        """where no storage answers, the old catalog stays as it is"""
        bkp = self.new_bkp('shop')
        bkp.ok('dump')
        before = bkp.list()
        bkp.local.rename(bkp.directory / 'away')
        self.told(bkp.run('catalog', 'rebuild'), 1, 'no storage answered')
        self.assertEqual(bkp.list(), before)
        self.ruin(bkp, b'x' * 100)
        self.assertNotEqual(bkp.run('catalog', 'rebuild').code, 0)
        self.assertEqual(bkp.catalog_file.read_bytes(), b'x' * 100)
        (bkp.directory / 'away').rename(bkp.local)
        bkp.ok('catalog', 'rebuild')

    def test_unknown_backups_are_met(self):
        """a backup that another host made is found by its ID, by --refresh and by the next dump"""
        here, there = self.new_bkp('shop'), self.new_bkp('shop')
        shutil.rmtree(there.local)
        shutil.copy(here.directory / 'keys.toml', there.directory / 'keys.toml')
        there.edit('^path = .*', f'path = "{here.local}"')
        there.local = here.local
        one = here.json('dump')[0]
        self.assertEqual(there.list(), [])
        self.assertEqual(there.json('show', one['id'])['id'], one['id'])
        self.assertEqual([b['id'] for b in there.list()], [one['id']])
        two = here.json('dump')[0]
        there.ok('cat', two['filename'])
        three = here.json('dump')[0]
        there.ok('verify', three['id'][:8])
        here.ok('dump')
        self.assertEqual(len(there.list('--refresh')), 4)
        here.ok('dump')
        there.ok('dump')
        self.assertEqual(len(there.list()), 6)
        self.told(there.run('show', '00000000-0000-4000-8000-000000000000'), 2, 'no backup')

    def test_looking_needs_no_right_to_write(self):
        """list and show work where nothing can be written, also while the catalog is in use"""
        bkp = self.new_bkp('shop')
        bkp.ok('dump')
        os.chmod(bkp.catalog_file, 0o400)
        os.chmod(bkp.directory, 0o500)
        try:
            self.assertEqual(len(bkp.list()), 1)
            bkp.ok('show', 'latest')
            self.told(bkp.run('dump'), 1, 'cannot open the catalog')
        finally:
            os.chmod(bkp.directory, 0o700)
            os.chmod(bkp.catalog_file, 0o600)
        bkp.ok('dump')

    def test_a_storage_that_came_later(self):
        """older backups are absent from a storage that was added: a note, no damage"""
        bkp = self.new_bkp('shop')
        bkp.ok('dump')
        bkp.add_s3('r2', self.rgw)
        result = bkp.json('verify', '--all')[0]
        self.assertEqual({c['storage']: c['state'] for c in result['checks']},
                         {'local': 'GOOD', 'r2': 'ABSENT'})
        self.assertEqual(result['status'], 'VERIFIED')
        self.assertEqual(bkp.open_alerts(), [])
        bkp.ok('dump')
        for name in bkp.objects('r2'):
            if 'backup_' in name:
                self.rgw.client.delete(bkp.buckets['r2'][1], name)
        self.assertEqual(bkp.run('verify', '--all').code, 4)

    def test_migrate(self):
        """migrate says which version the catalog has"""
        bkp = self.new_bkp('shop')
        told = bkp.json('catalog', 'migrate')
        self.assertEqual(told['before'], told['version'])


if __name__ == '__main__':
    main()
