#!/usr/bin/python3
"""No secret is ever in the words of a command line, of bkp or of what it starts."""

import base64
import contextlib
import gzip
import os
import pathlib
import threading
import tomllib

from cryptography.fernet import Fernet

from harness import OPTIONS, Story, main

PASSWORD = 'a-password-nobody-may-see'


class Watcher(threading.Thread):
    """Reads, over and over, what /proc shows of bkp and of everything below it."""

    def __init__(self, secrets, hidden):
        super().__init__(daemon=True)
        self.secrets = [secret.encode() for secret in secrets]
        self.hidden = hidden.encode()  # may be in the environment of bkp, but of no child
        self.roots, self.seen, self.leaks = set(), set(), []
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            for root in list(self.roots):
                self.look_at(root, is_root=True)

    def look_at(self, pid, is_root=False):
        with contextlib.suppress(OSError):
            place = pathlib.Path(f'/proc/{pid}')
            words = (place / 'cmdline').read_bytes()
            program = words.split(b'\0')[0].rsplit(b'/', 1)[-1].decode()
            self.leaks += [(program, words) for secret in self.secrets if secret in words]
            if not is_root and program != 'bkp' and self.hidden in (place / 'environ').read_bytes():
                self.leaks.append((program, 'environment'))
            self.seen.add(program)
            for task in (place / 'task').iterdir():
                for child in (task / 'children').read_text().split():
                    self.look_at(child)


class Secrets(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=24)
        cls.postgres.sql(f"CREATE ROLE with_password SUPERUSER LOGIN PASSWORD '{PASSWORD}'")

    def test_no_secret_in_any_argv(self):
        """dump, verify, cat, key commands and restores show no secret in /proc"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        bkp.edit('^conninfo = .*', 'conninfo = "' + self.postgres.conninfo('shop', 'with_password')
                 + f' password={PASSWORD}"')
        old_key = Fernet.generate_key().decode()
        old_file = bkp.directory / 'old.enc'
        archive = self.postgres.client('pg_dump', '-Fc', '-Z0', database='shop', text=False)
        old_file.write_bytes(Fernet(old_key).encrypt(gzip.compress(archive, 1)))
        old_file.chmod(0o644)
        script = self.postgres.client('pg_dump', database='shop', text=False)
        sql_file = bkp.directory / 'old-sql.enc'
        sql_file.write_bytes(Fernet(old_key).encrypt(gzip.compress(script, 1)))
        sql_file.chmod(0o644)
        keys = tomllib.loads((bkp.directory / 'keys.toml').read_text(encoding='utf-8'))['key']
        raw = [base64.b64decode(key['secret']).hex() for key in keys]
        watcher = Watcher([*bkp.secrets, *raw, PASSWORD, old_key], old_key)
        watcher.start()
        bkp.secrets += [PASSWORD, old_key]
        fernet = ['--fernet-key-env', 'OLD_KEY']
        for target in ('one', 'two', 'three', 'four'):
            self.dropped_afterwards(target)
        paper = bkp.directory / 'paper.toml'
        try:
            for words in (['dump'], ['verify', '--deep', 'latest'], ['cat', 'latest'],
                          ['restore', 'latest', '--into', 'one'],
                          ['restore', 'latest', '--into', 'two', '--jobs', '1'],
                          ['key', 'rotate', '--rewrap'], ['key', 'export', '--output', paper],
                          ['key', 'import', paper], ['doctor'],
                          ['cat', '--from-file', old_file, *fernet],
                          ['restore', '--from-file', old_file, *fernet, '--into', 'three'],
                          ['restore', '--from-file', sql_file, *fernet, '--into', 'four']):
                added = {'OLD_KEY': old_key} if '--from-file' in words else {}
                running = bkp.start(*words, **added)
                watcher.roots = {running.pid}
                result = running.wait()
                self.assertEqual(result.code, 0, f'\n{result}')
        finally:
            watcher.ended.set()
            watcher.join()
        self.assertEqual(watcher.leaks, [])
        self.assertLessEqual({os.path.basename(OPTIONS.bkp), 'pg_dump', 'pg_restore', 'psql'}, watcher.seen)
        recorded = bkp.catalog('SELECT arguments, message FROM runs')
        for secret in (PASSWORD, old_key):
            self.assertNotIn(secret, str(recorded))


if __name__ == '__main__':
    main()
