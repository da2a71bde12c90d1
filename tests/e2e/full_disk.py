#!/usr/bin/python3
"""A disk is full: told where and how full, freed on purpose, and nothing that was there is lost."""

import contextlib
import subprocess

from harness import Story, main
from servers import OWNER, make_directory


class FullDisk(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=2)

    @contextlib.contextmanager
    def small_disk(self, size):
        place = make_directory(self.place / f'disk-{self._testMethodName[:30]}')
        mounted = subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', f'size={size},mode=700,uid={OWNER.pw_uid},gid={OWNER.pw_gid}',
             'tmpfs', place], capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest('cannot mount a small file system here: ' + mounted.stderr.decode())
        try:
            yield place
        finally:
            subprocess.run(['umount', '-l', place], check=True)

    def fill(self, disk):
        with contextlib.suppress(OSError), open(disk / 'filler', 'wb', buffering=0) as filler:
            while True:
                filler.write(b'x' * 4096)
        return disk / 'filler'

    def local_status(self, bkp):
        return next(s for s in bkp.json('status')['storages'] if s['name'] == 'local')

    def test_a_full_storage_is_seen_and_freed(self):
        """dumps go on elsewhere, status shows the full disk, rm --storage frees it, dumps use it"""
        with self.small_disk('6m') as disk:
            bkp = self.new_bkp('shop', clouds=['r2'], local=disk / 'store')
            first = bkp.json('dump')[0]
            self.assertEqual(self.local_status(bkp)['backups'], 1)
            while (last := bkp.run('dump')).code == 0:
                pass
            self.told(last, 3, "no copy in 'local'", 'No space left')
            status = bkp.json('status')
            local = self.local_status(bkp)
            self.assertLess(local['available_bytes'], first['size_bytes'])
            self.assertEqual(local['used_bytes'] + local['available_bytes'], local['capacity_bytes'])
            self.assertEqual([a['type'] for a in status['alerts']], ['COPY_MISSING'])
            self.assertEqual(status['backups'][0]['database'], 'shop')
            self.assertIn('local', bkp.ok('status').out)
            bkp.ok('rm', first['id'], '--storage', 'local', '--yes')
            self.assertGreater(self.local_status(bkp)['available_bytes'], first['size_bytes'])
            bkp.ok('dump')
            self.assertEqual(bkp.open_alerts(), [])
            self.assertEqual(bkp.run('verify', '--all').code, 3)  # the copy that did not fit
            self.assertEqual(bkp.json('restore', first['id'], '--into',
                                      self.dropped_afterwards('freed'))['source_storage'], 'r2')

    def test_a_storage_alone_and_full(self):
        """with no other storage a dump fails, leaves nothing, and says what is full"""
        with self.small_disk('3m') as disk:
            bkp = self.new_bkp('shop', local=disk / 'store')
            while (last := bkp.run('dump')).code == 0:
                pass
            self.told(last, 1, 'No space left')
            bkp.assert_only_whole_backups_are_stored(copies=1)
            self.assertEqual(bkp.list()[0]['status'], 'FAILED')
            bkp.ok('verify', '--all')

    def test_a_full_catalog_loses_nothing(self):
        """with no room for the catalog, looking works, rm removes nothing, and no backup is lost"""
        with self.small_disk('3m') as disk:
            bkp = self.new_bkp('shop', clouds=['r2'])
            bkp.catalog_file = disk / 'catalog.db'
            bkp.edit('^url = .*', f'url = "sqlite:{bkp.catalog_file}"')
            bkp.ok('init')
            first = bkp.json('dump')[0]
            bkp.ok('dump')
            before = bkp.objects() + bkp.objects('r2')
            filler = self.fill(disk)
            for words in (['dump'], ['rm', first['id'], '--yes'], ['hold', first['id']]):
                self.told(bkp.run(*words), 1, 'cannot write the catalog', hint='free space')
            self.assertEqual(bkp.objects() + bkp.objects('r2'), before)
            self.assertEqual(len(bkp.list()), 2)
            bkp.ok('status')
            filler.unlink()
            bkp.ok('rm', first['id'], '--yes')
            bkp.ok('dump')
            self.assertEqual(len(bkp.whole()), 2)
            bkp.assert_only_whole_backups_are_stored(copies=2)

    def test_a_rebuild_without_room(self):
        """a rebuild that finds no room leaves the damaged catalog as it was"""
        with self.small_disk('1m') as disk:
            bkp = self.new_bkp('shop')
            bkp.catalog_file = disk / 'catalog.db'
            bkp.edit('^url = .*', f'url = "sqlite:{bkp.catalog_file}"')
            bkp.ok('init')
            bkp.ok('dump')
            bkp.write(bkp.catalog_file, 'x' * 3000)
            filler = self.fill(disk)
            self.told(bkp.run('catalog', 'rebuild'), 1, 'full', hint='free space')
            self.assertEqual(bkp.catalog_file.read_text(encoding='utf-8'), 'x' * 3000)
            self.assertEqual([p.name for p in disk.iterdir() if '.rebuilt' in p.name], [])
            filler.unlink()
            bkp.ok('catalog', 'rebuild')
            self.assertEqual(len(bkp.whole()), 1)


if __name__ == '__main__':
    main()
