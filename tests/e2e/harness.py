"""What every story stands on: a place, a cluster, bkp as its owner runs it, and what must hold
whatever happens. A story file runs alone:

    tests/e2e/round_trip.py --bkp build-dev/cmd/bkp [-k PART OF A TEST'S NAME]
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest

sys.dont_write_bytecode = True

from servers import (BIN, OWNER, DeafPort, FaultProxy, Postgres, Rgw, environment, make_directory, owner_command,
                     wait_until)

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
OPTIONS = argparse.Namespace()
NOISE = re.compile(r'terminate called|what\(\):|Sanitizer|Segmentation|core dumped|std::|basic_str')


class Result:
    """How a run of bkp ended. `code` is negative where a signal ended it."""

    def __init__(self, argv, code, out, err, seconds):
        self.argv, self.code, self.raw, self.err, self.seconds = argv, code, out, err, seconds

    @property
    def out(self):
        return self.raw.decode('utf-8', 'replace')

    @property
    def json(self):
        return json.loads(self.raw)

    def __str__(self):
        out = self.out if len(self.raw) < 4000 else f'({len(self.raw)} bytes)\n'
        return (f'$ bkp {" ".join(self.argv)}\n{out}{self.err}'
                f'[exit {self.code}, {self.seconds:.1f} s]')


class Running:
    """A bkp that was started and not waited for."""

    def __init__(self, bkp, argv, process):
        self.bkp, self.argv, self.process, self.pid = bkp, argv, process, process.pid
        self.begun = time.monotonic()

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)

    def stacks(self):
        """What its threads do, where there is a debugger to tell."""
        if not shutil.which('gdb'):
            return ''
        told = subprocess.run(['gdb', '-p', str(self.pid), '-batch', '-ex', 'thread apply all bt'],
                              capture_output=True, text=True, check=False).stdout
        return '\n'.join(line[:150] for line in told.splitlines()
                         if line.startswith('Thread') or ' in bkp::' in line)

    def ended(self):
        return self.process.poll() is not None

    def children(self, name):
        """Process ids of its children that run the program `name`, not only to ask its version."""
        found = []
        for task in pathlib.Path(f'/proc/{self.pid}/task').glob('*/children'):
            with contextlib.suppress(OSError):
                for pid in task.read_text().split():
                    words = pathlib.Path(f'/proc/{pid}/cmdline').read_text().split('\0')
                    if words[0].endswith('/' + name) and '--version' not in words:
                        found.append(int(pid))
        return found

    def wait(self, timeout=120):
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            stacks = self.stacks()
            self.process.kill()
            out, err = self.process.communicate()
            err += f'[killed by the story after {timeout} s]\n{stacks}'.encode()
        return self.bkp.judge(Result(self.argv, self.process.returncode, out,
                                     err.decode('utf-8', 'replace'),
                                     time.monotonic() - self.begun))


class Bkp:
    """bkp with a configuration, a key, a catalog and storages of its own."""

    def __init__(self, story, directory, conninfo, cluster='shop', local=None):
        self.story, self.cluster = story, cluster
        self.directory = make_directory(directory)
        self.config = self.directory / 'bkp.toml'
        self.catalog_file = self.directory / 'catalog.db'
        self.local = pathlib.Path(local or self.directory / 'local')
        self.secrets, self.buckets, self.transcript = [], {}, []
        self.ok('init', '--cluster', cluster, '--conninfo', conninfo, '--local', str(self.local),
                '--yes')
        keys = tomllib.loads((self.directory / 'keys.toml').read_text(encoding='utf-8'))
        self.secrets += [key['secret'] for key in keys['key']]

    # --- configuration

    def edit(self, pattern, replacement):
        """Changes one line of the configuration."""
        text, count = re.subn(pattern, replacement, self.config.read_text(encoding='utf-8'),
                              count=1, flags=re.M)
        assert count == 1, f'no {pattern!r} in the configuration'
        self.write(self.config, text)

    def append(self, text):
        self.write(self.config, self.config.read_text(encoding='utf-8') + '\n' + text)

    def write(self, path, text, mode=0o600):
        path.write_text(text, encoding='utf-8')
        path.chmod(mode)
        if os.getuid() == 0:
            os.chown(path, OWNER.pw_uid, OWNER.pw_gid)

    def add_s3(self, name, rgw, bucket=None, port=None, initialise=True):
        """One more storage, behind `port` if that is not the gateway's own."""
        bucket = bucket or f'{self.cluster}-{name}-{random.randrange(1 << 32):08x}'
        rgw.client.create_bucket(bucket)
        upper = name.upper()
        secrets = self.directory / 'secrets.env'
        self.write(secrets, secrets.read_text(encoding='utf-8') +
                   f'{upper}_KEY={rgw.ACCESS_KEY}\n{upper}_SECRET={rgw.SECRET_KEY}\n')
        self.secrets += [rgw.ACCESS_KEY, rgw.SECRET_KEY]
        self.append(f'[[storage]]\nname = "{name}"\ntype = "s3"\n'
                    f'endpoint = "http://127.0.0.1:{port or rgw.port}"\nregion = "us-east-1"\n'
                    f'bucket = "{bucket}"\naccess_key_env = "{upper}_KEY"\n'
                    f'secret_key_env = "{upper}_SECRET"\n')
        self.buckets[name] = (rgw.client, bucket)
        if initialise:
            self.ok('init')
        return bucket

    def move_s3(self, name, port):
        """The same storage behind another port."""
        self.edit(f'(?<=name = "{name}"\ntype = "s3"\nendpoint = "http://127.0.0.1:)\\d+',
                  str(port))

    # --- running

    def start(self, *argv, stdin=subprocess.DEVNULL, **added):
        argv = [str(word) for word in argv]
        # Preloaded into bkp alone: not into what changes the user before.
        preload = [f'LD_PRELOAD={added.pop("LD_PRELOAD")}'] if 'LD_PRELOAD' in added else []
        process = subprocess.Popen(
            owner_command([*(['env', *preload] if preload else []), OPTIONS.bkp, '-c', self.config,
                           *argv], death_signal='KILL'),
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd='/',
            env=environment(self.directory, TMPDIR=str(self.directory), **added))
        return Running(self, argv, process)

    def run(self, *argv, timeout=120, **added):
        return self.start(*argv, **added).wait(timeout)

    def ends(self, code, *argv, **options):
        """Runs bkp and insists on its exit code."""
        result = self.run(*argv, **options)
        if code is not None:
            self.story.assertEqual(result.code, code, f'\n{result}')
        return result

    def ok(self, *argv, **options):
        return self.ends(0, *argv, **options)

    def json(self, *argv, code=0, **options):
        return self.ends(code, *argv, '--json', **options).json

    def judge(self, result):
        """What holds for every run: no secret is told, nothing falls over."""
        self.transcript.append(str(result))
        if result.argv[0] != 'cat':
            for secret in self.secrets:
                self.story.assertNotIn(secret, result.out + result.err, 'a secret was told')
        self.story.assertNotRegex(result.err, NOISE)
        if result.code < 0:
            self.story.assertIn(-result.code, (signal.SIGKILL, signal.SIGTERM), f'\n{result}')
        return result

    # --- what is there

    def list(self, *argv):
        return self.json('list', *argv)

    def whole(self):
        """Backups that claim to be whole, newest first."""
        return [b for b in self.list() if b['status'] in ('COMPLETED', 'VERIFIED')]

    def catalog(self, query, *values):
        with contextlib.closing(sqlite3.connect(f'file:{self.catalog_file}?mode=ro',
                                                uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, values)]

    def open_alerts(self, kind=None):
        alerts = self.catalog("SELECT * FROM alerts WHERE state <> 'RESOLVED'")
        return [alert for alert in alerts if kind in (None, alert['type'])]

    def objects(self, storage='local'):
        """Names of everything in a storage, hidden and temporary files included."""
        if storage in self.buckets:
            client, bucket = self.buckets[storage]
            return sorted(client.list(bucket))
        return sorted(str(path.relative_to(self.local)) for path in self.local.rglob('*')
                      if not path.is_dir())

    def uploads(self):
        return [(name, upload) for name, (client, bucket) in self.buckets.items()
                for upload in client.uploads(bucket)]

    def path(self, backup, storage='local'):
        """Name of a backup's data object."""
        return next(c['path'] for c in backup['copies'] if c['storage'] == storage)

    def assert_only_whole_backups_are_stored(self, copies=None):
        """Every object belongs to a backup that the catalog calls whole; `copies`: so many each."""
        stems = [self.path(b, b['copies'][0]['storage']).rsplit('.dump', 1)[0]
                 for b in self.whole()]
        counts = dict.fromkeys(stems, 0)
        for storage in ['local', *self.buckets]:
            for name in self.objects(storage):
                if name.startswith((f'{self.cluster}/cluster.json', f'{self.cluster}/catalog/')):
                    continue
                stem = next((stem for stem in stems if name.startswith(stem + '.')), None)
                self.story.assertIsNotNone(stem, f"'{name}' in '{storage}' belongs to no backup")
                self.story.assertNotIn('.inprogress', name, f"in '{storage}'")
                counts[stem] += name.endswith('.manifest.json')
        self.story.assertEqual(self.uploads(), [], 'unfinished multipart uploads')
        if copies is not None:
            self.story.assertEqual(set(counts.values()) - {copies}, set(), counts)


class Story(unittest.TestCase):
    """One place and one cluster for all tests of a class; a gateway where `gateway` is true."""

    gateway = False
    longMessage = True

    @classmethod
    def setUpClass(cls):
        cls.place = make_directory(tempfile.mkdtemp(prefix='bkp-e2e-', dir='/tmp'), 0o755)
        cls.addClassCleanup(shutil.rmtree, cls.place, ignore_errors=True)
        cls.random = random.Random(OPTIONS.seed)
        cls.postgres = Postgres(cls.place / 'pg')
        cls.addClassCleanup(cls.postgres.stop)
        if cls.gateway:
            cls.rgw = Rgw(cls.place / 'rgw')
            cls.addClassCleanup(cls.rgw.stop)

    def setUp(self):
        self.bkps = []

    def new_bkp(self, database, clouds=(), user=None, **options):
        directory = self.place / f'bkp-{self._testMethodName[:60]}-{len(self.bkps)}'
        bkp = Bkp(self, directory, self.postgres.conninfo(database, user), **options)
        self.bkps.append(bkp)
        for name in clouds:
            bkp.add_s3(name, self.rgw)
        return bkp

    def new_proxy(self, mode='pass'):
        proxy = FaultProxy(self.rgw.port, mode)
        self.addCleanup(proxy.stop)
        return proxy

    def new_deaf_port(self):
        deaf = DeafPort()
        self.addCleanup(deaf.stop)
        return deaf.port

    def dropped_afterwards(self, database):
        self.addCleanup(self.postgres.sql, f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        return database

    @contextlib.contextmanager
    def locked_table(self, database='shop'):
        """While it lasts, a dump of the database waits."""
        session = subprocess.Popen([BIN / 'psql', '-XqAt', '-d', self.postgres.conninfo(database)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        session.stdin.write('BEGIN; LOCK TABLE marker IN ACCESS EXCLUSIVE MODE; SELECT 1;\n')
        session.stdin.flush()
        session.stdout.readline()
        try:
            yield
        finally:
            session.communicate('COMMIT;\n')

    def told(self, result, code, *patterns, hint=None):
        """The exit code, and each pattern somewhere in what was said on standard error."""
        self.assertEqual(result.code, code, f'\n{result}')
        for pattern in patterns:
            self.assertRegex(result.err, pattern)
        if hint is not None:
            self.assertRegex(result.err, re.compile(f'^hint: .*{hint}', re.M))


class StoryResult(unittest.TextTestResult):
    """Tells a test by its sentence and its time; a failure with what bkp said last."""

    def getDescription(self, test):
        part = getattr(test, '_subDescription', lambda: '')()
        return ' '.join(filter(None, [test.shortDescription() or str(test), part]))

    def startTest(self, test):
        self.begun = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.stream.writeln(f'ok ({time.monotonic() - self.begun:.1f} s)')

    def _tell(self, test):
        for bkp in getattr(test, 'bkps', []):
            self.stream.writeln('\n'.join(bkp.transcript[-6:]))
            bkp.transcript.clear()

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._tell(test)

    def addError(self, test, err):
        super().addError(test, err)
        self._tell(test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._tell(test)


def usable_program(path):
    """A path to bkp that the cluster's owner may run: a copy where the build tree is private."""
    path = os.path.abspath(path)
    if subprocess.run(owner_command([path, '--version']), stdout=subprocess.DEVNULL, check=False,
                      stderr=subprocess.DEVNULL).returncode == 0:
        return path, None
    place = make_directory(tempfile.mkdtemp(prefix='bkp-e2e-', dir='/tmp'), 0o755)
    return shutil.copy(path, place), place


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--bkp', required=True, help='the program')
    parser.add_argument('--rounds', type=int, help='of what is repeated at random')
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 32))
    _, rest = parser.parse_known_args(namespace=OPTIONS)
    print(f'--seed {OPTIONS.seed}', file=sys.stderr, flush=True)
    OPTIONS.bkp, place = usable_program(OPTIONS.bkp)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        unittest.main(argv=[sys.argv[0], *rest],
                      testRunner=unittest.TextTestRunner(resultclass=StoryResult, verbosity=2))
    finally:
        if place:
            shutil.rmtree(place, ignore_errors=True)
