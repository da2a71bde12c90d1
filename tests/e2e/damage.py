#!/usr/bin/python3
"""Whatever is changed in a storage is noticed, named, and read from elsewhere where it can be."""

import json
import shutil
import struct

from harness import Story, main


class Container:
    """Where the parts of a stored object lie: bkp-container(5)."""

    def __init__(self, content):
        self.content = content
        self.header_size = struct.unpack_from('>H', content, 10)[0]
        at = self.header_size + 1
        for _ in range(content[self.header_size]):
            at += 19 + struct.unpack_from('>H', content, at + 17)[0]
        self.slots = (self.header_size, at)
        self.frames, last = [], False
        while not last:
            head = struct.unpack_from('>I', content, at)[0]
            size, last = 4 + (head & 0x7fffffff), bool(head >> 31)
            self.frames.append((at, at + size))
            at += size
        self.index = (at, len(content) - 16)
        assert len(self.frames) >= 5, 'too small for this story'

    def flipped(self, offset, bit=0x10):
        changed = bytearray(self.content)
        changed[offset] ^= bit
        return bytes(changed)

    def flips(self):
        """{place: content with one bit changed}, in every part."""
        places = {'magic': 3, 'version': 9, 'header size': 11, 'suite': 12, 'codec': 13,
                  'reserved': 14, 'frame size': 17, 'part': 23, 'cluster': 30, 'backup': 50,
                  'system identifier': 60, 'segment size': 105, 'name': self.header_size - 3,
                  'number of slots': self.slots[0], 'slot type': self.slots[0] + 1,
                  'key id': self.slots[0] + 5, 'wrapped key': self.slots[1] - 3}
        for number in (0, 1, len(self.frames) - 1):
            begin, end = self.frames[number]
            places |= {f'size of frame {number}': begin + 2, f'start of frame {number}': begin + 5,
                       f'middle of frame {number}': (begin + end) // 2,
                       f'end of frame {number}': end - 1}
        places |= {'last-mark': self.frames[-1][0], 'index': self.index[0] + 2,
                   'seal of the index': self.index[1] - 1, 'index size': self.index[1] + 7,
                   'end mark': len(self.content) - 1}
        return {f'a bit flipped: {place}': self.flipped(offset, 0x80 if place == 'last-mark' else 1)
                for place, offset in places.items()}

    def cuts(self):
        """{place: content that ends there}, at borders of frames and within."""
        places = {'empty': 0, 'within the header': 20, 'after the header': self.header_size,
                  'after the slots': self.slots[1], 'after the first frame': self.frames[0][1],
                  'before the last frame': self.frames[-1][0], 'after the last frame': self.index[0],
                  'within a frame': self.frames[2][0] + 1000, 'before the trailer': self.index[1],
                  'one byte early': len(self.content) - 1}
        return {f'cut: {place}': self.content[:offset] for place, offset in places.items()}

    def swaps(self):
        """Two frames in each other's place; one twice, one left out; something behind the end."""
        frames = [self.content[begin:end] for begin, end in self.frames]
        head, tail = self.content[:self.frames[0][0]], self.content[self.index[0]:]

        def joined(order):
            return head + b''.join(frames[number] for number in order) + tail

        order = list(range(len(frames)))
        return {'frames swapped': joined([0, 2, 1, *order[3:]]),
                'a frame twice': joined([0, 1, 1, *order[2:]]),
                'a frame left out': joined([0, *order[2:]]),
                'last frame first': joined([order[-1], *order[:-1]]),
                'a byte behind the end': self.content + b'\0'}


class Damage(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=6)

    def read(self, bkp, name):
        return (bkp.local / name).read_bytes()

    def put(self, bkp, name, content):
        """What somebody with access to the directory does."""
        path = bkp.local / name
        mode = path.stat()
        path.unlink()
        path.write_bytes(content)
        shutil.chown(path, mode.st_uid, mode.st_gid)

    def assert_refused(self, bkp, backup, name, state='DAMAGED', restore=True):
        """Neither verify nor restore takes the only copy; both name it and its place."""
        verified = bkp.json('verify', backup['id'], '--deep', code=4)[0]
        self.assertEqual(verified['status'], 'COMPLETED')
        check = verified['checks'][0]
        self.assertEqual((check['storage'], check['state']), ('local', state))
        self.assertIn(name, check['problem'])
        shallow = bkp.json('verify', backup['id'], code=4)[0]
        self.assertEqual(shallow['checks'][0]['state'], state)
        self.assertEqual([(a['storage'], a['backup_id']) for a in
                          bkp.open_alerts('INTEGRITY_FAILURE')], [('local', backup['id'])])
        if restore:
            self.postgres.sql('DROP DATABASE IF EXISTS never')
            self.told(bkp.run('restore', backup['id'], '--into', 'never'), 4, 'local', name)
            databases = self.postgres.databases()
            self.assertEqual([d for d in databases if d == 'never' or 'bkp_' in d], [])

    def assert_well(self, bkp, backup):
        verified = bkp.json('verify', backup['id'], '--deep')[0]
        self.assertEqual(verified['status'], 'VERIFIED')
        self.assertEqual(bkp.open_alerts('INTEGRITY_FAILURE'), [])

    def try_each(self, bkp, backup, name, changes, restored):
        """Each change is refused; a restore is tried of those named in `restored` (all: None)."""
        original = self.read(bkp, name)
        for what, content in changes.items():
            with self.subTest(what):
                self.assertNotEqual(content, original)
                self.put(bkp, name, content)
                self.assert_refused(bkp, backup, name,
                                    restore=restored is None or any(r in what for r in restored))
        self.put(bkp, name, original)
        self.assert_well(bkp, backup)

    def only_copy(self):
        bkp = self.new_bkp('shop')
        backup = bkp.json('dump')[0]
        return bkp, backup, bkp.path(backup)

    def test_a_flipped_bit(self):
        """one bit flipped anywhere in the only copy: verify and restore refuse, exit 4"""
        bkp, backup, name = self.only_copy()
        self.try_each(bkp, backup, name, Container(self.read(bkp, name)).flips(),
                      ['magic', 'codec', 'header size', 'name', 'cluster', 'size of frame 1',
                       'middle of', 'last-mark', 'index', 'end mark', 'slot', 'key id', 'wrapped'])

    def test_a_cut(self):
        """the only copy cut at any frame: verify and restore refuse, exit 4"""
        bkp, backup, name = self.only_copy()
        self.try_each(bkp, backup, name, Container(self.read(bkp, name)).cuts(),
                      ['empty', 'after', 'before'])

    def test_swapped_frames(self):
        """frames swapped, repeated or left out, bytes added: verify and restore refuse, exit 4"""
        bkp, backup, name = self.only_copy()
        self.try_each(bkp, backup, name, Container(self.read(bkp, name)).swaps(), None)

    def test_an_edited_manifest(self):
        """an edited manifest: verify and restore refuse, exit 4"""
        bkp, backup, name = self.only_copy()
        manifest = name.rsplit('.dump', 1)[0] + '.manifest.json'
        text = self.read(bkp, manifest).decode()
        parsed = json.loads(text)

        def changed(change):
            document = json.loads(text)
            change(document)
            return json.dumps(document, separators=(',', ':')).encode()

        def flip(value):
            return ('B' if value[0] == 'A' else 'A') + value[1:]

        changes = {
            'cut': text[:len(text) // 2].encode(), 'empty': b'', 'no JSON': b'\0' * 100,
            'a space more': text.replace(':', ': ', 1).encode(),
            'a line more': text.encode() + b'\n\n',
            'size': changed(lambda d: d['objects'][0].update(size_bytes=1)),
            'digest': changed(lambda d: d['objects'][0].update(sha256='0' * 64)),
            'object': changed(lambda d: d['objects'][0].update(name=name + '.2')),
            'cluster': changed(lambda d: d.update(cluster='shep')),
        }
        for key, value in parsed.items():
            if isinstance(value, str) and value:
                changes[f'a letter of {key}'] = changed(lambda d, k=key, v=value:
                                                        d.update({k: flip(v)}))
            changes[f'without {key}'] = changed(lambda d, k=key: d.pop(k))
        self.assertGreater(len(changes), 20)
        self.try_each(bkp, backup, manifest, changes, ['size', 'digest', 'cut', 'hmac', 'sealed'])

    def test_an_object_of_another_backup(self):
        """another backup's object or manifest under this one's name: refused, exit 4"""
        bkp, backup, name = self.only_copy()
        other = bkp.json('dump')[0]
        its_name = bkp.path(other)
        manifest, its_manifest = (n.rsplit('.dump', 1)[0] + '.manifest.json'
                                  for n in (name, its_name))
        self.try_each(bkp, backup, name, {'data': self.read(bkp, its_name)}, None)
        self.try_each(bkp, backup, manifest, {'manifest': self.read(bkp, its_manifest)}, None)
        originals = {n: self.read(bkp, n) for n in (name, manifest)}
        self.put(bkp, name, self.read(bkp, its_name))
        self.put(bkp, manifest, self.read(bkp, its_manifest))
        bkp.json('verify', backup['id'], code=4)
        self.assertEqual(bkp.run('restore', backup['id'], '--into', 'never').code, 4)
        for path, content in originals.items():
            self.put(bkp, path, content)
        self.assert_well(bkp, backup)

    def test_what_is_gone(self):
        """a removed object or manifest is missing: refused, exit 4"""
        bkp, backup, name = self.only_copy()
        for gone in (name, name.rsplit('.dump', 1)[0] + '.manifest.json'):
            with self.subTest(gone):
                aside = self.place / 'aside'
                shutil.move(bkp.local / gone, aside)
                self.assert_refused(bkp, backup, gone, state='MISSING')
                shutil.move(aside, bkp.local / gone)
                self.assert_well(bkp, backup)

    # --- with other copies

    def assert_served_by_others(self, bkp, backup, bad):
        """A restore ends well with a warning for each bad copy; verify names them, exit 4."""
        name = self.dropped_afterwards('healed')
        for jobs in ('1', '4'):
            result = bkp.ok('restore', backup['id'], '--into', name, '--jobs', jobs)
            self.assertEqual(self.postgres.sql('SELECT count(*), sum(hashtext(text)) FROM filler',
                                               name),
                             self.postgres.sql('SELECT count(*), sum(hashtext(text)) FROM filler',
                                               'shop'))
            self.assertRegex(result.err, f"copy in '{bad[0]}'")
            self.postgres.sql(f'DROP DATABASE {name}')
        verified = bkp.json('verify', backup['id'], code=4)[0]
        self.assertEqual(verified['status'], 'COMPLETED')
        self.assertEqual(sorted(c['storage'] for c in verified['checks'] if c['state'] != 'GOOD'),
                         sorted(bad))
        self.assertEqual(sorted(a['storage'] for a in bkp.open_alerts('INTEGRITY_FAILURE')),
                         sorted(bad))

    def test_another_copy_takes_over(self):
        """with another good copy a restore goes on from that in mid-stream; verify tells, exit 4"""
        bkp = self.new_bkp('shop', clouds=['r2'])
        backup = bkp.json('dump')[0]
        name = bkp.path(backup)
        manifest = name.rsplit('.dump', 1)[0] + '.manifest.json'
        client, bucket = bkp.buckets['r2']
        stored, listed = self.read(bkp, name), self.read(bkp, manifest)
        parts = Container(stored)
        third = sum(parts.frames[2]) // 2
        for what, change in {
                'a frame': lambda: self.put(bkp, name, parts.flipped(third)),
                'the header': lambda: self.put(bkp, name, parts.flipped(20)),
                'the end is gone': lambda: self.put(bkp, name, stored[:third]),
                'the object is gone': (bkp.local / name).unlink,
                'the manifest': lambda: self.put(bkp, manifest, listed[:-5]),
        }.items():
            with self.subTest(what):
                change()
                self.assert_served_by_others(bkp, backup, ['local'])
            for path, content in ((name, stored), (manifest, listed)):
                if not (bkp.local / path).exists():
                    (bkp.local / path).touch()
                    shutil.chown(bkp.local / path, *(
                        getattr((bkp.local).stat(), field) for field in ('st_uid', 'st_gid')))
                self.put(bkp, path, content)
            self.assert_well(bkp, backup)

        with self.subTest('each copy bad in another place'):
            self.put(bkp, name, parts.flipped(third))
            client.put(bucket, name, parts.flipped(sum(parts.frames[3]) // 2))
            self.assert_served_by_others(bkp, backup, ['local', 'r2'])
        with self.subTest('both copies bad in the same place'):
            client.put(bucket, name, parts.flipped(third + 1))
            self.told(bkp.run('restore', backup['id'], '--into', 'never'), 4, "local", "r2", name)
            self.assertNotIn('never', self.postgres.databases())
        with self.subTest('good again'):
            self.put(bkp, name, stored)
            client.put(bucket, name, stored)
            self.assert_well(bkp, backup)


if __name__ == '__main__':
    main()
