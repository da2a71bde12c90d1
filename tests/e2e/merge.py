#!/usr/bin/python3
"""A full backup merged into a database that is there: what is missing comes back, what is there
stays, and what only the database has is never touched."""

import subprocess
import threading

from harness import OPTIONS, Story, main
from servers import BIN, wait_until

# Every shape that a row may have to come back into. All tables but `unkeyed` have a key.
SCHEMA = r"""
CREATE EXTENSION citext;
CREATE TABLE companies (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name citext UNIQUE,
  code text, CONSTRAINT code_once UNIQUE (code) DEFERRABLE, shout text GENERATED ALWAYS AS (upper(code)) STORED);
CREATE UNIQUE INDEX companies_lower ON companies (lower(code)) WHERE code <> '';
CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, company int NOT NULL REFERENCES companies,
  branch int NOT NULL);
CREATE TABLE branches (id serial PRIMARY KEY, manager bigint NOT NULL REFERENCES users, name text);
ALTER TABLE users ADD FOREIGN KEY (branch) REFERENCES branches;          -- a circle, not deferrable
CREATE TABLE items (id int PRIMARY KEY, parent int REFERENCES items, label text, price numeric(9, 2), doc jsonb,
  at timestamptz DEFAULT now());
CREATE TABLE sales (id int, at date, company int REFERENCES companies DEFERRABLE INITIALLY DEFERRED, note text,
  PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE sales_2024 PARTITION OF sales FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE sales_rest PARTITION OF sales DEFAULT;
CREATE TABLE sale_lines (sale int, at date, line smallint, item int REFERENCES items, PRIMARY KEY (sale, at, line),
  FOREIGN KEY (sale, at) REFERENCES sales ON DELETE CASCADE);
CREATE TABLE rates (factor numeric PRIMARY KEY, note text);
CREATE TABLE tags (name citext PRIMARY KEY, note text);
CREATE TABLE bookings (id int PRIMARY KEY, room int, during int4range, EXCLUDE USING gist (during WITH &&));
CREATE TABLE parents (id int PRIMARY KEY, t text);
CREATE TABLE children (extra int, PRIMARY KEY (id)) INHERITS (parents);
CREATE TABLE unkeyed (a int, b text);
CREATE TABLE odd (k text, v json, PRIMARY KEY (k));
CREATE SCHEMA "Ünï ""cödé"" schema";
CREATE TABLE "Ünï ""cödé"" schema"."select" ("from" uuid, "a b" text, "what" int, "quo""te" text UNIQUE,
  PRIMARY KEY ("from", "a b"));
CREATE TABLE audit (id serial PRIMARY KEY, what text);
CREATE SEQUENCE numbers INCREMENT -5;
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.audit (what) VALUES (TG_OP || ' ' || NEW.id); NEW.label := NEW.label || '!'; RETURN NEW; END $$;

INSERT INTO companies (name, code) SELECT 'Company ' || i, 'c' || i FROM generate_series(1, 50) i;
WITH b AS (INSERT INTO branches (id, manager, name) SELECT i, i, 'b' || i FROM generate_series(1, 200) i)
INSERT INTO users (id, email, company, branch) SELECT i, 'u' || i || '@x', i % 50 + 1, i FROM generate_series(1, 200) i;
SELECT setval('users_id_seq', 200), setval('branches_id_seq', 200), setval('numbers', -50);
INSERT INTO items SELECT i, nullif(i / 2, 0), E'item\t' || i || E'\n\\', i / 7.0, jsonb_build_object('i', i) FROM generate_series(1, 3000) i;
INSERT INTO sales SELECT i, date '2023-11-01' + i % 900, i % 50 + 1, 'sale ' || i FROM generate_series(1, 2000) i;
INSERT INTO sale_lines SELECT id, at, l, id FROM sales, generate_series(1, 2) l;
INSERT INTO rates VALUES (1.0, 'one'), (2.50, 'two and a half'), (-3, NULL);
INSERT INTO tags VALUES ('Red', 'r'), ('green', 'g'), ('blue', 'b');
INSERT INTO bookings SELECT i, i, int4range(i * 10, i * 10 + 5) FROM generate_series(1, 30) i;
INSERT INTO parents SELECT i, 'p' || i FROM generate_series(1, 20) i;
INSERT INTO children SELECT i, 'c' || i, i FROM generate_series(1, 20) i;
INSERT INTO unkeyed SELECT i % 10, 'x' FROM generate_series(1, 100) i;
INSERT INTO odd VALUES ('', 'null'), (E'\t', '1'), (E'a\nb', '{"a": 1,  "a": 2}'), (E'\\N', '[]'), ('Ä', NULL), ('z', '0');
INSERT INTO "Ünï ""cödé"" schema"."select" SELECT md5(i::text)::uuid, 'x ''' || i, i, 'q"' || i FROM generate_series(1, 300) i;
SELECT lo_from_bytea(7001, 'seven'), lo_from_bytea(7002, decode(repeat('ab', 3000000), 'hex')), lo_from_bytea(7003, '');
CREATE TRIGGER audit BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION audit();
"""

KEYS = {'companies': 'id', 'users': 'id', 'branches': 'id', 'items': 'id', 'sales': 'id, at',
        'sale_lines': 'sale, at, line', 'rates': 'factor', 'tags': 'name', 'bookings': 'id',
        'ONLY parents': 'id', 'children': 'id', 'odd': 'k', 'audit': 'id',
        '"Ünï ""cödé"" schema"."select"': '"from", "a b"'}

# What somebody did after the backup.
WRECK = r"""
SET session_replication_role = replica;
DELETE FROM companies WHERE id IN (3, 4);
DELETE FROM users WHERE company IN (3, 4) OR id > 150;
DELETE FROM branches WHERE id NOT IN (SELECT branch FROM users);
DELETE FROM items WHERE id BETWEEN 1500 AND 2500 OR id > 2990;
DELETE FROM items WHERE parent IS NOT NULL AND parent NOT IN (SELECT id FROM items);
DELETE FROM sales WHERE id % 10 = 0;
DELETE FROM sale_lines WHERE (sale, at) NOT IN (SELECT id, at FROM sales) OR item NOT IN (SELECT id FROM items);
UPDATE items SET label = 'mine', price = 0 WHERE id < 100;
UPDATE sales SET note = 'changed' WHERE id % 7 = 1;
UPDATE rates SET factor = 1.000, note = 'changed' WHERE factor = 1;
DELETE FROM rates WHERE factor = 2.5;
UPDATE tags SET name = 'RED' WHERE name = 'red';
DELETE FROM tags WHERE name = 'blue';
DELETE FROM bookings WHERE id > 20;
DELETE FROM ONLY parents WHERE id = 5;
DELETE FROM children WHERE id = 6;
UPDATE ONLY parents SET t = 'changed' WHERE id = 7;
DELETE FROM unkeyed;
DELETE FROM odd WHERE k IN ('', E'a\nb', E'\\N');
UPDATE odd SET v = '2' WHERE k = 'z';
DELETE FROM "Ünï ""cödé"" schema"."select" WHERE "what" % 3 = 0;
INSERT INTO companies (name, code) VALUES ('New', 'new');
INSERT INTO items VALUES (5001, 1, 'new', 1, NULL, '2024-05-05 00:00+00');
INSERT INTO sales VALUES (5001, '2024-05-05', 51, 'new');
INSERT INTO tags VALUES ('black', 'new');
SELECT setval('users_id_seq', 150), setval('branches_id_seq', 149), setval('numbers', -5);
SELECT lo_unlink(7001), lo_unlink(7003), lo_put(7002, 0, 'other');
"""


class Merge(Story):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.sql('CREATE DATABASE origin TEMPLATE template0')
        cls.postgres.sql('ALTER DATABASE origin SET session_replication_role = origin')
        cls.postgres.sql(SCHEMA, 'origin')
        cls.made = None

    def setUp(self):
        super().setUp()
        if not self.made:
            bkp = self.new_bkp('origin')
            type(self).made = (bkp, bkp.json('dump')[0]['id'])
        self.bkp, self.backup = self.made
        self.bkp.story = self
        self.bkps.append(self.bkp)

    # --- a database to merge into, and what is in it

    def live(self, sql='', name='live'):
        self.postgres.sql(f'DROP DATABASE IF EXISTS {name} WITH (FORCE)')
        self.postgres.sql(f'CREATE DATABASE {name} TEMPLATE origin')
        self.dropped_afterwards(name)
        if sql:
            self.postgres.sql(sql, name)
        return name

    def rows(self, name):
        """{table: {key: row}} of every table with a key."""
        found = {}
        for table, key in KEYS.items():
            text = self.postgres.sql(
                f"SELECT encode(convert_to(concat_ws('|', {key}), 'UTF8'), 'hex') || ' ' || md5(t::text) FROM {table} t",
                name)
            found[table] = dict(line.split(' ') for line in text.splitlines())
        return found

    def everything(self, name):
        """All that a dump of the database says, sequences and large objects too."""
        text = self.postgres.client('pg_dump', '--inserts', '--blobs', database=name)
        return sorted(line for line in text.splitlines() if 'restrict' not in line)

    def merge(self, *options, code=0, into='live'):
        return self.bkp.json('restore', self.backup, '--into', into, '--mode', 'merge', '--yes',
                             *options, code=code, timeout=300)

    def fails(self, *options, code=1, into='live'):
        return self.bkp.ends(code, 'restore', self.backup, '--into', into, '--mode', 'merge',
                             *options, timeout=300)

    def table(self, result, name):
        return next(t for t in result['tables'] if t['name'] == name)

    def assert_merged(self, before, after, overwrite=False):
        """Rows that were there are as they were, or as in the backup; none is missing now."""
        then = self.rows('origin')
        for table in before:
            for key, row in before[table].items():
                wanted = then[table].get(key, row) if overwrite else row
                self.assertEqual(after[table].get(key), wanted, (table, key))
            for key in set(after[table]) - set(before[table]):
                self.assertEqual(after[table][key], then[table].get(key), (table, key))
        return then

    def assert_nothing_left(self):
        names = self.postgres.databases()
        self.assertEqual([n for n in names if n.startswith('bkp_restore_')], [])

    def assert_constraints_hold(self, name='live'):
        """Every foreign key is looked at again by PostgreSQL itself."""
        for line in self.postgres.sql(
                "SELECT conrelid::regclass || '|' || quote_ident(conname) || '|' || pg_get_constraintdef(oid) FROM pg_constraint "
                "WHERE contype = 'f' AND conparentid = 0", name).splitlines():
            table, constraint, definition = line.split('|')
            self.postgres.sql(f'ALTER TABLE {table} DROP CONSTRAINT {constraint}; '
                              f'ALTER TABLE {table} ADD CONSTRAINT {constraint} {definition}', name)

    # --- stories

    def test_what_is_missing_comes_back_and_what_is_there_stays(self):
        """rows that are missing come back as they were, all others are untouched; no trigger fired"""
        self.live(WRECK)
        before, then = self.rows('live'), self.rows('origin')
        result = self.merge()
        after = self.rows('live')
        self.assert_merged(before, after)
        for table in set(KEYS) - {'rates', 'tags'}:  # in those, a key is written differently
            self.assertEqual(set(then[table]) - set(after[table]), set(), table)
        self.assertEqual(self.postgres.sql("SELECT string_agg(factor || note, ',' ORDER BY factor) FROM rates", 'live').strip(),
                         '1.000changed,2.50two and a half')
        self.assertEqual(self.postgres.sql("SELECT string_agg(name || note, ',' ORDER BY note) FROM tags", 'live').strip(),
                         'blueb,greeng,blacknew,REDr')
        self.assertEqual(self.postgres.sql('SELECT count(*), sum(a) FROM unkeyed', 'live'),
                         self.postgres.sql('SELECT count(*), sum(a) FROM unkeyed', 'origin'))
        self.assertEqual((result['outcome'], result['mode'], result['applied'], result['left_out']),
                         ('DONE', 'merge', True, []))
        sales = self.table(result, 'sales')
        self.assertEqual((sales['missing'], sales['inserted'], sales['only_there'], sales['overwritten']),
                         (200, 200, 1, 0))
        self.assertEqual(self.table(result, 'rates')['changed'], 1)
        self.assertGreater(result['rows_restored'] if 'rows_restored' in result else result['rows'], 1000)
        # Sequences are ahead, large objects are back, the changed one stays.
        self.postgres.sql("INSERT INTO users (email, company, branch) VALUES ('next@x', 1, 1);"
                          "INSERT INTO branches (manager, name) VALUES (1, 'next');"
                          "INSERT INTO companies (name, code) VALUES ('next', 'next')", 'live')
        self.assertEqual(self.postgres.sql("SELECT nextval('numbers')", 'live').strip(), '-55')
        self.assertEqual(self.postgres.sql("SELECT encode(lo_get(7001), 'escape'), length(lo_get(7003)), "
                                           "encode(lo_get(7002, 0, 5), 'escape')", 'live').strip(),
                         'seven|0|other')
        self.assert_constraints_hold()
        self.assert_nothing_left()
        log = self.bkp.catalog('SELECT * FROM restores WHERE id = ?', result['id'])[0]
        self.assertEqual((log['mode'], log['target'], log['outcome']), ('merge', 'live', 'DONE'))
        again = self.merge()
        self.assertEqual(sum(t['inserted'] + t['missing'] for t in again['tables']), 0)

    def test_changed_rows_are_overwritten_when_asked(self):
        """with --on-conflict overwrite rows that differ are as in the backup, others untouched"""
        self.live(WRECK)
        before = self.rows('live')
        result = self.merge('--on-conflict', 'overwrite')
        after = self.rows('live')
        for odd_keys in ('rates', 'tags'):  # told apart below: a key is written differently
            before.pop(odd_keys)
        then = self.assert_merged(before, after, overwrite=True)
        for table in set(KEYS) - {'rates', 'tags'}:
            self.assertEqual({k: after[table].get(k) for k in then[table]}, then[table], table)
        self.assertEqual(self.postgres.sql("SELECT note FROM rates WHERE factor = 1", 'live').strip(), 'one')
        self.assertEqual(self.table(result, 'items')['overwritten'], 99)
        self.assertEqual(self.postgres.sql('SELECT encode(lo_get(7002, 0, 5), \'hex\')', 'live').strip(),
                         'ab' * 5)
        self.assertEqual(self.postgres.sql('SELECT * FROM audit', 'live'), '')
        self.assert_constraints_hold()

    def test_values_that_change_places(self):
        """a unique value that a row gives up can be taken by a row that comes back"""
        self.live("SET session_replication_role = replica; DELETE FROM users WHERE id = 10;"
                  "UPDATE users SET email = 'u10@x' WHERE id = 20")
        self.told(self.fails('--yes'), 1, "not all of the backup can be merged into 'live'",
                  'users: 1 rows whose value of users_email_key another row holds',
                  hint='.*--skip-conflicts')
        self.merge('--on-conflict', 'overwrite')
        self.assertEqual(self.rows('live'), self.rows('origin'))
        # Two rows that are there and swapped theirs: PostgreSQL looks at each row as it changes.
        self.live("UPDATE users SET email = 'moved@x' WHERE id = 20;"
                  "UPDATE users SET email = 'u20@x' WHERE id = 10;"
                  "UPDATE users SET email = 'u10@x' WHERE id = 20")
        before = self.rows('live')
        self.told(self.fails('--yes', '--on-conflict', 'overwrite'), 1,
                  "cannot write to 'public.users': duplicate key value violates "
                  'unique constraint "users_email_key"')
        self.assertEqual(self.rows('live'), before)

    def test_a_dry_run_changes_nothing(self):
        """--dry-run shows the counts, and nothing is changed"""
        self.live(WRECK)
        before = self.everything('live')
        shown = self.bkp.json('restore', 'latest', '--into', 'live', '--mode', 'merge', '--dry-run')
        self.assertEqual(self.everything('live'), before)
        self.assertEqual((shown['dry_run'], shown['applied']), (True, False))
        self.assertEqual(self.table(shown, 'sales')['to_insert'], 200)
        self.assertEqual(self.table(shown, 'sales')['inserted'], 0)
        self.assertIn('public.numbers', [s['name'] for s in shown['sequences']])
        self.assertEqual(shown['large_objects'], {'missing': 2, 'changed': 1, 'same': 0, 'only_there': 0})
        text = self.bkp.ok('restore', 'latest', '--into', 'live', '--mode', 'merge', '--dry-run').out
        self.assertRegex(text, r'TABLE +MISSING +CHANGED +SAME +ONLY THERE +LEFT OUT')
        self.assertRegex(text, r"\d+ rows would be added to 'live', \d sequences moved forward")
        self.assert_nothing_left()

    def test_it_wants_a_yes(self):
        """without a terminal it wants --yes, and says so before it begins"""
        self.live()
        self.told(self.fails(code=2), 2, "'--mode merge' changes a database and wants '--yes' here",
                  hint='with --dry-run')
        self.told(self.bkp.run('restore', self.backup, '--into', 'absent', '--mode', 'merge', '--yes'),
                  2, "there is no database 'absent'")

    def test_rows_that_cannot_come_back(self):
        """clashes, missing parents and tables that differ are named, refused, or left out when asked"""
        self.live("DELETE FROM sale_lines WHERE sale IN (10, 11, 12);"
                  "DELETE FROM sales WHERE id IN (10, 11);"
                  "SET session_replication_role = replica;"
                  "DELETE FROM companies WHERE id IN (7, 8, 9);"
                  "INSERT INTO companies (name, code) VALUES ('COMPANY 7', 'other'), ('other', 'C8');"
                  "DELETE FROM sales WHERE company IN (7, 8, 9);"
                  "DELETE FROM sale_lines WHERE (sale, at) NOT IN (SELECT id, at FROM sales);"
                  "DELETE FROM users WHERE company IN (7, 8, 9);"
                  "DELETE FROM branches WHERE manager NOT IN (SELECT id FROM users);"
                  "DELETE FROM bookings WHERE id = 3;"
                  "INSERT INTO bookings VALUES (99, 1, '[31,33)');"
                  "INSERT INTO unkeyed VALUES (99, 'one more');"
                  "DROP TABLE rates; ALTER TABLE tags DROP COLUMN note; DELETE FROM tags;"
                  "ALTER TABLE odd ADD COLUMN more int NOT NULL DEFAULT 5; DELETE FROM odd WHERE k = 'z'")
        before = self.rows_of_what_is_there()
        refused = self.fails('--yes')
        self.told(refused, 1, 'table public.companies: 1 rows whose value of companies_name_key',
                  'table public.companies: 1 rows whose value of companies_lower',
                  'table public.bookings: 1 rows whose value of bookings_during_excl',
                  r'table public.users: \d rows that refer by users_company_fkey',
                  r'table public.sales: \d+ rows that refer by sales_company_fkey',
                  'table public.unkeyed: it has no primary key',
                  'table public.rates: the database has no such table',
                  "table public.tags: its column 'note' is not in the database any more")
        self.assertEqual(self.rows_of_what_is_there(), before)
        result = self.merge('--skip-conflicts', code=3)
        self.assertEqual(self.postgres.sql("SELECT more FROM odd WHERE k = 'z'", 'live').strip(), '5')
        self.assertEqual(self.postgres.sql('SELECT count(*) FROM companies WHERE id IN (7, 8, 9)', 'live').strip(), '1')
        self.assertEqual(self.postgres.sql('SELECT count(*) FROM users WHERE company = 9', 'live'),
                         self.postgres.sql('SELECT count(*) FROM users WHERE company = 9', 'origin'))
        self.assertGreater(len(result['left_out']), 6)
        self.assert_constraints_hold()

    def rows_of_what_is_there(self):
        return self.everything('live')

    def test_triggers(self):
        """a role that may not silence triggers is told; --triggers fire lets them do what they do"""
        self.live('DELETE FROM sale_lines WHERE item > 2990; DELETE FROM items WHERE id > 2990;'
                  'ALTER TABLE items ENABLE ALWAYS TRIGGER audit')
        self.told(self.fails('--yes'), 1, 'trigger audit on table .public.items. cannot be silenced',
                  hint='.*--triggers fire')
        result = self.merge('--triggers', 'fire')
        self.assertEqual(self.table(result, 'items')['inserted'], 10)
        self.assertEqual(self.postgres.sql("SELECT count(*) FROM audit", 'live').strip(), '10')
        self.assertEqual(self.postgres.sql("SELECT count(*) FROM items WHERE label LIKE '%!'", 'live').strip(), '10')
        self.assert_constraints_hold()

    def test_a_role_that_may_not_silence_triggers(self):
        """a role that may not silence triggers is told so; where there are none, it merges"""
        self.postgres.sql('CREATE ROLE plain LOGIN CREATEDB')
        self.postgres.sql('CREATE DATABASE mine OWNER plain')
        self.dropped_afterwards('mine')
        self.postgres.sql("SET ROLE plain; CREATE SCHEMA s; CREATE TABLE s.p (id int PRIMARY KEY);"
                          'CREATE TABLE s.t (id int PRIMARY KEY, p int REFERENCES s.p);'
                          'INSERT INTO s.p VALUES (1); INSERT INTO s.t VALUES (1, 1), (2, 1)', 'mine')
        bkp = self.new_bkp('mine')
        text = bkp.config.read_text(encoding='utf-8')
        conninfo = f'conninfo = "{self.postgres.conninfo("postgres", "plain")}"\n'
        bkp.write(bkp.config, text.replace('[restore]\n', '[restore]\n' + conninfo, 1))
        bkp.ok('dump')
        self.postgres.sql("DELETE FROM s.t; DELETE FROM s.p;"
                          'CREATE FUNCTION s.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;'
                          'CREATE TRIGGER no BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.no()', 'mine')
        words = ['restore', 'latest', '--into', 'mine', '--mode', 'merge', '--yes']
        self.told(bkp.run(*words), 1, "role 'plain' cannot silence the triggers",
                  r'table s\.t: no', 'permission denied', hint='name a superuser')
        self.assertEqual(self.postgres.sql('SELECT count(*) FROM s.p', 'mine'), '0')
        self.postgres.sql('DROP TRIGGER no ON s.t', 'mine')
        bkp.ok(*words)
        self.assertEqual(self.postgres.sql('SELECT count(*) FROM s.t', 'mine'), '2')

    def test_writers_meanwhile(self):
        """what others write while it runs is neither overwritten nor lost, whatever moment they take"""
        self.live(WRECK)
        before = self.rows('live')
        stop, written, errors = threading.Event(), [], []

        def write():
            number = 0
            while not stop.is_set():
                number += 1
                key = 1500 + number % 1000  # the same keys that come back, and new ones
                try:
                    self.postgres.sql(
                        f"INSERT INTO items VALUES ({key}, 1, 'writer', 0, NULL) ON CONFLICT DO NOTHING;"
                        f"INSERT INTO items VALUES ({10000 + number}, 1, 'writer', 0, NULL);"
                        f"UPDATE items SET doc = '{{\"n\": {number}}}' WHERE id = 50;"
                        f"INSERT INTO users (email, company, branch) VALUES ('w{number}@x', 1, 1)", 'live')
                    written.append(number)
                except RuntimeError as error:
                    errors.append(str(error))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            self.merge()
        finally:
            stop.set()
            writer.join()
        after = self.rows('live')
        for table in set(KEYS) - {'items', 'audit'}:
            for key, row in before[table].items():
                self.assertEqual(after[table].get(key), row, (table, key))
        self.assertGreater(len(written), 3)
        self.assertEqual([e for e in errors if 'duplicate key' not in e], [])
        rows = int(self.postgres.sql('SELECT count(*) FROM items WHERE id > 10000', 'live'))
        self.assertGreaterEqual(rows, len(written))
        self.assertEqual(self.postgres.sql("SELECT count(*) FROM items WHERE id BETWEEN 1 AND 3000", 'live').strip(), '3000')
        self.assert_constraints_hold()

    def test_a_parent_that_goes_in_the_last_moment(self):
        """what a row refers to is held while it comes back; gone in the last moment, nothing comes"""
        self.live('SET session_replication_role = replica; DELETE FROM sale_lines WHERE item = 2222;'
                  'DELETE FROM items WHERE parent = 1111')
        before = self.rows('live')
        session = subprocess.Popen([BIN / 'psql', '-XqAt', '-d', self.postgres.conninfo('live')],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        session.stdin.write('BEGIN; SET session_replication_role = replica;'
                            'DELETE FROM items WHERE id = 1111; SELECT 1;\n')
        session.stdin.flush()
        session.stdout.readline()
        run = self.bkp.start('restore', self.backup, '--into', 'live', '--mode', 'merge', '--yes')
        wait_until(lambda: run.ended() or self.postgres.sql(
            "SELECT 1 FROM pg_stat_activity WHERE datname = 'live' AND wait_event_type = 'Lock'"),
            'the merge waits for the row')
        session.communicate('COMMIT;\n')
        self.told(run.wait(), 1, 'rows cannot be merged any more', r'items_parent_fkey \(2 rows\)',
                  hint='nothing was changed')
        before['items'].pop('31313131')
        self.assertEqual(self.rows('live'), before)

    def test_killed_at_any_moment(self):
        """killed at any moment, it has changed nothing or all; the next run drops what it left"""
        whole = None
        states = set()
        for _ in range(OPTIONS.rounds or 8):
            self.live(WRECK)
            before = self.rows('live')
            run = self.bkp.start('restore', self.backup, '--into', 'live', '--mode', 'merge', '--yes')
            moment = self.random.choice(['scratch', 'stage', 'write', 'random'])
            try:
                if moment == 'scratch':
                    wait_until(lambda: run.ended() or any(
                        n.startswith('bkp_restore_') for n in self.postgres.databases()), 'scratch')
                elif moment in ('stage', 'write'):
                    word = 'COPY pg_temp%' if moment == 'stage' else 'WITH w0%'
                    wait_until(lambda: run.ended() or self.postgres.sql(
                        f"SELECT 1 FROM pg_stat_activity WHERE datname = 'live' AND query LIKE '{word}'").strip(), moment)
                else:
                    run.process.wait(timeout=self.random.uniform(0.2, 3))
            except subprocess.TimeoutExpired:
                pass
            run.kill()
            run.wait()
            wait_until(lambda: not self.postgres.sql(
                "SELECT 1 FROM pg_stat_activity WHERE datname = 'live'").strip(), 'its sessions end')
            after = self.rows('live')
            if after != before:
                self.assert_merged(before, after)
                whole = whole or after
                self.assertEqual(after, whole)
            states.add(after == before)
        self.merge()
        self.assert_nothing_left()
        self.assertIn(True, states)


if __name__ == '__main__':
    main()
