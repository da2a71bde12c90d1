#!/usr/bin/python3
"""Roles, memberships, settings and tablespaces travel with a dump, and come back as they were."""

import json
import shutil

from harness import Story, main
from servers import Postgres, make_directory

VERIFIER = 'SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2E=$' + 43 * 'A' + '=:' + 43 * 'B' + '='
MD5 = 'md5' + 'ab' * 16

# What pg_dumpall knows, with names and values that want quoting. {place}: a directory.
RICH = r'''
CREATE ROLE owner_of_all CREATEDB CREATEROLE INHERIT;
CREATE ROLE "Odd ""Role"" \ 'x'" LOGIN PASSWORD '{verifier}' CONNECTION LIMIT 7 VALID UNTIL '2031-02-03 04:05:06.789+00';
CREATE ROLE "user" NOINHERIT LOGIN PASSWORD '{md5}' VALID UNTIL 'infinity';
CREATE ROLE "größe" REPLICATION BYPASSRLS LOGIN;
CREATE ROLE second_super SUPERUSER;
CREATE ROLE a; CREATE ROLE b; CREATE ROLE c; CREATE ROLE aaa_member;
COMMENT ON ROLE "Odd ""Role"" \ 'x'" IS E'it''s a \\ comment\nof two lines';
COMMENT ON ROLE a IS 'plain';
ALTER ROLE "user" SET search_path = "$user", public, "Odd, ""Schema""";
ALTER ROLE "user" SET work_mem = '64MB';
ALTER ROLE "user" SET app.tenant = E'it''s "q" \\ =x';
ALTER ROLE b SET temp_tablespaces = '';
ALTER ROLE b SET default_transaction_read_only = on;
GRANT a TO b WITH ADMIN OPTION;
GRANT a TO aaa_member WITH ADMIN OPTION;
GRANT owner_of_all TO "Odd ""Role"" \ 'x'", "größe";
GRANT pg_monitor, pg_read_all_data TO c WITH ADMIN OPTION;
GRANT c TO second_super;
CREATE TABLESPACE "Fast ""Disk""" OWNER owner_of_all LOCATION '{place}' WITH (seq_page_cost = 1.25, effective_io_concurrency = 7);
CREATE TABLESPACE another OWNER "user" LOCATION '{other}';
COMMENT ON TABLESPACE another IS 'it''s the other one';
GRANT CREATE ON TABLESPACE "Fast ""Disk""" TO "größe" WITH GRANT OPTION;
SET ROLE "größe"; GRANT CREATE ON TABLESPACE "Fast ""Disk""" TO c; RESET ROLE;
REVOKE ALL ON TABLESPACE another FROM "user"; GRANT CREATE ON TABLESPACE another TO PUBLIC;
'''
# Grantors that are no superusers: in a circle, and one standing on the other's admin option.
GRANTS = {
    15: 'REVOKE a FROM b; GRANT a TO c WITH ADMIN OPTION GRANTED BY b;'
        'GRANT a TO b WITH ADMIN OPTION GRANTED BY c; GRANT b TO "größe" GRANTED BY "user";',
    16: 'SET ROLE b; GRANT a TO "user" WITH ADMIN OPTION; SET ROLE "user";'
        'GRANT a TO c WITH INHERIT FALSE, SET FALSE; RESET ROLE; GRANT b TO c WITH INHERIT TRUE, SET FALSE;'
        'SET ROLE aaa_member; GRANT a TO c; RESET ROLE; GRANT b TO "größe" WITH ADMIN TRUE, INHERIT FALSE;',
}
PARAMETERS = """
GRANT SET ON PARAMETER log_statement TO c WITH GRANT OPTION;
GRANT SET, ALTER SYSTEM ON PARAMETER app.thing TO "Odd ""Role"" \\ 'x'";
SET ROLE c; GRANT SET ON PARAMETER log_statement TO a; RESET ROLE;
"""


def make_rich(postgres, place):
    for name in ('fast', 'other'):
        make_directory(place / name)
    postgres.sql(RICH.format(verifier=VERIFIER, md5=MD5, place=place / 'fast', other=place / 'other'))
    postgres.sql(GRANTS[16 if postgres.major >= 16 else 15])
    if postgres.major >= 15:
        postgres.sql(PARAMETERS)


def empty_directories(place):
    """The disks of the new host."""
    for name in ('fast', 'other'):
        shutil.rmtree(place / name)
        make_directory(place / name)


class Globals(Story):
    def setUp(self):
        super().setUp()
        name = f'g{self._testMethodName[-12:]}'
        self.disks = make_directory(self.place / f'disks-{name}', 0o755)
        self.source = Postgres(self.place / f'{name}-a')
        self.addCleanup(self.source.stop)
        self.target = Postgres(self.place / f'{name}-b')
        self.addCleanup(self.target.stop)

    def bkp_of(self, user=None, database='postgres', bkp=None):
        """bkp that backs up the source and restores into the target."""
        bkp = bkp or self.new_bkp('postgres')
        bkp.edit(r'^conninfo = .*', f'conninfo = "{self.source.conninfo(database, user)}"')
        bkp.edit(r'^# conninfo = .*', f'conninfo = "{self.target.conninfo()}"')
        return bkp

    def test_a_new_cluster_gets_all_of_it(self):
        """after --globals-only, pg_dumpall -g of the new cluster is that of the old one"""
        make_rich(self.source, self.disks)
        wanted = self.source.globals()
        self.assertIn(VERIFIER, wanted)
        bkp = self.bkp_of()
        bkp.secrets += [VERIFIER, MD5]
        bkp.ok('dump')
        self.source.stop()
        empty_directories(self.disks)

        # A dry run shows SQL without a password and does nothing.
        before = self.target.globals()
        sql = bkp.ok('restore', 'latest', '--globals-only', '--dry-run').out
        self.assertIn('CREATE ROLE "größe"', sql)
        self.assertIn("\n-- ALTER ROLE \"user\" PASSWORD '****';", sql)
        self.assertEqual(self.target.globals(), before)
        plan = bkp.json('restore', 'latest', '--globals-only', '--dry-run')
        self.assertTrue(plan['dry_run'])
        self.assertEqual(plan['tablespaces'], ['Fast "Disk"', 'another'])
        self.assertEqual(self.target.globals(), before)

        result = bkp.json('restore', 'latest', '--globals-only')
        self.assertEqual(self.target.globals(), wanted)
        self.assertEqual((result['differences'], result['left_out']), ([], []))
        self.assertEqual(len(result['roles']), 9)
        self.assertEqual(result['restore']['outcome'], 'DONE')
        # Again: there is nothing left to make, and nothing differs.
        again = bkp.json('restore', 'latest', '--globals-only')
        self.assertEqual((again['roles'], again['tablespaces'], again['differences']), ([], [], []))
        self.assertEqual(self.target.globals(), wanted)

    def test_a_database_comes_with_its_owners(self):
        """--globals makes what a database needs, and the database comes back into its tablespace"""
        make_rich(self.source, self.disks)
        self.source.sql('CREATE DATABASE shop OWNER "user" TABLESPACE another')
        self.source.sql('CREATE TABLE t (a int) TABLESPACE "Fast ""Disk""";'
                        'INSERT INTO t VALUES (1);'
                        'ALTER TABLE t OWNER TO "größe"', 'shop')
        bkp = self.bkp_of(database='shop')
        bkp.ok('dump')
        self.source.stop()
        self.told(bkp.run('restore', 'latest', '--into', 'shop'), 1, 'lacks roles.*größe',
                  hint='--globals')
        # Without its directory no tablespace can be made: told before anything is.
        shutil.rmtree(self.disks / 'fast')
        before = self.target.globals()
        self.told(bkp.run('restore', 'latest', '--into', 'shop', '--globals'), 1,
                  f"no directory '{self.disks}/fast' for tablespace 'Fast \"Disk\"'",
                  hint='install -d')
        self.assertEqual((self.target.globals(), 'shop' in self.target.databases()), (before, False))
        made = bkp.json('restore', 'latest', '--into', 'shop', '--globals', '--no-tablespaces')
        self.assertIn('größe', made['globals']['roles'])
        self.assertEqual(made['outcome'], 'DONE')
        self.assertEqual(self.target.sql('SELECT count(*) FROM pg_tablespace'), '2')
        empty_directories(self.disks) if (self.disks / 'fast').exists() else make_directory(
            self.disks / 'fast')
        shutil.rmtree(self.disks / 'other')
        make_directory(self.disks / 'other')
        self.told(bkp.run('restore', 'latest', '--into', 'shop', '--globals'), 2,
                  "database 'shop' exists already")
        self.assertEqual(self.target.sql('SELECT count(*) FROM pg_tablespace'), '2')
        bkp.ok('restore', 'latest', '--into', 'shop2', '--globals')
        self.assertEqual(self.target.sql(
            "SELECT spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace "
            "WHERE datname = 'shop2'"), 'another')
        self.assertEqual(self.target.sql(
            "SELECT tablespace, tableowner FROM pg_tables WHERE tablename = 't'", 'shop2'),
            'Fast "Disk"|größe')

    def test_what_is_there_stays(self):
        """a role that is there otherwise is listed with all that differs, and never changed"""
        make_rich(self.source, self.disks)
        bkp = self.bkp_of()
        bkp.secrets += [VERIFIER, MD5]
        bkp.ok('dump')
        self.source.stop()
        empty_directories(self.disks)
        self.target.sql("CREATE ROLE \"user\" LOGIN SUPERUSER PASSWORD 'mine';"
                        "ALTER ROLE \"user\" SET work_mem = '1MB'; CREATE ROLE a; CREATE ROLE b;"
                        "GRANT b TO \"user\"; ALTER ROLE ALL SET statement_timeout = '1h'")
        kept = [line for line in self.target.globals().splitlines() if 'user' in line or ' a' in line]
        result = bkp.json('restore', 'latest', '--globals-only', code=None)
        told = '\n'.join(each['what'] for each in result['differences'])
        for what in ("role 'user': NOSUPERUSER in the backup, SUPERUSER here",
                     "role 'user': NOINHERIT in the backup, INHERIT here",
                     "role 'user': another password in the backup",
                     "role 'user': work_mem = '64MB' in the backup, '1MB' here",
                     "role 'user': search_path = ", "role 'a': the comment is 'plain'",
                     "role 'b': a member of 'a' with ADMIN", "role 'user': a member of 'b' here",
                     "all roles: statement_timeout is not set in the backup, '1h' here"):
            self.assertIn(what, told)
        now = self.target.globals()
        for line in kept:
            self.assertIn(line, now)
        self.assertNotIn("a GRANTED BY", '\n'.join(kept))
        self.assertEqual(self.target.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'größe'"), '1')
        self.assertNotIn('GRANT a TO b', now)
        self.assertIn('ALTER ROLE "user" NOSUPERUSER;',
                      [each['sql'] for each in result['differences']])

    def test_a_role_that_may_not_read_passwords(self):
        """without the right to read passwords a dump has none, and show, doctor and restore say so"""
        make_rich(self.source, self.disks)
        self.source.sql('CREATE ROLE taker LOGIN; CREATE DATABASE shop OWNER taker')
        bkp = self.bkp_of(user='taker', database='shop')
        bkp.secrets += [VERIFIER, MD5]
        bkp.ok('dump')
        self.assertRegex(bkp.ok('show', 'latest').out, 'Globals .*11 roles.*without passwords')
        self.assertEqual(bkp.json('show', 'latest')['globals']['passwords'], False)
        doctor = bkp.run('doctor')
        self.assertRegex(doctor.out, "WARN  passwords: role 'taker' may not read")
        cure = 'GRANT pg_read_all_data TO taker;'
        self.assertIn(cure, doctor.out)
        empty_directories(self.disks)
        result = bkp.json('restore', 'latest', '--globals-only', '--no-tablespaces')
        self.assertEqual(result['passwords'], False)
        self.assertIn('user', result['without_password'])
        self.assertEqual(self.target.sql('SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL'),
                         '0')
        # The cure that doctor prints cures.
        self.source.sql(cure)
        self.assertNotIn('WARN  passwords', bkp.run('doctor').out)
        bkp.ok('dump')
        self.assertEqual(bkp.json('show', 'latest')['globals']['passwords'], True)

    def test_no_verifier_is_told(self):
        """no verifier is in the server's log, whatever it logs, nor in what is stored or printed"""
        make_rich(self.source, self.disks)
        bkp = self.bkp_of()
        bkp.secrets += [VERIFIER, MD5]
        bkp.ok('dump')
        self.source.stop()
        empty_directories(self.disks)
        self.target.sql("ALTER SYSTEM SET log_statement = 'all'")
        self.target.sql('ALTER SYSTEM SET log_min_duration_statement = 0')
        self.target.sql('ALTER SYSTEM SET log_min_messages = notice')
        self.target.sql('SELECT pg_reload_conf()')
        bkp.ok('restore', 'latest', '--globals-only')
        bkp.ok('restore', 'latest', '--globals-only', '--json')
        log = (self.target.directory / 'log').read_text(encoding='utf-8')
        self.assertIn('CREATE ROLE "user"', log)
        stored = [bkp.catalog_file, *bkp.directory.glob('catalog.db-*'),
                  *(bkp.local / name for name in bkp.objects())]
        for secret in (VERIFIER, MD5):
            self.assertNotIn(secret, log)
            for path in stored:
                self.assertNotIn(secret.encode(), path.read_bytes(), path)
        self.assertIn(VERIFIER, self.target.globals())

    def test_a_failed_restore_makes_no_role(self):
        """a restore that fails half-way has made no role at all"""
        make_rich(self.source, self.disks)
        bkp = self.bkp_of()
        bkp.ok('dump')
        bkp.edit(r'^conninfo = "host=\S+-b .*', f'conninfo = "{self.target.conninfo(user="maker")}"')
        self.target.sql('CREATE ROLE maker LOGIN CREATEROLE')
        before = self.target.globals()
        told = bkp.run('restore', 'latest', '--globals-only')
        self.told(told, 1, 'no role was made', hint='superuser')
        self.assertEqual(self.target.globals(), before)
        self.assertEqual(len(bkp.open_alerts('RESTORE_FAILURE')), 1)

    def test_a_setting_that_the_server_does_not_take(self):
        """a setting that the server refuses is told, everything else is made, exit 3"""
        self.source.sql("CREATE ROLE one; ALTER ROLE one SET work_mem = '8MB'; CREATE ROLE two")
        self.source.sql("UPDATE pg_db_role_setting SET setconfig = '{{work_mem=8MB,no_such=1}}'"
                        .replace('{{', '{').replace('}}', '}'))
        bkp = self.bkp_of()
        bkp.ok('dump')
        result = bkp.json('restore', 'latest', '--globals-only', code=3)
        self.assertRegex(json.dumps(result['left_out']), "setting 'no_such' of role 'one'")
        self.assertEqual(self.target.sql("SELECT setconfig FROM pg_db_role_setting"), '{work_mem=8MB}')
        self.assertEqual(result['roles'], ['one', 'two'])


if __name__ == '__main__':
    main()
