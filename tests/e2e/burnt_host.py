#!/usr/bin/python3
"""The host has burnt: one storage and the key file bring everything back on another one."""

import shutil

from harness import Bkp, Story, main
from servers import make_directory


class NewHost(Bkp):
    """A directory with nothing in it but the key file."""

    def __init__(self, story, directory, key, cluster='shop'):
        self.story, self.cluster = story, cluster
        self.directory = make_directory(directory)
        self.config = self.directory / 'bkp.toml'
        self.catalog_file = self.directory / 'catalog.db'
        self.local = self.directory / 'local'
        self.secrets, self.buckets, self.transcript = [], {}, []
        self.write(self.directory / 'found-keys.toml', key)


class BurntHost(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=1)

    def burn(self, old):
        """What is left of a host: the key file's text, and what is in its storages."""
        key = (old.directory / 'keys.toml').read_text(encoding='utf-8')
        for path in old.directory.iterdir():
            if path.is_dir() and path != old.local:
                shutil.rmtree(path)
            elif not path.is_dir():
                path.unlink()
        return key

    def new_host(self, name, key):
        host = NewHost(self, self.place / f'{self._testMethodName[:40]}-{name}', key)
        self.bkps.append(host)
        return host

    def bucket_words(self, bucket):
        return ['--bucket', bucket, '--endpoint', f'http://127.0.0.1:{self.rgw.port}',
                '--access-key-env', 'FOUND_KEY', '--secret-key-env', 'FOUND_SECRET']

    def found(self):
        return {'FOUND_KEY': self.rgw.ACCESS_KEY, 'FOUND_SECRET': self.rgw.SECRET_KEY}

    def adopt(self, host, *words, **more):
        return host.run('init', '--adopt', '--key-file', host.directory / 'found-keys.toml', '--conninfo',
                        self.postgres.conninfo('shop'), *words, **more)

    def burnt(self):
        old = self.new_bkp('shop', clouds=['r2', 'b2'])
        old.ok('dump', '--note', 'before the fire')
        old.ok('hold', 'latest', '--reason', 'kept')
        old.ok('dump')
        known = sorted((b['id'], b['checksum'], b['note'], b['held']) for b in old.whole())
        return old, known, self.burn(old)

    def check(self, host, known, storage):
        self.assertEqual(sorted((b['id'], b['checksum'], b['note'], b['held'])
                                for b in host.whole()), known)
        into = self.dropped_afterwards(f'from_{storage}')
        restored = host.json('restore', 'latest', '--into', into)
        self.assertEqual(restored['source_storage'], storage)
        self.assertEqual(self.postgres.sql('SELECT count(*), sum(length(text)) FROM filler', into),
                         self.postgres.sql('SELECT count(*), sum(length(text)) FROM filler', 'shop'))

    def test_from_each_storage(self):
        """each of three storages alone, with the key file, gives the list and a proved restore"""
        old, known, key = self.burnt()
        away = old.directory / 'away'
        for storage in ('r2', 'b2'):
            old.local.rename(away)
            host = self.new_host(storage, key)
            host.secrets = [self.rgw.SECRET_KEY]
            bucket = old.buckets[storage][1]
            result = self.adopt(host, *self.bucket_words(bucket), **self.found())
            self.assertEqual(result.code, 0, f'\n{result}')
            text = host.config.read_text(encoding='utf-8')
            for name in ('local', 'r2', 'b2'):  # all are written down, one of them to be used
                self.assertIn(f'name = "{name}"', text)
            self.check(host, known, storage)
            # The keys are in the file of secrets now, and nowhere else.
            secrets = host.directory / 'secrets.env'
            self.assertIn(self.rgw.SECRET_KEY, secrets.read_text(encoding='utf-8'))
            self.assertEqual(secrets.stat().st_mode & 0o777, 0o600)
            self.assertNotIn(self.rgw.SECRET_KEY, text)
            away.rename(old.local)
        host = self.new_host('local', key)
        result = self.adopt(host, '--local', old.local)
        self.assertEqual(result.code, 0, f'\n{result}')
        self.check(host, known, 'local')
        host.local = old.local
        host.ok('dump')
        host.ok('verify', '--all')

    def test_the_other_storages_come_back(self):
        """with its variables filled and its '#' taken out another storage is whole at once"""
        old, known, key = self.burnt()
        host = self.new_host('second', key)
        host.local = old.local
        self.assertEqual(self.adopt(host, '--local', old.local).code, 0)
        self.assertIn('R2_ACCESS_KEY_ID', host.config.read_text(encoding='utf-8'))
        secrets = host.directory / 'secrets.env'
        host.write(secrets, secrets.read_text(encoding='utf-8') +
                   f'R2_ACCESS_KEY_ID={self.rgw.ACCESS_KEY}\nR2_SECRET_ACCESS_KEY={self.rgw.SECRET_KEY}\n')
        lines, inside = [], False
        for line in host.config.read_text(encoding='utf-8').splitlines():
            inside = line.startswith('# Put R2_') or (inside and line.startswith('#'))
            lines.append(line[2:] if inside and not line.startswith('# Put') else line)
        host.write(host.config, '\n'.join(lines) + '\n')
        host.ok('init')
        host.ok('list', '--refresh')
        self.assertEqual([c['storage'] for c in host.whole()[0]['copies'] if c['state'] == 'GOOD'],
                         ['local', 'r2'])
        host.ok('verify', '--all')
        self.assertEqual(len(known), len(host.whole()))

    def test_several_clusters(self):
        """of several clusters in a storage one must be named; nothing is written before"""
        old, known, key = self.burnt()
        other = self.new_bkp('shop', cluster='other', local=old.local)
        other.ok('dump')
        host = self.new_host('several', key)
        self.told(self.adopt(host, '--local', old.local), 2, 'holds 2 clusters', 'other', 'shop',
                  hint='--cluster')
        self.assertEqual([path.name for path in host.directory.iterdir()], ['found-keys.toml'])
        self.told(self.adopt(host, '--local', old.local, '--cluster', 'none'), 2, "no cluster 'none'")
        # The key file of one does not open the other.
        self.told(self.adopt(host, '--local', old.local, '--cluster', 'other'), 1, 'key')
        self.assertEqual([path.name for path in host.directory.iterdir()], ['found-keys.toml'])
        self.assertEqual(self.adopt(host, '--local', old.local, '--cluster', 'shop').code, 0)
        self.assertEqual(len(host.whole()), len(known))
        self.told(self.adopt(host, '--local', old.local), 2, 'a configuration already',
                  hint='catalog rebuild')

    def test_what_is_missing_is_said(self):
        """no storage, no key, an empty place: told, and nothing is written"""
        key = (self.new_bkp('shop').directory / 'keys.toml').read_text(encoding='utf-8')
        host = self.new_host('nothing', key)
        empty = make_directory(host.directory / 'empty')
        before = sorted(path.name for path in host.directory.iterdir())
        self.told(self.adopt(host), 2, 'needs one storage')
        self.told(self.adopt(host, '--local', empty), 2, 'holds no cluster')
        self.told(host.run('init', '--adopt', '--local', empty), 2, 'needs --key-file')
        self.told(self.adopt(host, *self.bucket_words('no-such-bucket')), 2, 'FOUND_')
        self.told(host.run('init', '--bucket', 'x'), 2, "with '--adopt'")
        self.assertEqual(sorted(path.name for path in host.directory.iterdir()), before)


if __name__ == '__main__':
    main()
