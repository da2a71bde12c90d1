#!/usr/bin/python3
"""Files of an older system, Fernet around gzip around a dump, are read and restored."""

import base64
import gzip
import os
import pathlib
import subprocess

from cryptography.fernet import Fernet

from harness import OPTIONS, Story, main

TARGET = 'target'


class FernetFiles(Story):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=3)
        cls.key = Fernet.generate_key()
        cls.archive = cls.postgres.client('pg_dump', '-Fc', database='shop', text=False)
        cls.script = cls.postgres.client('pg_dump', database='shop', text=False)

    def file(self, bkp, plain, pack=True, name='old.enc'):
        path = bkp.directory / name
        token = Fernet(self.key).encrypt(gzip.compress(plain) if pack else plain)
        path.write_bytes(token)
        path.chmod(0o644)
        bkp.secrets.append(self.key.decode())
        return path

    def read(self, bkp, *argv, key=None, **options):
        return bkp.run(*argv, '--fernet-key-env', 'OLD_KEY', OLD_KEY=(key or self.key).decode(),
                       **options)

    def restore(self, bkp, path, **options):
        return self.read(bkp, 'restore', '--from-file', path, '--into', TARGET, **options)

    def assert_restored(self):
        self.assertEqual(self.postgres.schema_of(TARGET), self.postgres.schema_of('shop'))
        rows = 'SELECT count(*), sum(hashtext(t::text)) FROM filler t'
        self.assertEqual(self.postgres.sql(rows, TARGET), self.postgres.sql(rows, 'shop'))
        self.postgres.sql(f'DROP DATABASE {TARGET}')

    def test_archive_and_script(self):
        """an archive and plain SQL restore whole; the record says that rows are not proved"""
        bkp = self.new_bkp('postgres')
        self.dropped_afterwards(TARGET)
        for form, plain in (('archive', self.archive), ('sql', self.script)):
            with self.subTest(form=form):
                result = self.restore(bkp, self.file(bkp, plain))
                self.told(result, 0, 'rows are not proved')
                self.assert_restored()
                record, = bkp.catalog('SELECT * FROM restores ORDER BY started_at DESC LIMIT 1')
                self.assertEqual((record['mode'], record['outcome'], record['backup_id'],
                                  record['bytes_restored']),
                                 ('file', 'DONE', 'old.enc', len(plain)))
                self.assertIn('"rows_proved":false', record['details'])
                self.assertIn(f'"form":"{form}"', record['details'])

    def test_cat(self):
        """cat gives exactly what was encrypted; the key may be in a file; its text may be either"""
        bkp = self.new_bkp('postgres')
        path = self.file(bkp, self.archive)
        self.assertEqual(self.read(bkp, 'cat', '--from-file', path).raw, self.archive)
        standard = base64.b64encode(base64.urlsafe_b64decode(self.key))
        self.assertEqual(self.read(bkp, 'cat', '--from-file', path, key=standard).raw, self.archive)
        key_file = bkp.directory / 'old.key'
        bkp.write(key_file, self.key.decode() + '\n')
        result = bkp.ok('cat', '--from-file', path, '--fernet-key-file', key_file)
        self.assertEqual(result.raw, self.archive)
        key_file.chmod(0o644)
        self.told(bkp.run('cat', '--from-file', path, '--fernet-key-file', key_file), 2, 'others')
        path = self.file(bkp, b'not packed\n', pack=False)
        self.assertEqual(self.read(bkp, 'cat', '--from-file', path).raw, b'not packed\n')

    def test_damage(self):
        """a wrong key, a cut file, a changed one, and no such file are told apart; nothing restores"""
        bkp = self.new_bkp('postgres')
        path = self.file(bkp, self.archive)
        token = path.read_bytes()
        middle = len(token) // 8 * 4

        def changed(at):
            return token[:at] + (b'B' if token[at:at + 1] == b'A' else b'A') + token[at + 1:]

        self.told(self.restore(bkp, path, key=Fernet.generate_key()), 1, 'does not open by this key')
        self.told(bkp.run('cat', '--from-file', path), 2, 'needs a key')
        self.told(bkp.run('cat', '--from-file', path, '--fernet-key-env', 'NONE'), 2, "'NONE'")
        self.told(self.read(bkp, 'cat', '--from-file', path, key=b'rubbish'), 2, 'not a Fernet key')
        self.told(self.read(bkp, 'cat', 'latest', '--from-file', path), 2, 'instead of a backup')
        for content, code, words in (
                (b'', 4, 'is empty'), (b'PGDMP' * 40, 1, 'no Fernet token'),
                (token[:middle + 1], 4, 'cut short'), (token[:middle], 4, 'cut short'),
                (token[:200], 4, 'cut short'), (changed(middle), 4, 'its HMAC is wrong'),
                (changed(len(token) - 20), 4, 'its HMAC is wrong'),
                (token[:middle] + b'!' + token[middle + 1:], 4, 'no base64')):
            path.write_bytes(content)
            with self.subTest(words=words):
                for command in (['cat'], ['restore', '--into', TARGET]):
                    result = self.read(bkp, *command, '--from-file', path)
                    self.told(result, code, words)
                    self.assertEqual(result.raw, b'')
                self.assertNotIn(TARGET, self.postgres.databases())
        self.told(self.read(bkp, 'cat', '--from-file', bkp.directory), 1, 'not a file')
        self.told(self.read(bkp, 'cat', '--from-file', bkp.directory / 'none'), 1, 'No such file')
        # Whole as a token, not as what it holds.
        whole = gzip.compress(self.archive)
        for plain, words in ((whole[:len(whole) // 2], 'ends early'), (whole + b'more', 'damaged'),
                             (gzip.compress(self.archive[:-5000]), 'pg_restore'),
                             (gzip.compress(b'SELECT 1/0;\n'), 'division by zero'),
                             (gzip.compress(b'\\connect postgres\n'), 'command of psql')):
            path = self.file(bkp, plain, pack=False)
            with self.subTest(words=words):
                self.assertIn(words, self.restore(bkp, path).err)
                self.assertEqual([d for d in self.postgres.databases()
                                  if d == TARGET or d.startswith('bkp_')], [])

    def test_memory(self):
        """a large file takes no more memory than a small one"""
        bkp = self.new_bkp('postgres')
        path = self.file(bkp, os.urandom(48 << 20), pack=False)
        peaks = []
        with open(os.devnull, 'wb') as nowhere:
            process = subprocess.Popen(
                [OPTIONS.bkp, 'cat', '--from-file', path, '--fernet-key-env', 'OLD_KEY'],
                stdout=nowhere, env=dict(os.environ, OLD_KEY=self.key.decode()))
            status = pathlib.Path(f'/proc/{process.pid}/status')
            while process.poll() is None:
                peaks += [int(line.split()[1]) for line in status.read_text().splitlines()
                          if line.startswith('VmHWM:')]
        self.assertEqual(process.returncode, 0)
        self.assertLess(max(peaks), 40 << 10)


if __name__ == '__main__':
    main()
