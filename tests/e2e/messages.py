#!/usr/bin/python3
"""Whatever is wrong is told in one screen, with what to type next, and no secret in it."""

import os
import pathlib
import subprocess

from harness import OPTIONS, Story, main
from servers import environment, make_directory, owner_command

PASSWORD = 'correct-horse-battery'


def break_line(pattern, replacement):
    return lambda desk: desk.edit(pattern, replacement)


def mode(name, bits):
    return lambda desk: (desk.directory / name).chmod(bits)


def content(name, text):
    return lambda desk: desk.write(desk.directory / name, text)


def gone(name):
    return lambda desk: (desk.directory / name).rename(desk.directory / f'{name}.away')


def with_password(password):
    def begin(desk):
        desk.edit('user=\\w+', 'user=with_password')
        desk.write(desk.directory / '.pgpass', f'*:*:*:with_password:{password}\n')
    return begin


# What is wrong: how it comes about, the command, exit code, first line, hint ('': none is needed).
CASES = {
    # command line
    'no such command': (None, 'dupm', 2, "unknown command 'dupm'", "'dump'"),
    'no such option': (None, 'dump --noet x', 2, "no option '--noet'", "'--note'"),
    'an option without its value': (None, 'restore latest --into', 2, "'--into' needs a value", 'restore -h'),
    'an argument too many': (None, 'dump shop', 2, "takes no argument 'shop'", 'dump -h'),
    'too few jobs': (None, 'restore latest --into x --jobs 0', 2, "'--jobs'.*not '0'", ''),
    'a size for a sample': (None, 'verify --sample 5GiB', 2, "'--sample'.*not '5GiB'", ''),
    'no such status': (None, 'list --status VERIFYED', 2, "VERIFYED", "VERIFIED"),
    'no such storage': (None, 'verify --storage locl', 2, "no storage.*'locl'", "local"),
    'a time without zone': (None, ['list', '--since', '2026-11-20 02:00'], 2,
                            "'2026-11-20 02:00' does not say its zone", r'\(UTC\)'),
    'a time that never was': (None, ['list', '--since', '2026-02-30T02:00Z'], 2, '2026-02-30', ''),
    'a duration without unit': (None, '--wait soon dump', 2, "'--wait'.*soon", ''),
    'restore without a name': (None, 'restore latest', 2, 'needs --into', 'does not exist yet'),
    'a name too long': (None, f'restore latest --into {"x" * 64}', 2, '63 bytes', ''),
    'an empty name': (None, ['restore', 'latest', '--into', ''], 2, "''", ''),
    'a name that is taken': (None, 'restore latest --into postgres', 2, "'postgres' exists",
                             'another name'),
    'two kinds of target': (None, 'restore latest --into x --to-dir /tmp/x', 2, "'--to-dir' restores a configuration", ''),
    'only without a directory': (None, ['restore', 'latest', '--only', '*.conf'], 2, "'--only' says something only with --to-dir", ''),
    'no configuration yet': (None, 'restore latest --to-dir /tmp/bkp-none', 2,
                             'no snapshot of the configuration', 'config-snapshot'),
    'a snapshot to compare with, uncompared': (None, 'config-snapshot 1234abcd', 2, "'--diff'", ''),
    'no such backup': (None, 'restore 1234abcd --into x', 2, "no backup '1234abcd'", 'bkp list'),
    'no backup of that database': (None, 'restore latest --db nosuch --into x', 2,
                                   "no backup of database 'nosuch'", 'bkp'),
    'the last good copy': (None, 'rm latest --yes', 2, 'no good copy of it would be left',
                           '--even-last'),
    'a removal that nobody confirms': (None, 'rm latest --storage local', 2, 'needs --yes',
                                       '--dry-run'),
    'no such backup to hold': (None, 'hold 1234abcd', 2, "no backup '1234abcd'", 'bkp list'),
    'storages to migrate from': (None, 'catalog migrate --from r2', 2, "'--from' goes with", ''),
    'a configuration where one is adopted': (None, 'init --adopt --local /tmp', 2,
                                             'a configuration already', 'catalog rebuild'),
    'a bucket that nobody adopts': (None, 'init --bucket x', 2, "go with '--adopt'", ''),
    # configuration
    'no configuration': (gone('bkp.toml'), 'list', 2, 'bkp.toml.*No such file', 'bkp init'),
    'no TOML': (break_line(r'^\[dump\]', '[dump'), 'list', 2, r'bkp.toml:\d+', ''),
    'an unknown key': (break_line('^lock_wait', 'lock_wiat'), 'list', 2, "unknown key 'lock_wiat'",
                       "'lock_wait'"),
    'an unknown section': (break_line(r'^\[verify\]', '[verfy]'), 'list', 2, "verfy", "verify"),
    'a wrong value': (break_line('^after = "read"', 'after = "red"'), 'list', 2, "'red'", 'read'),
    'a wrong type': (break_line('^minimum = 1', 'minimum = "one"'), 'list', 2, 'minimum', ''),
    'more copies than storages': (break_line('^minimum = 1', 'minimum = 4'), 'list', 2,
                                  'minimum', ''),
    'no such codec': (break_line('^dump = "gzip:9"', 'dump = "lzma:9"'), 'list', 2, "lzma:9", 'gzip'),
    'a storage of no type': (break_line('^type = "local"', 'type = "s4"'), 'list', 2, "'s4'", 's3'),
    'a secret that is not there': (content('secrets.env', ''), 'dump', 2, 'R2_KEY', 'env'),
    'secrets that others can read': (mode('secrets.env', 0o644), 'dump', 2, 'secrets.env',
                                     'chmod 600'),
    'no key file': (gone('keys.toml'), 'dump', 2, 'keys.toml', '.'),
    'a key that others can read': (mode('keys.toml', 0o640), 'dump', 2, 'keys.toml', 'chmod 600'),
    'a key file of nonsense': (content('keys.toml', 'x = 1\n'), 'dump', 2, 'keys.toml', ''),
    'no catalog': (gone('catalog.db'), 'list', 2, 'catalog.db', 'bkp init'),
    'a catalog of nonsense': (content('catalog.db', 'x' * 5000), 'list', 1, 'catalog.db',
                              'bkp catalog rebuild'),
    'a catalog cut to nothing': (content('catalog.db', ''), 'list', 1, 'cut to 0 bytes',
                                 'bkp catalog rebuild'),
    # server
    'no server': (break_line('host=\\S+', 'host=/nonexistent'), 'dump', 1, '/nonexistent',
                  'is the server running'),
    'no such database': (None, 'dump --db nosuch', 1, "'nosuch'.*does not exist", '.'),
    'no such role': (break_line('user=\\w+', 'user=nosuch'), 'dump', 1, 'role "nosuch" does not exist',
                     ''),
    'no password': (break_line('user=\\w+', 'user=with_password'), 'dump', 1,
                    'no password supplied', 'pgpass'),
    'a wrong password': (with_password('wrong'), 'dump', 1, 'password authentication failed',
                         'pgpass'),
    # storages
    'a wrong secret': (break_line('_SECRET"', '_KEY"'), 'verify --storage r2', 1, '', ''),
}


class Messages(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=1)
        cls.postgres.sql(f"CREATE ROLE with_password LOGIN SUPERUSER PASSWORD '{PASSWORD}'")

    def desk(self):
        desk = self.new_bkp('shop', clouds=['r2'])
        desk.secrets.append(PASSWORD)
        desk.ok('dump')
        return desk

    @staticmethod
    def saved(desk):
        return {path: (path.read_bytes(), path.stat().st_mode & 0o7777)
                for path in desk.directory.iterdir() if path.is_file()}

    @staticmethod
    def undo(desk, saved):
        for path in desk.directory.glob('*.away'):
            path.rename(path.with_suffix(''))
        for path, (before, bits) in saved.items():
            path.write_bytes(before)
            path.chmod(bits)

    @staticmethod
    def complaint(result):
        return [line for line in result.err.splitlines() if not line.startswith('latest is ')]

    def assert_one_screen(self, result, code, first, hint):
        self.assertEqual(result.code, code, f'\n{result}')
        lines = self.complaint(result)
        self.assertLessEqual(len(lines), 12, f'\n{result}')
        if not lines:
            return
        self.assertRegex(lines[0], '^bkp: error: ', f'\n{result}')
        message = lines[0].removeprefix('bkp: error: ')
        self.assertRegex(' '.join(lines), first, f'\n{result}')
        self.assertFalse(message.endswith('.'), message)
        hints = [line for line in lines if line.startswith('hint: ')]
        if hint:
            self.assertRegex(' '.join(hints), hint, f'\n{result}')

    def test_one_screen(self):
        """each mistake has one screen: what, where, why, what to type; and its exit code"""
        desk = self.desk()
        for what, (begin, argv, code, first, hint) in CASES.items():
            saved = self.saved(desk)
            with self.subTest(what):
                if begin:
                    begin(desk)
                words = argv if isinstance(argv, list) else argv.split()
                told = desk.run(*words)
                self.assert_one_screen(told, code, first, hint)
                document = desk.run('--json', *words)
                if document.raw.startswith(b'{'):
                    error = document.json['error']
                    self.assertEqual((self.complaint(document), error['code']), ([], code))
                    self.assertIn(error['message'].splitlines()[0], told.err)
            self.undo(desk, saved)
        desk.ok('dump')
        desk.ok('restore', 'latest', '--into', self.dropped_afterwards('x'))

    def test_two_readings_of_a_time(self):
        """a time without a zone is refused with both readings shown"""
        desk = self.desk()
        told = desk.run('list', '--since', '2026-07-20 02:00', TZ='Europe/Berlin')
        self.told(told, 2, 'does not say its zone', hint='')
        self.assertRegex(told.err, r'2026-07-20T02:00:00\+02:00')
        self.assertRegex(told.err, r'2026-07-20T02:00:00Z')

    def test_output_that_cannot_be_written(self):
        """a full or closed standard output is told, and never taken for success"""
        desk = self.desk()
        argv = owner_command([OPTIONS.bkp, '-c', desk.config])
        for words in (['list'], ['list', '--json'], ['cat', 'latest'], ['--help'], ['show', 'latest']):
            with open('/dev/full', 'wb') as full:
                done = subprocess.run([*argv, *words], stdout=full, stderr=subprocess.PIPE,
                                      check=False, env=environment(desk.directory), cwd='/')
            self.assertEqual(done.returncode, 1, (words, done.stderr))
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*argv, 'cat', 'latest'], stdout=writer, stderr=subprocess.PIPE,
                              check=False, env=environment(desk.directory), cwd='/')
        os.close(writer)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b'Broken pipe', done.stderr)

    def test_no_secret_is_shown_to_other_processes(self):
        """while a dump and a restore run, no argv of any process has a secret"""
        desk = self.desk()
        with_password(PASSWORD)(desk)
        seen, secrets = set(), [secret.encode() for secret in desk.secrets]
        for argv in (['dump'], ['restore', 'latest', '--into', self.dropped_afterwards('y')]):
            running = desk.start(*argv)
            while not running.ended():
                for file in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
                    try:
                        words = file.read_bytes()
                    except OSError:
                        continue
                    seen |= {name for name in (b'pg_dump', b'pg_restore') if name in words}
                    self.assertEqual([s for s in secrets if s in words and b'radosgw' not in words],
                                     [], words)
            self.assertEqual(running.wait().code, 0)
        self.assertEqual(seen, {b'pg_dump', b'pg_restore'})

    def test_no_secret_is_kept(self):
        """no secret is in the catalog, nor in what is stored"""
        desk = self.desk()
        with_password(PASSWORD)(desk)
        desk.ok('dump')
        stored = [desk.local / name for name in desk.objects()]
        for path in [desk.catalog_file, *desk.directory.glob('catalog.db-*'), *stored]:
            for secret in desk.secrets:
                self.assertNotIn(secret.encode(), path.read_bytes(), path)
        kit = desk.directory / 'recovery-kit-shop.txt'
        self.assertEqual(kit.stat().st_mode & 0o777, 0o600)
        for secret in (PASSWORD, self.rgw.SECRET_KEY):
            self.assertNotIn(secret, kit.read_text(encoding='utf-8'))

    def test_a_storage_that_is_not_mounted(self):
        """a storage that is not mounted gets nothing, and the question whether it is"""
        desk = self.desk()
        (desk.local).rename(desk.directory / 'away')
        self.told(desk.run('dump'), 3, "no copy in 'local'", 'no directory')
        self.assertFalse(desk.local.exists())
        make_directory(desk.local)
        self.told(desk.run('dump'), 3, "no copy in 'local'", 'cluster.json', 'is the disk mounted')
        self.assertEqual(desk.objects(), [])
        self.told(desk.run('init'), 2, 'is the disk mounted')
        desk.local.rmdir()
        (desk.directory / 'away').rename(desk.local)
        desk.ok('dump')
        desk.assert_only_whole_backups_are_stored()


if __name__ == '__main__':
    main()
