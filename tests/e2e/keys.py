#!/usr/bin/python3
"""Keys rotate, stand by, are retired and carried about, and every old backup stays readable."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import tomllib

from harness import OPTIONS, SOURCE, Story, main
from servers import wait_until

TARGET = 'target'
BLOCKS = {' ': (0, 0), '▀': (1, 0), '▄': (0, 1), '█': (1, 1)}


class Keys(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=2)

    # --- what is there

    def keys(self, bkp):
        """The keys of the key file, by id; their secrets are watched for from then on."""
        found = tomllib.loads((bkp.directory / 'keys.toml').read_text(encoding='utf-8'))['key']
        bkp.secrets += [key['secret'] for key in found if key['secret'] not in bkp.secrets]
        return {key['id']: key for key in found}

    def active(self, bkp):
        return next(i for i, key in self.keys(bkp).items() if key['state'] == 'active')

    def rotate(self, bkp, *argv, **options):
        bkp.ok('key', 'rotate', *argv, **options)
        return self.active(bkp)

    def keep_only(self, bkp, key_id):
        """The key file with one key, the active one."""
        key = self.keys(bkp)[key_id]
        bkp.write(bkp.directory / 'keys.toml', '[[key]]\n' + ''.join(
            f'{name} = "{value}"\n' for name, value in (key | {'state': 'active'}).items()))

    def content(self, bkp, name, storage='local'):
        if storage == 'local':
            return (bkp.local / name).read_bytes()
        client, bucket = bkp.buckets[storage]
        return client.get(bucket, name)

    def manifests(self, bkp, storage='local'):
        return {name: json.loads(self.content(bkp, name, storage))
                for name in bkp.objects(storage) if name.endswith('.manifest.json')}

    def slots(self, bkp, storage='local'):
        """[(keys of the manifest, keys of each object)…]"""
        return [({slot['key_id'] for slot in manifest['slots']},
                 [{slot['key_id'] for slot in o['slots']} for o in manifest['objects']])
                for manifest in self.manifests(bkp, storage).values()]

    def assert_restores(self, bkp, backup):
        bkp.ok('restore', backup['id'], '--into', self.dropped_afterwards(TARGET))
        self.postgres.sql(f'DROP DATABASE {TARGET}')

    # --- rotation

    def test_rotation(self):
        """rotation: new backups take the new key, old ones go on opening; hosts are named"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        first, old = self.active(bkp), bkp.json('dump')[0]
        cluster = bkp.local / 'shop' / 'cluster.json'
        known = json.loads(cluster.read_text())
        bkp.write(cluster, json.dumps(known | {'hosts': known['hosts'] + ['db2', 'db3']}))
        rotated = bkp.json('key', 'rotate')
        self.assertEqual(rotated['hosts'], ['db2', 'db3'])
        second = self.active(bkp)
        self.assertNotEqual(first, second)
        self.assertEqual(self.keys(bkp)[first]['state'], 'standby')
        new = bkp.json('dump')[0]
        self.assertEqual({frozenset(keys) for keys, _ in self.slots(bkp)},
                         {frozenset({first}), frozenset({second})})
        for backup in (old, new):
            bkp.ok('verify', backup['id'], '--deep')
            self.assert_restores(bkp, backup)
        told = bkp.ok('key', 'rotate').out
        self.assertRegex(told, 'need the key file too.*: db2, db3')
        self.assertIn('bkp key rewrap', told)

    def test_later(self):
        """rotate --later adds a key that stands by; rotate --activate makes it the active one"""
        bkp = self.new_bkp('shop')
        first = self.active(bkp)
        bkp.ok('key', 'rotate', '--later')
        self.assertEqual(self.active(bkp), first)
        standby = next(i for i, k in self.keys(bkp).items() if k['state'] == 'standby')
        self.told(bkp.run('key', 'rotate', '--activate', 'ffff'), 2, "no key 'ffff'")
        self.told(bkp.run('key', 'rotate', '--activate'), 2, 'needs KEY')
        bkp.ok('key', 'rotate', '--activate', standby[:8])
        self.assertEqual(self.active(bkp), standby)
        self.assertEqual({k['state'] for k in self.keys(bkp).values()}, {'active', 'standby'})

    def test_rewrap(self):
        """rewrap: old backups open by the new key alone; no data is touched; again does nothing"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        old = bkp.json('dump')[0]
        data = {s: self.content(bkp, bkp.path(old, s), s) for s in ('local', 'r2')}
        first = self.active(bkp)
        second = self.rotate(bkp)
        self.assertEqual(bkp.json('key', 'rewrap', '--dry-run'),
                         {'backups': 1, 'changed': 1, 'written': 0, 'problems': []})
        self.assertEqual(self.slots(bkp), [({first}, [{first}])])
        self.assertEqual(bkp.json('key', 'rewrap'),
                         {'backups': 1, 'changed': 1, 'written': 2, 'problems': []})
        for storage in ('local', 'r2'):
            self.assertEqual(self.content(bkp, bkp.path(old, storage), storage), data[storage])
            self.assertEqual(self.slots(bkp, storage), [({first, second}, [{first, second}])])
        self.assertEqual(self.manifests(bkp), self.manifests(bkp, 'r2'))
        self.assertEqual(bkp.json('key', 'rewrap')['written'], 0)
        bkp.ok('verify', old['id'], '--deep')
        self.assert_restores(bkp, old)
        self.keep_only(bkp, second)
        bkp.ok('verify', old['id'], '--deep')
        self.assert_restores(bkp, old)
        self.keep_only(bkp, second)  # and the old one alone still opens, too
        third = self.rotate(bkp, '--rewrap')
        self.assertEqual(self.slots(bkp), [({first, second, third}, [{first, second, third}])])

    def test_rewrap_of_a_cut_off_storage(self):
        """rewrap while a storage is away: exit 3, no copy is called damaged, the next run heals"""
        bkp = self.new_bkp('shop')
        proxy = self.new_proxy()
        bkp.add_s3('r2', self.rgw, port=proxy.port)
        backup = bkp.json('dump')[0]
        second = self.rotate(bkp)
        proxy.mode('refuse-all:403')
        result = bkp.run('key', 'rewrap')
        self.told(result, 3, "'r2'", "run 'bkp key rewrap' again")
        proxy.mode('pass')
        self.assertNotEqual(self.slots(bkp), self.slots(bkp, 'r2'))
        bkp.ok('verify', backup['id'], '--deep')
        for storage in ('local', 'r2'):
            bkp.edit('^#? ?read_order = .*', f'read_order = ["{storage}"]')
            self.assert_restores(bkp, backup)
        bkp.ok('key', 'rewrap')
        self.assertEqual(self.manifests(bkp), self.manifests(bkp, 'r2'))
        self.keep_only(bkp, second)
        bkp.ok('verify', backup['id'], '--deep')

    def test_rewrap_killed(self):
        """rewrap killed at random moments: every copy opens by the old key and by the new one"""
        bkp = self.new_bkp('postgres', clouds=['r2'])
        for _ in range(6):
            bkp.ok('dump')
        first = self.active(bkp)
        for number in range(OPTIONS.rounds or 5):
            with self.subTest(round=number):
                self.rotate(bkp)
                running = bkp.start('key', 'rewrap')
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.process.wait(self.random.uniform(0.02, 0.4))
                running.kill()
                running.wait()
                whole = (bkp.directory / 'keys.toml').read_text(encoding='utf-8')
                bkp.ok('verify', '--all')
                self.keep_only(bkp, first)
                bkp.ok('verify', '--all')
                bkp.write(bkp.directory / 'keys.toml', whole)
        bkp.ok('key', 'rewrap')
        self.assertEqual(self.manifests(bkp), self.manifests(bkp, 'r2'))
        self.keep_only(bkp, self.active(bkp))
        bkp.ok('verify', '--all', '--deep')

    # --- retirement

    def test_retire(self):
        """retire: refused while a backup needs the key in any storage; then allowed"""
        bkp = self.new_bkp('shop')
        proxy = self.new_proxy()
        bkp.add_s3('r2', self.rgw, port=proxy.port)
        backup = bkp.json('dump')[0]
        first = self.active(bkp)
        self.told(bkp.run('key', 'retire', first), 2, 'is the active one', hint='key rotate')
        second = self.rotate(bkp)
        self.told(bkp.run('key', 'retire', first), 1, 'is needed', 'open by no other',
                  hint='key rewrap')
        proxy.mode('refuse-all:403')
        self.assertEqual(bkp.run('key', 'rewrap').code, 3)
        self.told(bkp.run('key', 'retire', first), 1, 'cannot be told', "'r2'")
        proxy.mode('pass')
        self.told(bkp.run('key', 'retire', first), 1, 'is needed', "in 'r2'")
        bkp.ok('key', 'rewrap')
        bkp.ok('key', 'retire', first, '--dry-run')
        self.assertEqual(self.keys(bkp)[first]['state'], 'standby')
        bkp.ok('key', 'retire', first[:8])
        self.assertEqual(self.keys(bkp)[first]['state'], 'retired')
        bkp.ok('verify', backup['id'], '--deep')
        self.assert_restores(bkp, backup)
        self.told(bkp.run('key', 'rotate', '--activate', first), 2, 'is retired')
        self.told(bkp.run('key', 'retire', first, '--remove'), 2, '--yes')
        bkp.ok('key', 'retire', first, '--remove', '--yes')
        self.assertEqual(set(self.keys(bkp)), {second})
        self.assert_restores(bkp, backup)

    def test_retire_counts_what_the_catalog_forgot(self):
        """retire is refused for a backup that only a storage knows, and while one is being written"""
        bkp = self.new_bkp('shop')
        bkp.ok('dump')
        first = self.active(bkp)
        self.rotate(bkp)
        with contextlib.closing(sqlite3.connect(bkp.catalog_file)) as database, database:
            database.execute('DELETE FROM copies')
            database.execute('DELETE FROM backups')
        self.assertEqual(bkp.list(), [])
        self.told(bkp.run('key', 'retire', first), 1, 'is needed')
        bkp.ok('key', 'rewrap')
        with self.locked_table():
            running = bkp.start('dump')
            wait_until(lambda: running.ended() or running.children('pg_dump'), 'pg_dump')
            self.told(bkp.run('key', 'retire', first), 5, 'bkp dump')
        running.wait()
        stem = next(name for name in bkp.objects() if '.manifest.' in name).rsplit('_', 1)[0]
        elsewhere = bkp.local / f'{stem}_ffffffff.inprogress.json'  # by another host
        bkp.write(elsewhere, '{}')
        self.told(bkp.run('key', 'retire', first), 1, 'is being written')
        elsewhere.unlink()
        bkp.ok('key', 'retire', first)

    def test_retire_counts_objects_without_manifest(self):
        """retire is refused while an object without a manifest, a WAL segment, needs the key"""
        bkp = self.new_bkp('shop')
        known = SOURCE / 'tests' / 'data' / 'container'
        other = bkp.directory / 'other.toml'
        bkp.write(other, (known / 'keys.toml').read_text(encoding='utf-8'))
        key_id = next(k['id'] for k in tomllib.loads(other.read_text())['key']
                      if k['state'] == 'active')
        bkp.ok('key', 'import', other)
        name = bkp.local / 'shop/wal/15-7301234567890123456/00000001/000000010000000000000003.zst.enc'
        name.parent.mkdir(parents=True)
        shutil.copy(known / 'wal.bin', name)
        for path in [name, *list(name.parents)[:4]]:
            shutil.chown(path, bkp.local.stat().st_uid, bkp.local.stat().st_gid)
        self.told(bkp.run('key', 'retire', key_id), 1, 'is needed', '000000010000000000000003')
        name.unlink()
        bkp.ok('key', 'retire', key_id)

    # --- escrow

    def test_escrow(self):
        """also_for: a key file with the escrow key alone restores; unknown ids are refused"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        early = bkp.json('dump')[0]
        bkp.ok('key', 'rotate', '--later')
        escrow = next(i for i, k in self.keys(bkp).items() if k['state'] == 'standby')
        whole = (bkp.directory / 'keys.toml').read_text(encoding='utf-8')
        bkp.edit('^# also_for = .*', f'also_for = ["{escrow}"]')
        late = bkp.json('dump')[0]
        self.keep_only(bkp, escrow)
        self.assert_restores(bkp, late)
        self.told(bkp.run('restore', early['id'], '--into', 'never'), 1,
                           'is sealed for key', 'which is not in the key file', hint='key import')
        bkp.write(bkp.directory / 'keys.toml', whole)
        bkp.ok('key', 'rewrap')
        self.told(bkp.run('key', 'retire', escrow), 2, 'escrow key')
        self.keep_only(bkp, escrow)
        self.assert_restores(bkp, early)
        bkp.write(bkp.directory / 'keys.toml', whole)
        bkp.edit('^also_for = .*', 'also_for = ["11111111-2222-4333-8444-555555555555"]')
        for command in (['dump'], ['key', 'rewrap']):
            self.told(bkp.run(*command), 2, "also_for names key '11111111-", hint='key import')
        self.assertRegex(bkp.run('doctor', '--problems').out, 'FAIL  key file: also_for names key')
        bkp.ok('restore', late['id'], '--into', self.dropped_afterwards(TARGET))
        bkp.edit('^also_for = .*', 'also_for = ["mine"]')
        self.told(bkp.run('list'), 2, "also_for: 'mine' is not the id of a key")

    # --- carried about

    def test_export_and_import(self):
        """export writes a key file that import takes; neither tells a secret or loses a key"""
        bkp = self.new_bkp('shop')
        backup = bkp.json('dump')[0]
        self.told(bkp.run('key', 'export'), 2, 'not written to a pipe', hint='--output FILE')
        first = self.active(bkp)
        second = self.rotate(bkp)
        paper = bkp.directory / 'paper.toml'
        bkp.ok('key', 'export', '--output', paper)
        self.assertEqual(paper.stat().st_mode & 0o777, 0o600)
        self.told(bkp.run('key', 'export', '--output', paper), 2, 'is there already')
        bkp.ok('key', 'import', paper)  # all there already
        self.assertEqual(set(self.keys(bkp)), {first, second})
        (bkp.directory / 'keys.toml').unlink()
        bkp.ok('key', 'import', paper)
        self.assertEqual(self.active(bkp), second)
        self.assert_restores(bkp, backup)
        # One key alone is a whole key file.
        one = bkp.directory / 'one.toml'
        bkp.ok('key', 'export', first, '--output', one)
        (bkp.directory / 'keys.toml').unlink()
        bkp.ok('key', 'import', one)
        self.assert_restores(bkp, backup)
        bkp.ok('key', 'import', paper, '--activate')
        self.assertEqual(self.active(bkp), second)
        # By way of a pipe.
        piped = bkp.start('key', 'export', '--yes')
        bkp.secrets, kept = [], bkp.secrets
        text = piped.wait().out
        bkp.secrets = kept
        (bkp.directory / 'keys.toml').unlink()
        read, write = os.pipe()
        os.write(write, text.encode())
        os.close(write)
        bkp.ok('key', 'import', '-', stdin=read)
        os.close(read)
        self.assertEqual(set(self.keys(bkp)), {first, second})

    def test_import_refuses(self):
        """import refuses another secret under a known id, files that others can read, and rubbish"""
        bkp = self.new_bkp('shop')
        before = (bkp.directory / 'keys.toml').read_text(encoding='utf-8')
        other = bkp.directory / 'other.toml'
        secret = self.keys(bkp)[self.active(bkp)]['secret']
        bkp.write(other, before.replace(secret, 'A' * 43 + '='))
        self.told(bkp.run('key', 'import', other), 2, 'with another secret')
        bkp.write(other, before, mode=0o644)
        self.told(bkp.run('key', 'import', other), 2, 'others can use', hint='chmod 600')
        bkp.write(other, 'rubbish')
        self.told(bkp.run('key', 'import', other), 2, 'not TOML')
        bkp.write(other, '')
        self.told(bkp.run('key', 'import', other), 2, 'there is no key')
        self.assertEqual((bkp.directory / 'keys.toml').read_text(encoding='utf-8'), before)

    def test_qr(self):
        """export --qr: what a scanner reads is a key file"""
        bkp = self.new_bkp('shop')
        self.rotate(bkp)
        paper = bkp.directory / 'paper.txt'
        bkp.ok('key', 'export', '--qr', '--output', paper)
        read = {}
        for part in paper.read_text(encoding='utf-8').split('key ')[1:]:
            title, *lines = part.rstrip('\n').split('\n')
            width = max(map(len, lines))
            rows = [[BLOCKS[c][half] for c in line.ljust(width)] for line in lines for half in (0, 1)]
            scale = 4
            image = bkp.directory / 'code.pgm'
            pixels = bytes(0 if dark else 255 for row in rows for _ in range(scale)
                           for dark in row for _ in range(scale))
            image.write_bytes(f'P5 {width * scale} {len(rows) * scale} 255\n'.encode() + pixels)
            text = subprocess.run(['zbarimg', '--raw', '-q', image], capture_output=True,
                                  check=True).stdout.decode()
            key, = tomllib.loads(text)['key']
            self.assertEqual(key['id'], title)
            read[key['id']] = key
        self.assertEqual(read, self.keys(bkp))

    # --- nothing is lost

    def test_the_key_file_survives(self):
        """key commands killed at random moments: the old file or the new one is there, whole"""
        bkp = self.new_bkp('shop')
        known = set(self.keys(bkp))
        for number in range(OPTIONS.rounds or 25):
            with self.subTest(round=number):
                running = bkp.start('key', 'rotate', '--key-file', bkp.directory / 'keys.toml')
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.process.wait(self.random.uniform(0, 0.05))
                running.kill()
                code = running.wait().code
                now = set(self.keys(bkp))
                self.assertLessEqual(known, now)
                self.assertLessEqual(len(now - known), 1)
                if code == 0:
                    self.assertEqual(len(now - known), 1)
                known = now
        bkp.ok('key', 'rotate')
        self.assertEqual([p.name for p in bkp.directory.glob('keys.toml*')], ['keys.toml'])
        self.assertEqual((bkp.directory / 'keys.toml').stat().st_mode & 0o777, 0o600)

    def test_two_at_once(self):
        """key commands at once: no key is lost"""
        bkp = self.new_bkp('shop')
        running = [bkp.start('key', 'rotate', '--later') for _ in range(6)]
        for each in running:
            self.assertEqual(each.wait().code, 0)
        self.assertEqual(len(self.keys(bkp)), 7)

    def test_a_linked_key_file(self):
        """a key file that is a symbolic link stays one"""
        bkp = self.new_bkp('shop')
        path, real = bkp.directory / 'keys.toml', bkp.directory / 'real.toml'
        path.rename(real)
        path.symlink_to(real)
        bkp.ok('key', 'rotate')
        self.assertTrue(path.is_symlink())
        self.assertEqual(len(self.keys(bkp)), 2)

    def test_a_lost_or_wrong_key_file(self):
        """a lost key file is not replaced by an unrelated key; doctor and cat tell which is needed"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        backup = bkp.json('dump')[0]
        first = self.active(bkp)
        path, away = bkp.directory / 'keys.toml', bkp.directory / 'away.toml'
        path.rename(away)
        self.told(bkp.run('key', 'generate'), 2, 'the catalog knows backups', hint='key import')
        bkp.edit('^url = .*', f'url = "sqlite:{bkp.directory / "empty.db"}"')
        self.told(bkp.run('key', 'generate'), 2, "storage 'local' holds backups", hint='key import')
        self.assertFalse(path.exists())
        bkp.ok('key', 'generate', '--key-file', path)
        bkp.edit('^url = .*', f'url = "sqlite:{bkp.catalog_file}"')
        self.keys(bkp)
        told = bkp.ends(1, 'doctor', '--problems').out
        for storage in ('local', 'r2'):
            self.assertRegex(told, f"FAIL  storage '{storage}': the newest backup of type "
                                   f"FULL_DATABASE does not open: it is sealed for key '{first}'")
        self.told(bkp.run('cat', 'latest'), 1, f"it is sealed for key '{first}'", str(path),
                  hint='bkp key import FILE')
        bkp.ok('key', 'import', away)
        bkp.ok('cat', 'latest')
        bkp.ok('doctor')
        self.assert_restores(bkp, backup)

    def test_an_old_key(self):
        """doctor tells when the active key is older than 90 days"""
        bkp = self.new_bkp('shop')
        key = self.keys(bkp)[self.active(bkp)]
        text = (bkp.directory / 'keys.toml').read_text(encoding='utf-8')
        bkp.write(bkp.directory / 'keys.toml',
                  text.replace(key['created_at'], '2026-01-01T00:00:00Z'))
        told = bkp.ok('doctor', '--problems').out
        self.assertRegex(told, 'WARN  key file: the active key .* old')
        self.assertIn('bkp key rotate --rewrap', told)
        bkp.ok('key', 'rotate', '--rewrap')
        self.assertNotIn('WARN  key file', bkp.ok('doctor', '--problems').out)


if __name__ == '__main__':
    main()
