#!/usr/bin/python3
"""The configuration of a host goes out as it is, secrets sealed twice, and comes back the same."""

import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import tarfile
import threading

from harness import OPTIONS, Story, main
from servers import OWNER, make_directory, owner_command, wait_until

SECRET = b'the-password-of-the-payment-provider'
ODD = [b'with blank', b'new\nline', b'\xff\xfe not utf-8', 'ünï'.encode(), b'-rf', b'*', b"it's \"so\"",
       b'back\\slash', b'n' * 255]


def described(top, but=()):
    """Every path below a directory: kind, mode, owner, time, content."""
    top = os.fsencode(top)
    found = {}
    for directory, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(directory, name)
            relative = os.path.relpath(path, top)
            if any(relative == each or relative.startswith(each + b'/') for each in but):
                continue
            status = os.lstat(path)
            kind = stat.S_IFMT(status.st_mode)
            content = b''
            if kind == stat.S_IFREG:
                content = pathlib.Path(os.fsdecode(path)).read_bytes()
            if kind == stat.S_IFLNK:
                content = os.readlink(path)
            found[relative] = (kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns, status.st_nlink
                               if kind == stat.S_IFREG else 0, content)
    return found


class ConfigSnapshot(Story):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=1)

    def own(self, *paths):
        for path in paths:
            if os.getuid() == 0:
                os.chown(path, OWNER.pw_uid, OWNER.pw_gid, follow_symlinks=False)

    def new_desk(self, **options):
        """bkp with a tree of configuration to save."""
        bkp = self.new_bkp('shop', **options)
        tree = make_directory(bkp.directory / 'host')
        nginx = make_directory(tree / 'nginx')
        bkp.write(nginx / 'nginx.conf', 'worker_processes 4;\n', 0o644)
        bkp.write(tree / '.env', f'PAYMENT={SECRET.decode()}\n', 0o600)
        bkp.secrets.append(SECRET.decode())
        self.use(bkp, tree)
        return bkp, tree

    def use(self, bkp, *paths):
        listed = ', '.join(json.dumps(str(path)) for path in paths)
        bkp.edit(r'^paths = .*', f'paths = [{listed}]')

    def with_secret_key(self, bkp):
        """A key file of its own for what is secret."""
        keys = bkp.directory / 'secret-keys.toml'
        bkp.ok('key', 'generate', '--key-file', keys)
        bkp.edit(r'^# secrets_key_file = .*', f'secrets_key_file = "{keys}"')
        return keys

    def archive(self, bkp, which='latest'):
        raw = bkp.ok('cat', '--type', 'CONFIGURATION', which).raw
        return tarfile.open(fileobj=io.BytesIO(raw), mode='r:', encoding='utf-8',
                            errors='surrogateescape')

    def restored(self, bkp, which='latest', *options, code=0):
        target = bkp.directory / f'restored-{len(list(bkp.directory.iterdir()))}'
        result = bkp.ends(code, 'restore', which, '--to-dir', target, *options)
        return target, result

    def below(self, target, path):
        return target / str(path).lstrip('/')

    # --- the tree

    def test_a_tree_restores_equal(self):
        """odd names, modes, links, empty directories: the same again, and what is not is named"""
        bkp, tree = self.new_desk()
        self.with_secret_key(bkp)
        for i, name in enumerate(ODD):
            path = os.path.join(os.fsencode(tree), name)
            with open(path, 'wb') as file:
                file.write(name * i)
            os.chmod(path, [0o644, 0o600, 0o755, 0o640, 0o444][i % 5])
            os.utime(path, ns=(1_600_000_000_123_456_789, 1_500_000_000_000_000_001 + i))
            self.own(path)
        empty, sticky, closed = (make_directory(tree / name) for name in ('empty', 'sticky', 'closed'))
        sticky.chmod(0o1777)
        bkp.write(closed / 'inside', 'x', 0o400)
        closed.chmod(0o555)
        (tree / 'link').symlink_to('nginx/nginx.conf')
        (tree / 'dangling').symlink_to(os.fsdecode(b'/nowhere/\xff'))
        (tree / 'loop').symlink_to('.')
        os.link(tree / 'nginx/nginx.conf', tree / 'nginx/same.conf')
        os.link(tree / '.env', tree / 'zz-same-as-env')
        (tree / 'large').write_bytes(os.urandom(5 << 20))
        self.own(tree / 'link', tree / 'dangling', tree / 'loop', tree / 'large')
        with socket.socket(socket.AF_UNIX) as listener:
            here = os.getcwd()
            os.chdir(tree)
            listener.bind('socket')
            os.chdir(here)
        os.mkfifo(tree / 'fifo')
        unreadable = tree / 'unreadable'
        unreadable.write_text('nobody may')
        unreadable.chmod(0o000)
        result = bkp.ends(3, 'config-snapshot')
        self.assertRegex(result.err, r"left out '.*/host/socket': it is a socket")
        self.assertRegex(result.err, r"left out '.*/host/fifo': it is a fifo")
        self.assertRegex(result.err, r"left out '.*/host/unreadable': cannot be read: Permission")
        left = bkp.json('show', '--type', 'CONFIGURATION', 'latest')['left_out']
        self.assertEqual({os.path.basename(out['path']) for out in left if out['counted']},
                         {'socket', 'fifo', 'unreadable'})
        target, _ = self.restored(bkp)
        missing = (b'socket', b'fifo', b'unreadable')
        self.assertEqual(described(self.below(target, tree)), described(tree, missing))
        restored = self.below(target, tree)
        self.assertEqual((restored / '.env').stat().st_ino, (restored / 'zz-same-as-env').stat().st_ino)
        self.assertEqual(stat.S_IMODE(restored.stat().st_mode), stat.S_IMODE(tree.stat().st_mode))
        # What other programs make of it.
        with self.archive(bkp) as archive:
            names = archive.getnames()
        self.assertIn(str(tree / 'nginx/nginx.conf')[1:], names)
        self.assertIn(str(tree / '.env')[1:] + '.bkp-sealed', names)
        other = make_directory(bkp.directory / 'tar')
        subprocess.run(['tar', '-x', '-C', other], check=True, stderr=subprocess.DEVNULL,
                       input=bkp.ok('cat', '--type', 'CONFIGURATION', 'latest').raw)
        self.assertEqual(described(self.below(other, tree), (b'.env.bkp-sealed', b'zz-same-as-env.bkp-sealed')),
                         described(tree, missing + (b'.env', b'zz-same-as-env')))

    def test_links_and_patterns(self):
        """a named link is taken with what it leads to, patterns find their files, and names above"""
        bkp, tree = self.new_desk()
        real = make_directory(bkp.directory / 'elsewhere/deep')
        bkp.write(real / 'site.conf', 'server {}', 0o640)
        bkp.write(real / 'other.txt', 'no')
        (tree / 'enabled').symlink_to('../elsewhere')
        self.use(bkp, tree / 'enabled/deep/*.conf', tree / '**/nginx.conf')
        bkp.ends(0, 'config-snapshot')
        target, _ = self.restored(bkp)
        self.assertEqual((self.below(target, real) / 'site.conf').read_text(), 'server {}')
        self.assertFalse((self.below(target, real) / 'other.txt').exists())
        self.assertEqual(os.readlink(self.below(target, tree / 'enabled')), '../elsewhere')
        self.assertTrue(self.below(target, tree / 'nginx/nginx.conf').is_file())
        self.use(bkp, tree, '/no/such/file', '/no/such/*.conf')
        result = bkp.ends(3, 'config-snapshot')
        self.assertIn("left out '/no/such/file': there is none", result.err)
        self.assertIn("left out '/no/such/*.conf': nothing is of this pattern", result.err)

    def test_files_that_change_meanwhile(self):
        """files that come, go and change while it runs keep nothing else from being whole"""
        bkp, tree = self.new_desk()
        self.with_secret_key(bkp)
        before = described(tree)
        churn = make_directory(tree / 'churn')
        (churn / 'big').write_bytes(bytes(6 << 20))
        self.own(churn / 'big')
        stop = threading.Event()

        def work():
            i = 0
            while not stop.is_set():
                i += 1
                path = churn / f'file{i % 50}'
                path.write_bytes(os.urandom(2000))
                with open(churn / 'big', 'r+b') as file:
                    file.truncate((5 << 20) + i % 1000)
                    file.seek(i * 1000 % (4 << 20))
                    file.write(os.urandom(100))
                with contextlib.suppress(FileNotFoundError):
                    (churn / f'file{(i + 25) % 50}').unlink()
        writer = threading.Thread(target=work)
        writer.start()
        try:
            result = bkp.run('config-snapshot')
        finally:
            stop.set()
            writer.join()
        self.assertIn(result.code, (0, 3), f'\n{result}')
        if "churn/big'" in result.err:
            self.assertRegex(result.err, r"left out '.*/churn/big': it kept changing")
        target, _ = self.restored(bkp)
        self.assertEqual(described(self.below(target, tree), (b'churn',)), before)
        self.assertEqual(bkp.open_alerts(), [])

    # --- secrets and keys

    def test_secrets_stay_sealed(self):
        """a secret is nowhere in the archive, and who has not its key restores all the rest"""
        bkp, tree = self.new_desk()
        bkp.write(tree / 'nginx/site.pem', 'PRIVATE ' + SECRET.decode(), 0o600)
        # Without a key for them secrets are left out, and that counts.
        result = bkp.ends(3, 'config-snapshot')
        self.assertRegex(result.err, r"left out '.*/\.env': it is secret, and no secrets_key_file")
        keys = self.with_secret_key(bkp)
        bkp.ok('config-snapshot')
        raw = bkp.ok('cat', '--type', 'CONFIGURATION', 'latest').raw
        self.assertNotIn(SECRET, raw)
        self.assertIn(b'worker_processes 4', raw)
        self.assertIn(b'site.pem.bkp-sealed', raw)
        shown = bkp.ok('show', '--type', 'CONFIGURATION', 'latest', '--tables', 'all').out
        self.assertNotIn(SECRET.decode(), shown)
        target, _ = self.restored(bkp)
        self.assertEqual(described(self.below(target, tree)), described(tree))
        keys.rename(keys.with_suffix('.away'))
        target, result = self.restored(bkp, code=3)
        self.assertRegex(result.err, r"not restored: '.*/\.env' is sealed")
        self.assertEqual(described(self.below(target, tree)),
                         described(tree, (b'.env', b'nginx/site.pem')))
        self.assertNotIn(SECRET, b''.join(path.read_bytes() for path in target.rglob('*')
                                         if path.is_file()))
        bkp.ends(2, 'config-snapshot')  # a key that is configured and not there is no excuse
        keys.with_suffix('.away').rename(keys)
        # A wrong key of the same id is found out, not a file of noise.
        text = keys.read_text(encoding='utf-8')
        other = re.sub(r'(?<=secret = ").', lambda found: 'B' if found[0] == 'A' else 'A', text)
        bkp.write(keys, other)
        target = bkp.directory / 'never'
        bkp.ends(4, 'restore', 'latest', '--to-dir', target)
        self.assertFalse(target.exists())

    def test_keys_are_left_out(self):
        """bkp's key files are not in a backup under any name, nor are its storages and catalog"""
        bkp, tree = self.new_desk()
        secret_keys = self.with_secret_key(bkp)
        key_file = bkp.directory / 'keys.toml'
        shutil.copy(key_file, tree / 'copy-of-keys')
        os.link(key_file, tree / 'link-of-keys')
        shutil.copy(secret_keys, tree / 'copy-of-secret-keys')
        self.own(tree / 'copy-of-keys', tree / 'copy-of-secret-keys')
        self.use(bkp, bkp.directory)
        result = bkp.ok('config-snapshot')
        for name in ('keys.toml', 'copy-of-keys', 'link-of-keys', 'copy-of-secret-keys',
                     'secret-keys.toml', 'recovery-kit-shop.txt'):
            self.assertRegex(result.err, f"left out '.*/{name}': it (is|holds)")
        raw = bkp.ok('cat', '--type', 'CONFIGURATION', 'latest').raw
        for secret in bkp.secrets:
            self.assertNotIn(secret.encode(), raw)
        with self.archive(bkp) as archive:
            names = archive.getnames()
        self.assertIn(str(bkp.config)[1:], names)
        self.assertIn(str(bkp.directory / 'secrets.env')[1:] + '.bkp-sealed', names)
        self.assertFalse([name for name in names if '/local/' in name or 'catalog.db' in name])

    # --- what the server says

    def test_what_the_server_says(self):
        """settings, rules, roles, databases: as the server tells them, and no password"""
        self.postgres.sql("CREATE ROLE reporting LOGIN PASSWORD 'reporting-password' CONNECTION LIMIT 7;"
                          'GRANT pg_read_all_data TO reporting;'
                          "ALTER ROLE reporting SET work_mem = '7MB';"
                          "ALTER SYSTEM SET primary_conninfo = 'host=x user=y password=standby-password'")
        self.addCleanup(self.postgres.sql, 'DROP OWNED BY reporting; DROP ROLE reporting')
        self.addCleanup(self.postgres.sql, 'ALTER SYSTEM RESET primary_conninfo')
        self.postgres.sql('SELECT pg_reload_conf()')
        self.postgres.sql('CREATE PUBLICATION everything FOR ALL TABLES', 'shop')
        self.addCleanup(self.postgres.sql, 'DROP PUBLICATION everything', 'shop')
        bkp, _ = self.new_desk()
        self.with_secret_key(bkp)
        bkp.ok('config-snapshot')
        target, _ = self.restored(bkp, 'latest', '--only', 'bkp/server')
        said = {path.name: json.loads(path.read_text(encoding='utf-8'))
                for path in (target / 'bkp/server').iterdir()}
        settings = {each['name']: each for each in said['settings.json']}
        self.assertEqual(settings['max_connections']['setting'], '50')
        self.assertEqual(settings['primary_conninfo']['setting'], 'host=x user=y password=****')
        self.assertNotIn('work_mem', settings)
        self.assertTrue(any('with_password' in (rule['user_name'] or []) for rule in said['hba.json']))
        role = next(each for each in said['roles.json'] if each['rolname'] == 'reporting')
        self.assertEqual((role['rolconnlimit'], role['rolconfig']), (7, ['work_mem=7MB']))
        self.assertEqual(role['member_of'][0]['role'], 'pg_read_all_data')
        self.assertIn('shop', [each['datname'] for each in said['databases.json']])
        shop = said['database-shop.json']
        self.assertEqual([each['name'] for each in shop['extensions']], ['plpgsql'])
        self.assertIn('public.marker', shop['publications'][0]['tables'])
        everything = b''.join(path.read_bytes() for path in (target / 'bkp/server').iterdir())
        for password in (b'reporting-password', b'standby-password', b'SCRAM-SHA'):
            self.assertNotIn(password, everything)
        # Its own files, wherever they are.
        with self.archive(bkp) as archive:
            names = archive.getnames()
        for name in ('postgresql.conf', 'postgresql.auto.conf', 'pg_hba.conf', 'pg_ident.conf'):
            self.assertIn(str(self.postgres.data / name)[1:], names)

    def test_a_role_that_may_not_see_all(self):
        """what a role may not read is named with the GRANT that cures it; the rest is stored"""
        self.postgres.sql('CREATE ROLE small LOGIN')
        self.addCleanup(self.postgres.sql, 'DROP ROLE small')
        self.addCleanup(self.postgres.sql, 'DROP OWNED BY small', 'shop')
        bkp, tree = self.new_desk(user='small')
        self.with_secret_key(bkp)
        result = bkp.ends(3, 'config-snapshot')
        self.assertRegex(result.err, r'hba.json.*GRANT SELECT ON pg_hba_file_rules TO "?small')
        self.assertRegex(result.err, r'settings.json.*GRANT pg_read_all_settings TO "?small')
        self.postgres.sql('GRANT pg_read_all_settings TO small;'
                          'GRANT SELECT ON pg_hba_file_rules, pg_ident_file_mappings, pg_file_settings TO small;'
                          'GRANT EXECUTE ON FUNCTION pg_hba_file_rules(), pg_ident_file_mappings(),'
                          ' pg_show_all_file_settings() TO small', 'shop')
        bkp.ok('config-snapshot')

    def test_a_server_that_is_down(self):
        """the files are stored without the server, and that is said"""
        bkp, tree = self.new_desk()
        self.with_secret_key(bkp)
        self.postgres.stop()
        try:
            result = bkp.ends(3, 'config-snapshot')
            self.assertRegex(result.err, "left out 'bkp/server': cannot connect")
            target, _ = self.restored(bkp)
            self.assertEqual(described(self.below(target, tree)), described(tree))
        finally:
            self.postgres.start()

    # --- twice

    def test_the_same_is_not_stored_twice(self):
        """without a change nothing is stored and that is on record; with one, or a lost copy, it is"""
        bkp, tree = self.new_desk()
        self.with_secret_key(bkp)
        first = bkp.json('config-snapshot')
        objects = bkp.objects()
        os.utime(tree / '.env')
        again = bkp.json('config-snapshot')
        self.assertTrue(again['unchanged'])
        self.assertEqual(again['id'], first['id'])
        self.assertEqual(bkp.objects(), objects)
        self.assertEqual(len(bkp.whole()), 1)
        self.assertIn('last_seen_same', bkp.list()[0]['metadata'])
        self.assertIn('nothing has changed', bkp.ok('config-snapshot').out)
        self.assertIn('nothing has changed', bkp.catalog("SELECT * FROM runs WHERE command ="
                                                        " 'config-snapshot' ORDER BY started_at DESC")[0]['message'])
        (tree / 'nginx/nginx.conf').chmod(0o600)
        self.assertFalse(bkp.json('config-snapshot')['unchanged'])
        bkp.write(tree / '.env', 'PAYMENT=another\n')
        third = bkp.json('config-snapshot')
        self.assertFalse(third['unchanged'])
        (bkp.local / bkp.path(third)).unlink()
        fourth = bkp.json('config-snapshot')
        self.assertFalse(fourth['unchanged'])
        self.assertEqual(fourth['status'], 'VERIFIED')

    def test_a_killed_run_leaves_nothing(self):
        """killed at many moments: no backup that is none, and the next run clears away and works"""
        bkp, tree = self.new_desk()
        self.with_secret_key(bkp)
        (tree / 'large').write_bytes(os.urandom(40 << 20))
        self.own(tree / 'large')
        seconds = bkp.ok('config-snapshot').seconds
        (tree / 'large').write_bytes(os.urandom(40 << 20))
        for i in range(8):
            run = bkp.start('config-snapshot')
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.process.wait(seconds * (i + 0.5) / 9)
            run.kill(signal.SIGTERM if i % 3 == 0 else signal.SIGKILL)
            run.wait()
        bkp.ok('config-snapshot')
        self.assertEqual([name for name in bkp.objects() if 'inprogress' in name], [])
        data = [name for name in bkp.objects()
                if '/configuration/' in name and name.endswith('.enc')]
        self.assertEqual(len(data), len(bkp.whole()))
        target, _ = self.restored(bkp)
        self.assertEqual(described(self.below(target, tree)), described(tree))
        bkp.ok('verify', '--all', '--deep')

    # --- restoring

    def test_parts_and_places(self):
        """--only takes parts; a place that is not empty, and a pattern of nothing, are refused"""
        bkp, tree = self.new_desk()
        self.with_secret_key(bkp)
        os.link(tree / 'nginx/nginx.conf', tree / 'nginx/same.conf')
        bkp.ok('config-snapshot')
        target, _ = self.restored(bkp, 'latest', '--only', '*/same.conf')
        files = [path for path in target.rglob('*') if path.is_file()]
        self.assertEqual([path.name for path in files], ['same.conf'])
        self.assertEqual(files[0].read_text(), 'worker_processes 4;\n')
        target, _ = self.restored(bkp, 'latest', '--only', str(tree / 'nginx'), '--only', '*.conf')
        self.assertEqual(described(self.below(target, tree / 'nginx')), described(tree / 'nginx'))
        taken = make_directory(bkp.directory / 'taken')
        (taken / 'mine').write_text('mine')
        self.own(taken / 'mine')
        self.told(bkp.run('restore', 'latest', '--to-dir', taken), 2, 'is not empty',
                  hint='never overwrites')
        self.assertEqual([path.name for path in taken.iterdir()], ['mine'])
        self.told(bkp.run('restore', 'latest', '--to-dir', bkp.directory / 'none', '--only', '*.nope'),
                  2, r"nothing in the backup is of '\*\.nope'")
        self.assertFalse((bkp.directory / 'none').exists())
        empty = make_directory(bkp.directory / 'was-empty', 0o750)
        bkp.ok('restore', 'latest', '--to-dir', empty)
        self.assertEqual(described(self.below(empty, tree)), described(tree))
        self.assertEqual(stat.S_IMODE(empty.stat().st_mode), 0o750)
        # A damaged copy with no other is no restore.
        backup = bkp.json('show', '--type', 'CONFIGURATION', 'latest')
        path = bkp.local / bkp.path(backup)
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
        bkp.ends(4, 'restore', 'latest', '--to-dir', bkp.directory / 'none')
        self.assertFalse((bkp.directory / 'none').exists())
        self.assertEqual([name for name in os.listdir(bkp.directory) if 'bkp-restore' in name], [])
        restores = bkp.catalog('SELECT * FROM restores')
        self.assertEqual({each['mode'] for each in restores}, {'files'})

    def test_root_gives_owners_back(self):
        """started as root it reads what its user may not, and gives files back to their owners"""
        if os.getuid() != 0:
            self.skipTest('not root')
        bkp, tree = self.new_desk()
        self.with_secret_key(bkp)
        foreign = tree / 'foreign'
        foreign.write_text('of another user')
        os.chown(foreign, 4711, 4712)
        foreign.chmod(0o4600)
        argv = [OPTIONS.bkp, '-c', str(bkp.config)]
        done = subprocess.run([*argv, 'config-snapshot'], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        target = bkp.directory / 'by-root'
        done = subprocess.run([*argv, 'restore', 'latest', '--to-dir', target], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        status = self.below(target, foreign).stat()
        self.assertEqual((status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)),
                         (4711, 4712, 0o4600))
        # What it wrote for itself is the user's, not root's.
        self.assertEqual({path.stat().st_uid for path in bkp.local.rglob('*')}, {OWNER.pw_uid})
        # Another user is told, and gets no set-id bit.
        target, result = self.restored(bkp)
        self.assertIn('only root can give files away', result.err)
        self.assertEqual(stat.S_IMODE(self.below(target, foreign).stat().st_mode), 0o600)

    # --- what has changed

    def test_what_has_changed(self):
        """--diff names what is new, gone and changed, on disk and in the server, and no content"""
        bkp, tree = self.new_desk()
        self.with_secret_key(bkp)
        bkp.write(tree / 'gone', 'x')
        made = bkp.json('config-snapshot')
        self.assertEqual(bkp.json('config-snapshot', '--diff')['changes'], [])
        (tree / 'gone').unlink()
        bkp.write(tree / 'new', 'y')
        (tree / 'nginx/nginx.conf').chmod(0o600)
        bkp.write(tree / '.env', f'PAYMENT={SECRET.decode()}-and-more\n')
        self.postgres.sql("ALTER SYSTEM SET work_mem = '8MB'")
        self.addCleanup(self.postgres.sql, 'ALTER SYSTEM RESET work_mem')
        self.postgres.sql('SELECT pg_reload_conf()')
        diff = bkp.json('config-snapshot', '--diff', made['id'][:8])
        self.assertEqual(diff['since'], made['id'])
        changes = {each['path']: each for each in diff['changes']}
        self.assertEqual(changes[str(tree / 'gone')]['change'], 'removed')
        self.assertEqual(changes[str(tree / 'new')]['change'], 'added')
        self.assertEqual(changes[str(tree / 'nginx/nginx.conf')]['what'], ['mode 0644 → 0600'])
        self.assertRegex(changes[str(tree / '.env')]['what'][0], r'content, \d+ → \d+ bytes')
        self.assertEqual(changes['bkp/server/settings.json']['what'], ['work_mem: added'])
        told = bkp.ok('config-snapshot', '--diff')
        self.assertIn(f'- {tree}/gone', told.out)
        self.assertEqual(len(bkp.whole()), 1)

    def test_beside_other_backups(self):
        """latest still is a database's; list, show, verify and cat know the type; one runs at a time"""
        bkp, _ = self.new_desk()
        self.with_secret_key(bkp)
        dump = bkp.json('dump')[0]
        made = bkp.json('config-snapshot', '--note', 'first')
        self.assertEqual(made['type'], 'CONFIGURATION')
        self.assertEqual(bkp.json('show', 'latest')['id'], dump['id'])
        self.assertEqual(bkp.json('list', '--type', 'CONFIGURATION')[0]['note'], 'first')
        self.assertIn('nginx.conf', bkp.ok('show', made['id'], '--tables', 'all').out)
        bkp.ok('verify', made['id'], '--deep')
        self.told(bkp.run('restore', made['id'], '--into', 'x'), 2, 'CONFIGURATION', hint='--to-dir')
        self.told(bkp.run('restore', dump['id'], '--to-dir', bkp.directory / 'x'), 2, 'FULL_DATABASE')


if __name__ == '__main__':
    main()
