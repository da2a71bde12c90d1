#!/usr/bin/python3
"""A database with every type of object goes out into three storages and comes back the same."""

import hashlib
import re
import shutil
import subprocess
import unittest

from harness import SOURCE, Story, environment, main
from servers import BIN, OWNER

PROPERTIES = """
SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datlocprovider, datcollate, datctype,
       daticulocale, datconnlimit, datallowconn, datistemplate, dattablespace,
       shobj_description(oid, 'pg_database'),
       (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a)
  FROM pg_database WHERE datname = '{0}'
UNION ALL
SELECT coalesce(pg_get_userbyid(nullif(setrole, 0)), ''), s, '', '', '', '', 0, true, true, 0, '',
       NULL
  FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase, unnest(setconfig) s
  WHERE datname = '{0}'
ORDER BY 1, 2
"""

FIELDS = {'id', 'type', 'status', 'database', 'tenant', 'filename', 'size_bytes',
          'plain_size_bytes', 'checksum', 'plain_checksum', 'compression_ratio',
          'duration_seconds', 'created_at', 'verified_at', 'created_by', 'host', 'job_id', 'note',
          'metadata', 'copies'}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class RoundTrip(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fixtures = {}
        cls.postgres.sql('CREATE DATABASE every TEMPLATE template0 ENCODING UTF8 LOCALE_PROVIDER icu'
                         " ICU_LOCALE 'de' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'")
        cls.postgres.load(SOURCE / 'tests/data/every_object_type.sql', 'every')
        for statement in (
                'ALTER DATABASE every OWNER TO every_owner',
                "COMMENT ON DATABASE every IS 'it''s \"every\" type; -- \\ of object'",
                'ALTER DATABASE every CONNECTION LIMIT 17',
                'REVOKE CONNECT, TEMPORARY ON DATABASE every FROM PUBLIC',
                'GRANT CONNECT ON DATABASE every TO every_reader WITH GRANT OPTION',
                "ALTER DATABASE every SET timezone = 'Asia/Kathmandu'",
                "ALTER DATABASE every SET bytea_output = 'escape'",
                "ALTER DATABASE every SET datestyle = 'German, DMY'",
                "ALTER DATABASE every SET search_path = app, \"Ünï \"\"cödé\"\" schema\", public",
                "ALTER ROLE every_reader IN DATABASE every SET work_mem = '7MB'"):
            cls.postgres.sql(statement)

    def backup(self, compression='gzip:9'):
        """(bkp, backup) of the database in three storages, made once for each compression."""
        if compression not in self.fixtures:
            bkp = self.new_bkp('every', clouds=['r2', 'b2'])
            bkp.edit('^dump = "gzip:9"', f'dump = "{compression}"')
            made = bkp.json('dump', '--note', 'the first one')
            self.fixtures[compression] = (bkp, made[0])
        bkp, backup = self.fixtures[compression]
        bkp.story = self
        self.bkps.append(bkp)
        return bkp, backup

    def assert_same_database(self, name):
        self.assertEqual(self.postgres.schema_of(name), self.postgres.schema_of('every'))
        self.assertEqual(self.postgres.sql(PROPERTIES.format(name)),
                         self.postgres.sql(PROPERTIES.format('every')))

    def assert_restores(self, compression, *options):
        bkp, backup = self.backup(compression)
        name = self.dropped_afterwards('every_again')
        restored = bkp.json('restore', backup['id'][:8], '--into', name, '--reason', 'a test',
                            *options)
        self.assertEqual(restored['outcome'], 'DONE')
        self.assertEqual(restored['bytes'], backup['plain_size_bytes'])
        self.assert_same_database(name)
        log = bkp.catalog('SELECT * FROM restores WHERE id = ?', restored['id'])[0]
        self.assertEqual((log['outcome'], log['mode'], log['target'], log['reason']),
                         ('DONE', 'full', name, 'a test'))
        self.assertIn(log['source_storage'], ('local', 'r2', 'b2'))
        self.assertGreater(log['rows_restored'], 5000)

    def test_a_dump_is_the_same_bytes_in_every_storage(self):
        """a dump is the same bytes in every storage, read back and found good"""
        bkp, backup = self.backup()
        self.assertEqual(FIELDS - set(backup), set())
        self.assertEqual(backup['status'], 'VERIFIED')
        self.assertEqual({c['storage']: c['state'] for c in backup['copies']},
                         dict.fromkeys(['local', 'r2', 'b2'], 'GOOD'))
        self.assertRegex(backup['filename'],
                         r'^backup_full_database_\d{8}_\d{6}_[0-9a-f]{8}\.dump\.gz\.enc$')
        name = bkp.path(backup)
        stored = (bkp.local / name).read_bytes()
        self.assertEqual((len(stored), sha256(stored)), (backup['size_bytes'], backup['checksum']))
        for client, bucket in bkp.buckets.values():
            self.assertEqual(client.get(bucket, name), stored)
        bkp.assert_only_whole_backups_are_stored(copies=3)

    def test_what_is_stored_shows_nothing_of_the_database(self):
        """what is stored shows nothing of the database, nor who made it or where to"""
        bkp, _ = self.backup()
        for name in bkp.objects():
            content = (bkp.local / name).read_bytes()
            for word in (b'every', b'customers', b'the first one', bkp.secrets[0].encode()):
                self.assertNotIn(word, content, name)
        self.assertEqual(bkp.local.stat().st_mode & 0o077, 0)

    def test_list_and_show_tell_it(self):
        """list and show tell what was made"""
        bkp, backup = self.backup()
        listed = bkp.list('--status', 'VERIFIED', '--database', 'every', '--storage', 'b2')
        self.assertEqual([b['id'] for b in listed], [backup['id']])
        self.assertEqual(listed[0]['note'], 'the first one')
        shown = bkp.json('show', backup['filename'])
        tables = {(t['schema'], t['name']): t for t in shown['tables']}
        self.assertEqual(tables['app', 'no_columns']['rows'], 17)
        self.assertEqual(tables['app', 'empty']['rows'], 0)
        self.assertEqual(tables['app', 'with_options']['rows'], 3000)
        text = bkp.ok('show', 'latest').out
        for word in (backup['id'], 'VERIFIED', 'every', backup['checksum'], 'r2', 'b2'):
            self.assertIn(word, text)
        self.assertIn(backup['id'][:8], bkp.ok('list').out)

    def test_cat_is_a_whole_archive(self):
        """cat is the archive that pg_dump wrote, from each storage"""
        bkp, backup = self.backup()
        archive = bkp.ok('cat', 'latest').raw
        self.assertEqual((len(archive), sha256(archive)),
                         (backup['plain_size_bytes'], backup['plain_checksum']))
        subprocess.run([BIN / 'pg_restore', '-f', '/dev/null'], input=archive, check=True,
                       env=environment(self.place))
        for storage in ('r2', 'b2'):
            self.assertEqual(bkp.ok('cat', backup['id'], '--storage', storage).raw, archive)

    def assert_opened_without_bkp(self, compression):
        bkp, backup = self.backup(compression)
        opened = subprocess.run(
            ['/usr/bin/python3', SOURCE / 'examples/bkp-open.py', '--key-file',
             bkp.directory / 'keys.toml', bkp.local / bkp.path(backup)],
            check=True, capture_output=True).stdout
        self.assertEqual(sha256(opened), sha256(bkp.ok('cat', backup['id']).raw))

    def test_bkp_open_reads_gzip(self):
        """examples/bkp-open.py opens a stored object to the bytes that cat gives: gzip"""
        self.assert_opened_without_bkp('gzip:9')

    def test_bkp_open_reads_zstd(self):
        """examples/bkp-open.py opens a stored object to the bytes that cat gives: zstd"""
        self.assert_opened_without_bkp('zstd:3')

    def test_verify_finds_every_copy_good(self):
        """verify --deep finds every copy good"""
        bkp, backup = self.backup()
        verified = bkp.json('verify', backup['id'], '--deep')[0]
        self.assertEqual(verified['status'], 'VERIFIED')
        self.assertEqual([c['state'] for c in verified['checks']], ['GOOD'] * 3)

    def test_restored_in_parallel(self):
        """restore --jobs 4 brings back schema, properties and rows"""
        self.assert_restores('gzip:9', '--jobs', '4')

    def test_restored_as_a_stream(self):
        """restore --jobs 1 brings back schema, properties and rows"""
        self.assert_restores('gzip:9', '--jobs', '1')

    def test_restored_from_zstd(self):
        """a backup in zstd comes back the same"""
        self.assert_restores('zstd:3')

    def test_proved_under_other_settings(self):
        """settings of the target's server and role do not disturb the proof"""
        settings = {'timezone': 'America/St_Johns', 'bytea_output': 'escape', 'datestyle': 'Postgres',
                    'intervalstyle': 'sql_standard', 'extra_float_digits': '0',
                    'lc_monetary': 'C', 'row_security': 'off', 'xmlbinary': 'hex',
                    'statement_timeout': '100ms'}
        try:
            for name, value in settings.items():
                self.postgres.sql(f"ALTER ROLE {OWNER.pw_name} SET {name} = '{value}'")
            self.assert_restores('gzip:9')
        finally:
            self.postgres.sql(f'ALTER ROLE {OWNER.pw_name} RESET ALL')

    def test_an_existing_database_is_refused(self):
        """a restore into a database that exists is refused and touches nothing"""
        bkp, backup = self.backup()
        self.postgres.create_database(self.dropped_afterwards('precious'))
        before = self.postgres.databases()
        result = bkp.run('restore', backup['id'], '--into', 'precious')
        self.told(result, 2, "'precious' exists already", hint='another name')
        self.assertEqual(self.postgres.databases(), before)
        self.assertEqual(self.postgres.sql('SELECT n FROM marker', 'precious'), '0')

    def test_missing_roles_are_named_first(self):
        """roles that the server lacks are named before anything is written; the hint cures it"""
        owner, reader = 'gone', 'Gone "too"'
        quoted = '"Gone ""too"""'
        self.postgres.create_database('leaving')
        self.postgres.sql(f'CREATE ROLE {owner}; CREATE ROLE {quoted};'
                          f'ALTER TABLE marker OWNER TO {owner};'
                          f'GRANT SELECT ON filler TO {quoted};'
                          f'GRANT CONNECT ON DATABASE leaving TO {quoted}', 'leaving')
        bkp = self.new_bkp('leaving')
        bkp.ok('dump')
        self.postgres.sql('DROP DATABASE leaving')
        self.postgres.sql(f'DROP ROLE {owner}; DROP ROLE {quoted}')
        before = self.postgres.databases()
        self.dropped_afterwards('back')
        for jobs in ('1', '4'):
            result = bkp.run('restore', 'latest', '--into', 'back', '--jobs', jobs)
            self.told(result, 1, 'lacks roles', owner, re.escape(reader), hint='CREATE ROLE')
            self.assertEqual(self.postgres.databases(), before)
        cure = re.search('^hint: .*as a superuser: (.*)$', result.err, re.M).group(1)
        self.postgres.sql(cure)
        bkp.ok('restore', 'latest', '--into', 'back')

    def test_odd_names(self):
        """databases of any name are dumped and restored"""
        names = ["it's a \"dätabase\" \\ = x", 'dbname=postgres', '-rf', 'postgresql://x', 'ÜBER',
                 'a' * 63]
        bkp = self.new_bkp('postgres')
        for name in names:
            quoted = '"' + name.replace('"', '""') + '"'
            self.postgres.sql(f'CREATE DATABASE {quoted}')
        made = bkp.json('dump', *(f'--db={name}' for name in names))
        self.assertEqual([b['database'] for b in made], names)
        for name in names:
            quoted = '"' + name.replace('"', '""') + '"'
            self.postgres.sql(f'DROP DATABASE {quoted}')
            bkp.ok('restore', 'latest', f'--db={name}', f'--into={name}')
            self.assertIn(name, self.postgres.databases())
            self.postgres.sql(f'DROP DATABASE {quoted}')

    def test_all_databases(self):
        """dump --all takes every database that allows connections, empty ones too"""
        bkp = self.new_bkp('postgres')
        made = bkp.json('dump', '--all')
        self.assertEqual([b['database'] for b in made], ['every', 'postgres'])
        bkp.ok('restore', 'latest', '--db', 'postgres', '--into',
               self.dropped_afterwards('postgres_again'))

    def test_a_new_host(self):
        """one bucket and the key file bring everything back on a new host"""
        bkp, backup = self.backup()
        client, bucket = bkp.buckets['b2']
        new = self.new_bkp('every', cluster='other')
        shutil.copy(bkp.directory / 'keys.toml', new.directory / 'keys.toml')
        (new.catalog_file).unlink()
        for suffix in ('-wal', '-shm'):
            (new.directory / f'catalog.db{suffix}').unlink(missing_ok=True)
        new.edit('^name = "other"', 'name = "shop"')
        new.cluster = 'shop'
        new.add_s3('b2', self.rgw, bucket=bucket, initialise=False)
        new.edit('(?s)^\\[\\[storage\\]\\]\nname = "local".*?(?=^# A copy)', '')
        new.ok('init')
        listed = new.list()
        self.assertEqual([b['id'] for b in listed], [backup['id']])
        name = self.dropped_afterwards('every_there')
        new.ok('restore', 'latest', '--into', name)
        self.assert_same_database(name)


if __name__ == '__main__':
    unittest.TestCase.maxDiff = 2000
    main()
