"""Throw-away servers for stories: PostgreSQL, a Ceph object gateway, a proxy that breaks."""

import os
import pathlib
import pwd
import signal
import socket
import subprocess
import time

from s3_client import S3Client

SERVICES = pathlib.Path(__file__).resolve().parent.parent / 'support' / 'services'
OWNER = pwd.getpwuid(os.getuid()) if os.getuid() else pwd.getpwnam('postgres')
INSTALLED = max(pathlib.Path('/usr/lib/postgresql').glob('*/bin'), key=lambda path: int(path.parent.name))
BIN = pathlib.Path(os.environ.get('BKP_TEST_PG_BIN') or INSTALLED)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def owner_command(argv, death_signal=None):
    """The argv that runs `argv` as the user that owns the cluster (PostgreSQL refuses root)."""
    prefix = []
    if os.getuid() == 0:
        prefix = [f'--reuid={OWNER.pw_uid}', f'--regid={OWNER.pw_gid}', '--init-groups']
    if death_signal:
        prefix.append(f'--pdeathsig={death_signal}')
    return (['setpriv', *prefix, '--'] if prefix else []) + [str(word) for word in argv]


def environment(home, **added):
    return {'PATH': f'{BIN}:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': str(home), 'LANG': 'C.UTF-8',
            'TZ': 'UTC', 'USER': OWNER.pw_name, 'LOGNAME': OWNER.pw_name, **added}


def make_directory(path, mode=0o700):
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    if os.getuid() == 0:
        os.chown(path, OWNER.pw_uid, OWNER.pw_gid)
    return path


def wait_until(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f'{what}: not within {seconds} s')
        time.sleep(0.02)
    return result


class Postgres:
    """A cluster of its own on a unix socket. `with_password` is a role that needs one."""

    SETTINGS = ("fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n"
                "listen_addresses = ''\nmax_connections = 50\nshared_buffers = 64MB\n"
                "max_wal_size = 4GB\nautovacuum = off\nlog_min_messages = fatal\n")
    ACCESS = 'local all with_password scram-sha-256\nlocal all all trust\n'

    def __init__(self, directory, programs=BIN):
        """`programs`: a directory with initdb, postgres, psql, pg_dump and so on of one major."""
        self.bin = pathlib.Path(programs)
        self.directory = make_directory(directory)
        self.data = self.directory / 'data'
        self.superuser = OWNER.pw_name
        self.process = None
        subprocess.run(owner_command([self.bin / 'initdb', '-D', self.data, '-U', self.superuser, '-E',
                                      'UTF8', '--locale=C.UTF-8', '--auth=trust', '--no-sync']),
                       check=True, stdout=subprocess.DEVNULL, env=environment(self.directory),
                       cwd='/')
        with open(self.data / 'postgresql.conf', 'a', encoding='utf-8') as file:
            file.write(self.SETTINGS + f"unix_socket_directories = '{self.directory}'\n")
        (self.data / 'pg_hba.conf').write_text(self.ACCESS, encoding='utf-8')
        self.start()

    def start(self):
        with open(self.directory / 'log', 'ab') as log:
            self.process = subprocess.Popen(
                owner_command([self.bin / 'postgres', '-D', self.data], death_signal='QUIT'),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd='/',
                env=environment(self.directory))
        wait_until(lambda: self.answers() or self.process.poll() is not None, 'PostgreSQL')
        if self.process.poll() is not None:
            raise RuntimeError((self.directory / 'log').read_text(encoding='utf-8'))

    def answers(self):
        return subprocess.run([INSTALLED / 'pg_isready', '-q', '-h', self.directory],
                              check=False).returncode == 0

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    def conninfo(self, database='postgres', user=None):
        return f'host={self.directory} dbname={database} user={user or self.superuser}'

    def client(self, program, *arguments, database=None, text=True, **options):
        """Output of a client program as the superuser; a failure raises with its words."""
        argv = [str(self.bin / program), '-h', str(self.directory), '-U', self.superuser]
        argv += (['-d', database] if database else []) + [str(word) for word in arguments]
        done = subprocess.run(argv, capture_output=True, text=text, check=False,
                              env=environment(self.directory), **options)
        if done.returncode != 0:
            raise RuntimeError(f'{program} {arguments}: {done.stderr}')
        return done.stdout

    def sql(self, statement, database='postgres'):
        """Rows as lines, columns split by '|'."""
        return self.client('psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', database=database,
                           input=statement).rstrip('\n')

    def load(self, path, database, *arguments):
        self.client('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', path, *arguments,
                    database=database, stdin=subprocess.DEVNULL)

    def databases(self):
        return self.sql('SELECT datname FROM pg_database ORDER BY 1').splitlines()

    def create_database(self, name, megabytes=0):
        """A database of so many megabytes of text that compresses to about half."""
        self.sql(f'CREATE DATABASE "{name}"')
        self.sql('CREATE TABLE marker (n int); INSERT INTO marker VALUES (0);'
                 'CREATE TABLE filler (id int PRIMARY KEY, text text);', name)
        if megabytes:
            self.sql("INSERT INTO filler SELECT i, (SELECT string_agg(md5(random()::text || i || j), '')"
                     " FROM generate_series(1, 31) j)"
                     f' FROM generate_series(1, {megabytes} * 1048) i', name)

    @property
    def major(self):
        return int((self.data / 'PG_VERSION').read_text())

    @staticmethod
    def unprotected(script):
        """A script of pg_dump without the lines that protect it, which differ each time."""
        return '\n'.join(line for line in script.splitlines()
                         if not line.startswith(('\\restrict', '\\unrestrict')))

    def schema_of(self, database):
        """pg_dump's view of everything but the rows."""
        return self.unprotected(self.client('pg_dump', '-s', database=database))

    def globals(self):
        """pg_dumpall's view of roles and tablespaces."""
        return self.unprotected(self.client('pg_dumpall', '-g'))


class Rgw:
    """A Ceph object gateway. Starts in two seconds; all objects are in its memory."""

    ACCESS_KEY, SECRET_KEY = 'BKPTESTKEY', 'bkptestsecret'

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        subprocess.run([SERVICES / 'rgw.sh', 'start', self.directory, str(self.port)], check=True,
                       env=dict(os.environ, OWNER=str(os.getpid())))
        self.client = S3Client(self.port, self.ACCESS_KEY, self.SECRET_KEY)

    def stop(self):
        subprocess.run([SERVICES / 'rgw.sh', 'stop', self.directory], check=False)

    def gateway(self):
        return int((self.directory / 'run' / 'client.rgw.a.pid').read_text())

    def kill_gateway(self):
        pid = self.gateway()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(f'/proc/{pid}/exe'), 'end of the gateway')

    def start_gateway(self):
        subprocess.run(['radosgw', '-n', 'client.rgw.a'], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL,
                       env=dict(os.environ, CEPH_CONF=str(self.directory / 'ceph.conf')))
        wait_until(self.answers, 'the gateway')

    def answers(self):
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=1):
                return True
        except OSError:
            return False


class DeafPort:
    """A port that no connection can be made to and nothing comes back from: its queue is full."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(('127.0.0.1', 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.waiting = [socket.socket() for _ in range(4)]
        for client in self.waiting:
            client.setblocking(False)
            client.connect_ex(('127.0.0.1', self.port))

    def stop(self):
        for client in [self.listener, *self.waiting]:
            client.close()


class FaultProxy:
    """fault_proxy.py in front of a port: see there for its modes."""

    def __init__(self, upstream, mode='pass'):
        self.port = free_port()
        self.process = subprocess.Popen(
            ['/usr/bin/python3', SERVICES / 'fault_proxy.py', str(self.port), str(upstream), mode],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def tell(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def mode(self, mode):
        self.tell(f'mode {mode}')

    def requests(self):
        return int(self.tell('count'))

    def stop(self):
        self.process.kill()
        self.process.communicate()
